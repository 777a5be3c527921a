"""TensorFlow: its own kernels on a CPU, XLA on a GPU (XLA was measured four times slower on a CPU)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcv04.backends.base import (
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
        function = tf.function(lambda x: model(scaled(x), training=False), jit_compile=self.compiles(), autograph=False)
        # Concrete, since TensorFlow would warn of retracing when several models live in one process.
        concrete = function.get_concrete_function(tf.TensorSpec(shape, dtype))
        return lambda x: concrete(tf.constant(x))

    def gradient(self, model: keras.Model, objective: Objective) -> GradientStep:
        """The step of `backends.value_and_gradient`."""
        compiled: dict[tuple[Any, ...], Any] = {}

        def whole(x: Any, *others: Any) -> tuple[Any, Any]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                values = objective(x, model(x, training=False), *others)
            return values, tape.gradient(values, x)

        def step(*arguments: Any) -> tuple[Any, Any]:
            tensors = [tf.convert_to_tensor(argument) for argument in arguments]
            # Kernels look at determinism when they are made, so each setting has its own function.
            key = (self.is_deterministic(), *((tuple(tensor.shape), tensor.dtype) for tensor in tensors))
            if key not in compiled:
                function = tf.function(whole, jit_compile=self.compiles(), autograph=False)
                compiled[key] = function.get_concrete_function(*tensors)
            return compiled[key](*tensors)

        return step


class _Steps(Steps):
    def __init__(
        self,
        backend: TensorFlow,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss,
        augment: Augment = None,
    ) -> None:
        super().__init__(model, optimizer, loss, augment)
        self._backend = backend
        self._loss_sum = tf.Variable(0.0, trainable=False)
        # int64, since TensorFlow keeps int32 variables off the GPU.
        self._correct = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._compiled: dict[tuple[str, bool, tuple[int, ...]], Any] = {}

    def put(self, array: npt.NDArray[Any]) -> Any:
        return tf.constant(array)

    def put_batches(self, indices: npt.NDArray[np.int32]) -> list[Any]:
        return [tf.constant(row) for row in indices]

    def _call(self, kind: str, step: Callable[..., None], *arguments: Any) -> None:
        # Kernels look at determinism when they are made, so each setting has its own function.
        key = (kind, self._backend.is_deterministic(), tuple(arguments[0].shape))
        if key not in self._compiled:
            # Through a lambda, since TensorFlow would share the trace of one bound method between two functions;
            # concrete, since it would warn of retracing when several trainers live in one process.
            function = tf.function(lambda *batch: step(*batch), jit_compile=self._backend.compiles(), autograph=False)
            self._compiled[key] = function.get_concrete_function(*arguments)
        self._compiled[key](*arguments)

    def _train(self, x: Any, y: Any, batch: Any) -> None:
        self._call("train", self._train_step, x, y, batch)

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
        self._call("evaluate", self._evaluate_step, x, y, batch, tf.constant(count))

    def _evaluate_step(self, x: Any, y: Any, batch: Any, count: Any) -> None:
        pictures, labels = scaled(tf.gather(x, batch)), tf.gather(y, batch)
        predicted = self.model(pictures, training=False)
        counted = tf.range(batch.shape[0]) < count
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
