"""A model's outputs for any number of rows, by one compiled step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcv04.backends.base import Backend, keras


class Predictor:
    """A model's outputs as by `backends.predict`, compiled once for any number of rows.

    Args:
        backend: that computes them.
        model: as for `predict`.
        shape: of a row.
        dtype: of the rows.
        batch_size: rows at once.
    """

    def __init__(
        self, backend: Backend, model: keras.Model, shape: tuple[int, ...], dtype: Any, batch_size: int
    ) -> None:
        self._size, self._backend = batch_size, backend
        self._step = backend.predict_step(model, (batch_size, *shape), dtype)

    def __call__(
        self, x: npt.NDArray[Any], on_batch: Callable[[int], None] = lambda done: None
    ) -> dict[str, npt.NDArray[Any]]:
        """The outputs by name for each row of `x`, which is not empty."""
        size = self._size
        outputs: dict[str, npt.NDArray[Any]] = {}
        for start in range(0, len(x), size):
            rows = np.arange(start, start + size)
            found = self._step(x[np.minimum(rows, len(x) - 1)])
            count = min(size, len(x) - start)
            for label, values in found.items():
                values = self._backend.to_numpy(values)
                if label not in outputs:
                    outputs[label] = np.empty((len(x), *values.shape[1:]), values.dtype)
                outputs[label][start : start + count] = values[:count]
            on_batch(start + count)
        return outputs
