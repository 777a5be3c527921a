"""PyTorch: its own kernels, step by step as Keras's `fit` calls them.

Nothing is compiled: see `Torch.compiles` for what Inductor gave. It never ran on CUDA here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcv04.backends.base import (
    Augment,
    Backend,
    DeviceError,
    GradientStep,
    Objective,
    Predict,
    Steps,
    Tracing,
    keras,
    scaled,
)
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    import torch
else:
    torch = LazyModule("torch")


class Torch(Backend):
    """Keras on PyTorch."""

    name = "torch"

    # Keras brings pictures with channels last into PyTorch's order for each layer, and copies them twice for that. A
    # step beside one written by hand: 1.54 times as long so, 0.99 with channels first, for Task 1's base net in batches
    # of 128; 1.46 and 1.11 for Task 2's in batches of 32 (torch 2.13, one thread, processor time, n = 25 rounds).
    trains_in = "channels_first"

    def version(self) -> str:
        """PyTorch's version."""
        return str(torch.__version__)

    def has_gpu(self) -> bool:
        """Whether CUDA is there."""
        return bool(torch.cuda.is_available())

    def compiles(self) -> bool:
        """Never, as Keras's own "auto": Inductor took 341 s to compile a step of Task 1's base net on a CPU."""
        return False

    def settle(self) -> None:
        """Compute with as many threads as this process may use cores, or OMP_NUM_THREADS, instead of the machine's.

        On a card cuBLAS needs a workspace of its own to be deterministic, which it reads when it starts.
        """
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or super().threads()))
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

    def gpu_name(self) -> str:
        """The model of the current CUDA device."""
        return str(torch.cuda.get_device_name())

    def hide_gpus(self) -> None:
        """It can't be told: it must not find any.

        Raises:
            DeviceError: it does.
        """
        if self.has_gpu():
            raise DeviceError("torch takes the GPU that it finds: hide it with CUDA_VISIBLE_DEVICES= before the start.")

    def gpu_peak_bytes(self) -> int:
        """The peak of its allocator."""
        return int(torch.cuda.max_memory_allocated())

    def barrier(self) -> None:
        """Wait for the current CUDA device, else for Apple's MPS; on a CPU everything is done when it returns."""
        if self.has_gpu():
            torch.cuda.synchronize()
        elif torch.backends.mps.is_available():
            torch.mps.synchronize()

    def is_deterministic(self) -> bool:
        """Whether its algorithms are."""
        return bool(torch.are_deterministic_algorithms_enabled())

    @contextlib.contextmanager
    def deterministic(self) -> Iterator[None]:
        """Deterministic algorithms inside; one that has none is an error of PyTorch's, on a card alone."""
        before = self.is_deterministic()
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)

    def rounds_to_tf32(self) -> bool:
        """As PyTorch is set for products or convolutions."""
        return bool(torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32)

    def threads(self) -> int:
        """As PyTorch is set."""
        return int(torch.get_num_threads())

    def to_numpy(self, tensor: Any) -> npt.NDArray[Any]:
        """A copy of a tensor."""
        copied: npt.NDArray[Any] = tensor.detach().cpu().numpy().copy()
        return copied

    def steps(self, model: keras.Model, example: Any, augment: Augment, tracing: Tracing) -> Steps:
        """The steps of a model that `compile` was called on."""
        return _Steps(self, model, example, augment, tracing)

    def predict_step(self, model: keras.Model, shape: tuple[int, ...], dtype: Any) -> Predict:
        """A model's outputs in inference mode for one batch of this shape and type."""

        def step(x: npt.NDArray[Any]) -> Any:
            with torch.no_grad():
                return model(scaled(keras.ops.convert_to_tensor(x)), training=False)

        return step

    def gradient(self, model: keras.Model, objective: Objective) -> GradientStep:
        """The step of `backends.value_and_gradient`."""

        def step(x: Any, *others: Any) -> tuple[Any, Any]:
            x = keras.ops.convert_to_tensor(x).detach().requires_grad_(True)
            values = objective(x, model(x, training=False), *(keras.ops.convert_to_tensor(other) for other in others))
            (gradient,) = torch.autograd.grad(values.sum(), x)
            return values.detach(), gradient

        return step


class _Steps(Steps):
    """Each step is a call of its own, on a card too: there is no loop that PyTorch could compile."""

    def __init__(self, backend: Torch, model: keras.Model, example: Any, augment: Augment, tracing: Tracing) -> None:
        super().__init__(model, example, augment, tracing, in_one_call=False)
        self._backend = backend

    def put(self, array: npt.NDArray[Any]) -> Any:
        # Rows of indices are int64 for PyTorch, and so Keras makes labels.
        return keras.ops.convert_to_tensor(array.astype(np.int64) if array.dtype == np.int32 else array)

    def train_on(self, data: Any, order: Any, first: int, count: int) -> None:
        with self._drawing():
            self.model.train()  # as `fit`, for layers that are PyTorch's own
            super().train_on(data, order, first, count)
            self.model.eval()

    def train(self, data: Any, batch: Any) -> None:
        x, *others = self._rows(data, batch)
        if self.augment is not None:
            x = self.augment(x, training=True)
        self.model.train_step((x, *others))

    def evaluate(self, data: Any, batch: Any) -> None:
        with torch.no_grad(), self._tracing():
            self._logged = set(self.model.test_step(self._rows(data, batch)))

    @contextlib.contextmanager
    def _drawing(self) -> Iterator[None]:
        """Draw as `tracing` says; so does dropout without a seed, which asks PyTorch's own generator, not Keras's."""
        with torch.random.fork_rng(), self._tracing():
            torch.manual_seed(int(keras.random.randint((), 0, 2**31 - 1)))
            yield

    @staticmethod
    def _rows(data: Any, batch: Any) -> tuple[Any, ...]:
        x, *others = keras.tree.map_structure(lambda array: array[batch], data)
        return scaled(x), *others

    def barrier(self) -> None:
        self._backend.barrier()
