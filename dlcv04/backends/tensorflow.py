"""TensorFlow: its own kernels on a CPU, XLA on a GPU (XLA was measured four times slower on a CPU).

It never ran on CUDA here: the settings are tested on a faked card, the loop of many steps on a CPU.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcv04.backends.base import (
    MANY,
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
    import tensorflow as tf
else:
    tf = LazyModule("tensorflow")


class TensorFlow(Backend):
    """Keras on TensorFlow."""

    name = "tensorflow"

    def version(self) -> str:
        """TensorFlow's version."""
        return str(tf.__version__)

    def has_gpu(self) -> bool:
        """Whether a GPU is visible to it."""
        return bool(tf.config.get_visible_devices("GPU"))

    def compiles(self) -> bool:
        """On a GPU, except for deterministic operations: XLA has no such gradient of max pooling (nor does `fit`)."""
        return self.has_gpu() and not self.is_deterministic()

    def settle(self) -> None:
        """Make one GPU visible, and let its memory grow: TensorFlow would take all of every one.

        What the user sets in TF_FORCE_GPU_ALLOW_GROWTH wins (TensorFlow sees to it).
        """
        cards = tf.config.get_visible_devices("GPU")[:1]
        # The user's own program may have started it, or divided its memory, already.
        with contextlib.suppress(RuntimeError, ValueError):
            for card in cards:
                tf.config.set_visible_devices(card, "GPU")
                tf.config.experimental.set_memory_growth(card, True)

    def gpu_name(self) -> str:
        """The model of the first visible GPU."""
        details = tf.config.experimental.get_device_details(tf.config.get_visible_devices("GPU")[0])
        return str(details.get("device_name", "GPU"))

    def hide_gpus(self) -> None:
        """Make no GPU visible; only before it has started.

        Raises:
            DeviceError: it has.
        """
        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError as error:
            raise DeviceError(
                "tensorflow has already started on the GPU: choose the CPU in a fresh process."
            ) from error

    def gpu_peak_bytes(self) -> int:
        """The peak of its allocator."""
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])

    def barrier(self) -> None:
        """Wait for all devices."""
        tf.test.experimental.sync_devices()

    def is_deterministic(self) -> bool:
        """Whether its operations are."""
        return bool(_config().is_op_determinism_enabled())

    @contextlib.contextmanager
    def deterministic(self) -> Iterator[None]:
        """Deterministic operations inside."""
        if self.is_deterministic():
            yield
            return
        tf.config.experimental.enable_op_determinism()
        try:
            yield
        finally:
            # TensorFlow's public interface can only switch it on.
            _config().disable_op_determinism()

    def rounds_to_tf32(self) -> bool:
        """As TensorFlow is set."""
        return bool(tf.config.experimental.tensor_float_32_execution_enabled())

    def threads(self) -> int:
        """What the user has set, else the usable cores."""
        given = os.environ.get("TF_NUM_INTRAOP_THREADS", "0")  # read by TensorFlow itself where nothing else is set
        return int(tf.config.threading.get_intra_op_parallelism_threads()) or int(given) or super().threads()

    def to_numpy(self, tensor: Any) -> npt.NDArray[Any]:
        """A copy of a tensor."""
        # Not np.array, nor Keras's convert_to_numpy: both end in a deprecated protocol of NumPy's.
        copied: npt.NDArray[Any] = tensor.numpy().copy()
        return copied

    def steps(self, model: keras.Model, example: Any, augment: Augment, tracing: Tracing) -> Steps:
        """The steps of a model that `compile` was called on."""
        return _Steps(self, model, example, augment, tracing)

    def predict_step(self, model: keras.Model, shape: tuple[int, ...], dtype: Any) -> Predict:
        """A model's outputs in inference mode for one batch of this shape and type."""
        compiled = _Compiled(self, lambda x: model(scaled(x), training=False))
        return lambda x: compiled(tf.constant(x, dtype, shape))

    def gradient(self, model: keras.Model, objective: Objective) -> GradientStep:
        """The step of `backends.value_and_gradient`."""

        def whole(x: Any, *others: Any) -> tuple[Any, Any]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                values = objective(x, model(x, training=False), *others)
            return values, tape.gradient(values, x)

        compiled = _Compiled(self, whole)
        return lambda *arguments: compiled(*(tf.convert_to_tensor(argument) for argument in arguments))


class _Compiled:
    """A function of tensors, compiled once for their shapes and types and for each setting of determinism.

    Kernels look at determinism when they are made, and XLA is left out for it.
    """

    def __init__(self, backend: TensorFlow, function: Callable[..., Any]) -> None:
        self._backend, self._function = backend, function
        self._compiled: dict[tuple[Any, ...], Any] = {}

    def __call__(self, *tensors: Any) -> Any:
        flat = tf.nest.flatten(tensors)
        key = (self._backend.is_deterministic(), *((tensor.shape, tensor.dtype) for tensor in flat))
        if key not in self._compiled:
            # Through a lambda, since TensorFlow would share the trace of one bound method between two functions;
            # concrete, since it would warn of retracing when several trainers live in one process.
            function = tf.function(
                lambda *given: self._function(*given), jit_compile=self._backend.compiles(), autograph=False
            )
            self._compiled[key] = function.get_concrete_function(*tensors)
        return self._compiled[key](*tensors)


class _Steps(Steps):
    def __init__(
        self, backend: TensorFlow, model: keras.Model, example: Any, augment: Augment, tracing: Tracing
    ) -> None:
        super().__init__(model, example, augment, tracing, in_one_call=backend.has_gpu())
        self._train_compiled = _Compiled(backend, self._train_step)
        self._many_compiled = {
            length: _Compiled(backend, partial(self._train_steps, length=length)) for length in (1, MANY)
        }
        self._evaluate_compiled = _Compiled(backend, self._evaluate_step)

    def put(self, array: npt.NDArray[Any]) -> Any:
        # Labels and rows of indices: TensorFlow keeps int32 tensors off the GPU too, so that each step would copy them.
        return tf.constant(array, tf.int64 if array.dtype == np.int32 else None)

    def train(self, data: Any, batch: Any) -> None:
        self._train_compiled(data, batch)

    def _train_many(self, data: Any, order: Any, first: int, length: int) -> None:
        self._many_compiled[length](data, order, tf.constant(first, tf.int64))

    def _train_steps(self, data: Any, order: Any, first: Any, *, length: int) -> None:
        def step(number: Any) -> Any:
            self._train_step(data, tf.gather(order, (first + tf.cast(number, tf.int64)) % order.shape[0]))
            return number + 1

        tf.while_loop(lambda number: number < length, step, [0], parallel_iterations=1)

    def _train_step(self, data: Any, batch: Any) -> None:
        x, *others = self._rows(data, batch)
        with self._tracing():
            if self.augment is not None:
                x = self.augment(x, training=True)
            self.model.train_step((x, *others))

    def evaluate(self, data: Any, batch: Any) -> None:
        self._evaluate_compiled(data, batch)

    def _evaluate_step(self, data: Any, batch: Any) -> None:
        with self._tracing():
            self._logged = set(self.model.test_step(self._rows(data, batch)))

    @staticmethod
    def _rows(data: Any, batch: Any) -> tuple[Any, ...]:
        x, *others = tf.nest.map_structure(lambda array: tf.gather(array, batch), data)
        return scaled(x), *others

    def barrier(self) -> None:
        tf.test.experimental.sync_devices()


def _config() -> Any:
    from tensorflow.python.framework import config  # private: the public interface can't ask or switch off

    return config
