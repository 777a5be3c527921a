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
    DeviceError,
    GradientStep,
    Loss,
    Objective,
    Predict,
    Steps,
    TrainingBackend,
    hits,
    scaled,
)
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
else:
    tf = LazyModule("tensorflow")


class TensorFlow(TrainingBackend):
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

    def steps(
        self, model: keras.Model, optimizer: keras.optimizers.Optimizer, loss: Loss, augment: Augment = None
    ) -> Steps:
        """The compiled steps of a model."""
        return _Steps(self, model, optimizer, loss, augment)

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
        key = (self._backend.is_deterministic(), *((tensor.shape, tensor.dtype) for tensor in tensors))
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
        self,
        backend: TensorFlow,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss,
        augment: Augment = None,
    ) -> None:
        super().__init__(model, optimizer, loss, augment, on_card=backend.has_gpu())
        self._train_compiled = _Compiled(backend, self._train_step)
        self._many_compiled = {
            length: _Compiled(backend, partial(self._train_steps, length=length)) for length in (1, MANY)
        }
        self._evaluate_compiled = _Compiled(backend, self._evaluate_step)
        self._loss_sum = tf.Variable(0.0, trainable=False)
        # int64, since TensorFlow keeps int32 variables off the GPU.
        self._correct = tf.Variable(0, dtype=tf.int64, trainable=False)

    def put(self, array: npt.NDArray[Any]) -> Any:
        # Labels and rows of indices: TensorFlow keeps int32 tensors off the GPU too, so that each step would copy them.
        return tf.constant(array, tf.int64 if array.dtype == np.int32 else None)

    def _train(self, x: Any, y: Any, batch: Any) -> None:
        self._train_compiled(x, y, batch)

    def _train_many(self, x: Any, y: Any, order: Any, first: int, length: int) -> None:
        self._many_compiled[length](x, y, order, tf.constant(first, tf.int64))

    def _train_steps(self, x: Any, y: Any, order: Any, first: Any, *, length: int) -> None:
        def step(number: Any) -> Any:
            self._train_step(x, y, tf.gather(order, (first + tf.cast(number, tf.int64)) % order.shape[0]))
            return number + 1

        tf.while_loop(lambda number: number < length, step, [0], parallel_iterations=1)

    def _train_step(self, x: Any, y: Any, batch: Any) -> None:
        pictures, labels = scaled(tf.gather(x, batch)), tf.gather(y, batch)
        if self.augment is not None:
            pictures = self.augment(pictures, training=True)
        with tf.GradientTape() as tape:
            predicted = self.model(pictures, training=True)
            loss = tf.reduce_mean(self.loss(labels, predicted)) + sum(self.model.losses)
            enlarged = self.optimizer.scale_loss(loss)
        weights = self.model.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(enlarged, weights), weights, strict=True))
        self._add(loss * batch.shape[0], hits(labels, predicted))

    def _evaluate(self, x: Any, y: Any, batch: Any, count: int) -> None:
        self._evaluate_compiled(x, y, batch, tf.constant(count, tf.int64))

    def _evaluate_step(self, x: Any, y: Any, batch: Any, count: Any) -> None:
        pictures, labels = scaled(tf.gather(x, batch)), tf.gather(y, batch)
        predicted = self.model(pictures, training=False)
        counted = tf.range(batch.shape[0], dtype=tf.int64) < count
        losses = self.loss(labels, predicted) + sum(self.model.losses)
        # where, not a product: the padding's loss may be infinite.
        loss = tf.reduce_sum(tf.where(counted, losses, tf.zeros_like(losses)))
        self._add(loss, tf.logical_and(hits(labels, predicted), counted))

    def _add(self, loss: Any, right: Any) -> None:
        self._loss_sum.assign_add(tf.cast(loss, tf.float32))
        self._correct.assign_add(tf.reduce_sum(tf.cast(right, tf.int64)))

    def _drain(self) -> tuple[float, int]:
        sums = float(self._loss_sum.numpy()), int(self._correct.numpy())
        self._loss_sum.assign(0.0)
        self._correct.assign(0)
        return sums

    def read_variables(self) -> None:
        """Nothing to do: the steps work on the Keras variables themselves."""

    def write_variables(self) -> None:
        """Nothing to do: the steps work on the Keras variables themselves."""

    def barrier(self) -> None:
        tf.test.experimental.sync_devices()


def _config() -> Any:
    from tensorflow.python.framework import config  # private: the public interface can't ask or switch off

    return config
