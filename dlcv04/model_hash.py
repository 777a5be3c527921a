"""A hash of a Keras model: its layers and its weights, for the keys of what is kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlcv04 import backends
from dlcv04.backends import keras

#: Where Keras's settings name layers.
_NAMES = frozenset({"name", "keras_history", "input_layers", "output_layers"})


def model_hash(model: keras.Model) -> str | None:
    """SHA-256 of a model's layers, their settings, how they are joined, and their weights; None with code of your own.

    Names don't count: Keras numbers layers by how many there were before. What a layer, a Lambda or an activation of
    your own computes can't be told from its settings.
    """
    try:
        config = _without_names(keras.saving.serialize_keras_object(model), {})
    except (NotImplementedError, _OwnCodeError):
        return None
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for variable in model.weights:
        values = np.ascontiguousarray(backends.to_numpy(variable))
        digest.update(f":{values.dtype}{values.shape}".encode() + values.tobytes())
    return digest.hexdigest()


class _OwnCodeError(Exception):
    """A class or function that is neither Keras's nor this package's."""


def _without_names(config: Any, numbers: dict[str, str], is_name: bool = False) -> Any:
    """A serialized model with its names numbered as they come."""
    if isinstance(config, Mapping):
        if _is_own(config):
            raise _OwnCodeError
        return {key: _without_names(value, numbers, key in _NAMES) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return [_without_names(value, numbers, is_name) for value in config]
    return numbers.setdefault(config, f"#{len(numbers)}") if is_name and isinstance(config, str) else config


def _is_own(config: Mapping[str, Any]) -> bool:
    kind = config.get("class_name")
    if kind in ("function", "__lambda__"):
        return True
    module = str(config.get("module") or "keras")
    return config.get("registered_name") is not None and not module.startswith(("keras.", "dlcv04."))
