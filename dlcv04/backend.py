"""The only place with code per backend: device, barrier, determinism, memory, and the compiled steps.

The data set lies on the device: pictures as uint8, computed features as floats. A step gathers its batch there by int32
indices, brings pictures to [0, 1], changes them anew where the recipe says so, and adds its loss and its hits to totals
on the device; nothing is waited for until `Steps.totals` or `Steps.barrier`.
TensorFlow's own kernels are used on a CPU (``jit_compile=False``: XLA was measured four times slower there) and XLA on
a GPU; JAX always compiles with ``jax.jit``. PyTorch gives gradients with respect to pictures (`value_and_gradient`)
and trains nothing here.
"""

import os
import platform
import resource
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import threadpoolctl

from dlcv04.lazy import LazyModule

# Read once, when TensorFlow starts; what the user has set wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

if TYPE_CHECKING:
    import jax
    import keras as keras
    import tensorflow as tf
    import torch
else:
    keras = LazyModule("keras")
    tf = LazyModule("tensorflow")
    jax = LazyModule("jax")
    torch = LazyModule("torch")

Device = Literal["auto", "cpu", "gpu"]
Loss = Callable[[Any, Any], Any]
Predict = Callable[[npt.NDArray[Any]], dict[str, Any]]
Objective = Callable[..., Any]
GradientStep = Callable[..., tuple[Any, Any]]
Augment = Any  # a keras.Model or None; Keras itself is not imported yet
SUPPORTED = ("tensorflow", "jax")
DIFFERENTIABLE = (*SUPPORTED, "torch")


class BackendError(RuntimeError):
    """Keras runs on a backend that this package does not support."""


class DeviceError(RuntimeError):
    """The device that was asked for is not there, or the framework has already settled on another."""


@dataclass(frozen=True)
class BackendFacts:
    """What the numbers of a run depend on, besides its code.

    Attributes:
        backend: tensorflow or jax.
        backend_version: its version.
        keras_version: Keras's version.
        device: cpu or gpu.
        device_name: the processor's or card's model.
        dtype_policy: Keras's dtype policy, such as float32.
        image_data_format: channels_last or channels_first.
        jit: whether XLA compiles the steps (resolved, never "auto").
        deterministic: whether equal seeds give bit-equal curves just now.
        threads: threads that one operation may use on the CPU.
    """

    backend: str
    backend_version: str
    keras_version: str
    device: str
    device_name: str
    dtype_policy: str
    image_data_format: str
    jit: bool
    deterministic: bool
    threads: int


class Totals(NamedTuple):
    """Sums over the pictures since the last reading: loss, right answers, and how many pictures."""

    loss: float
    correct: int
    images: int


def name(supported: tuple[str, ...] = SUPPORTED) -> str:
    """Keras's backend: "tensorflow" or "jax", for training; of `DIFFERENTIABLE` also "torch".

    Raises:
        BackendError: it is not one of `supported`.
    """
    backend = str(keras.config.backend())
    if backend not in supported:
        raise BackendError(
            f"Keras's backend {backend!r} is not supported for this: set KERAS_BACKEND to {' or '.join(supported)}."
        )
    return backend


def facts() -> BackendFacts:
    """The backend, its versions and its settings as they are now.

    Raises:
        BackendError: unsupported backend.
    """
    backend = name()
    return BackendFacts(
        backend=backend,
        backend_version=str(tf.__version__ if backend == "tensorflow" else jax.__version__),
        keras_version=str(keras.__version__),
        device="gpu" if has_gpu() else "cpu",
        device_name=device_name(),
        dtype_policy=str(keras.config.dtype_policy().name),
        image_data_format=str(keras.config.image_data_format()),
        jit=resolved_jit(),
        deterministic=is_deterministic(),
        threads=_threads(),
    )


def has_gpu() -> bool:
    """Whether the steps run on a GPU."""
    backend = name(DIFFERENTIABLE)
    if backend == "tensorflow":
        return bool(tf.config.get_visible_devices("GPU"))
    return bool(torch.cuda.is_available() if backend == "torch" else jax.default_backend() == "gpu")


def device_name() -> str:
    """The model of the GPU in use, else of the CPU."""
    if not has_gpu():
        return _cpu_name()
    if name() == "jax":
        return str(jax.devices()[0].device_kind)
    details = tf.config.experimental.get_device_details(tf.config.get_visible_devices("GPU")[0])
    return str(details.get("device_name", "GPU"))


def resolved_jit() -> bool:
    """Whether the steps are compiled by XLA (PyTorch's by Inductor): on JAX always, on the others on a GPU only."""
    return name(DIFFERENTIABLE) == "jax" or has_gpu()


def select_device(device: Device = "auto") -> str:
    """Settle on a device before anything runs; gives "cpu" or "gpu".

    Raises:
        DeviceError: "gpu" without a GPU, or "cpu" after the framework has started on a GPU.
        BackendError: unsupported backend.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise DeviceError(f"There is no device {device!r}; choose auto, cpu or gpu.")
    if device == "cpu":
        _hide_gpus()
    used, found = name(DIFFERENTIABLE), "gpu" if has_gpu() else "cpu"
    if device == "gpu" and found == "cpu":
        raise DeviceError(f"{used} finds no GPU on this machine: install its GPU build and a driver, or use the CPU.")
    if device == "cpu" and found == "gpu":
        raise DeviceError(f"{used} has already started on the GPU: choose the CPU in a fresh process.")
    return found


def barrier() -> None:
    """Wait until everything that was sent to the devices is done."""
    if name() == "tensorflow":
        tf.test.experimental.sync_devices()
    else:
        jax.block_until_ready(jax.live_arrays())


def is_deterministic() -> bool:
    """Whether equal seeds give bit-equal results now: promised on a CPU, on a GPU only where it was switched on."""
    if name() == "tensorflow":
        return bool(_tf_config().is_op_determinism_enabled())
    return not has_gpu() or "xla_gpu_deterministic_ops=true" in os.environ.get("XLA_FLAGS", "")


@contextmanager
def deterministic() -> Iterator[None]:
    """Equal seeds give bit-equal curves inside (on a CPU). Slower on some devices, so timings are taken outside.

    JAX needs nothing on a CPU; on a GPU its determinism is a flag of the process (``XLA_FLAGS``), which is
    left as it is.
    """
    if name() != "tensorflow" or is_deterministic():
        yield
        return
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        # TensorFlow's public interface can only switch it on.
        _tf_config().disable_op_determinism()


def peak_memory_bytes() -> int:
    """The most memory in use so far: of the GPU where there is one, else of this process.

    It never falls within a process (on Linux, by more than the kernel's rounding of a few hundred KiB).
    """
    if has_gpu() and name() == "tensorflow":
        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    if has_gpu():
        return int((jax.devices()[0].memory_stats() or {})["peak_bytes_in_use"])
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage's figure survives exec, so a child would report its parent's peak.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Calibrator(NamedTuple):
    """A fixed piece of work, to tell how fast the machine is just now.

    `name` says which: times calibrated by another are not comparable, so every change renames it.
    """

    name: str
    run: Callable[[], None]


def calibrator() -> Calibrator | None:
    """The calibrator of this device; None on a GPU, where times are absolute: a card is one's own.

    On a CPU about 0.03 s of NumPy on every usable core (float32 matrix products, then passes over memory), whatever
    the backend.
    """
    return None if has_gpu() else Calibrator("numpy-512-threads", _cpu_calibrator(np.random.RandomState(0)))


def _cpu_calibrator(random: np.random.RandomState) -> Callable[[], None]:
    # Threads of ours, each with a BLAS of one thread: OpenBLAS's own workers go on spinning for tens of milliseconds
    # after a product, on the cores of the arm that is timed next (measured: 59 ms a step instead of 33).
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    blas, pool = threadpoolctl.ThreadpoolController(), ThreadPoolExecutor(threads)
    works = [_cpu_work(random) for _ in range(threads)]

    def run() -> None:
        with blas.limit(limits=1, user_api="blas"):
            for done in [pool.submit(work) for work in works]:
                done.result()

    return run


def _cpu_work(random: np.random.RandomState) -> Callable[[], None]:
    left = random.standard_normal((512, 512)).astype(np.float32)
    long = random.standard_normal(1 << 19).astype(np.float32)
    product, spare = np.empty_like(left), np.empty_like(long)

    def work() -> None:
        for _ in range(10):
            np.matmul(left, left, out=product)
            np.multiply(long, 1.0001, out=spare)
            np.maximum(spare, 0.0, out=spare)
            np.add(spare, long, out=spare)

    return work


def to_numpy(variable: Any) -> npt.NDArray[Any]:
    """A copy of a Keras variable or tensor, which later steps leave alone."""
    tensor, backend = keras.ops.convert_to_tensor(variable), name(DIFFERENTIABLE)
    if backend == "torch":
        tensor = tensor.detach().cpu()
    # Not np.array on a TensorFlow tensor, nor Keras's convert_to_numpy: both end in a deprecated protocol of NumPy's.
    return np.array(tensor) if backend == "jax" else tensor.numpy().copy()


class Steps(ABC):
    """The compiled training and evaluation steps of one model, its optimiser and the totals on the device.

    The model and the optimiser must be built. Arrays and index batches come from `put`; equal shapes compile once.
    Training passes its pictures through the model `augment` first, where there is one.
    """

    def __init__(
        self, model: "keras.Model", optimizer: "keras.optimizers.Optimizer", loss: Loss, augment: Augment = None
    ) -> None:
        self.model, self.optimizer, self.loss, self.augment = model, optimizer, loss, augment
        self._images = 0

    @abstractmethod
    def put(self, array: npt.NDArray[Any]) -> Any:
        """The array on the device."""

    @abstractmethod
    def put_batches(self, indices: npt.NDArray[np.int32]) -> list[Any]:
        """Rows of indices (batches, batch size), each on the device."""

    def put_order(self, indices: npt.NDArray[np.int32]) -> Any:
        """The rows of indices (batches, batch size) that `train_on` goes through, on the device."""
        return self.put_batches(indices)

    def train(self, x: Any, y: Any, batch: Any) -> None:
        """One training step on the pictures that `batch` names; returns before it is done."""
        self._images += int(batch.shape[0])
        self._train(x, y, batch)

    def train_on(self, x: Any, y: Any, order: Any, first: int, count: int) -> None:
        """`count` training steps over the rows of `order` from the one numbered `first`, round and round.

        Returns before they are done.
        """
        for number in range(first, first + count):
            self.train(x, y, order[number % len(order)])

    def evaluate(self, x: Any, y: Any, batch: Any, count: int) -> None:
        """Loss and hits of the first `count` pictures that `batch` names, in inference mode; changes no weight."""
        self._images += count
        self._evaluate(x, y, batch, count)

    def totals(self) -> Totals:
        """What was added up since the last call; waits for it."""
        loss, correct = self._drain()
        images, self._images = self._images, 0
        return Totals(loss, correct, images)

    @abstractmethod
    def _train(self, x: Any, y: Any, batch: Any) -> None: ...

    @abstractmethod
    def _evaluate(self, x: Any, y: Any, batch: Any, count: int) -> None: ...

    @abstractmethod
    def _drain(self) -> tuple[float, int]: ...

    @abstractmethod
    def read_variables(self) -> None:
        """Take the state from the Keras variables, after these were assigned."""

    @abstractmethod
    def write_variables(self) -> None:
        """Bring the Keras variables up to the state of the steps."""

    @abstractmethod
    def barrier(self) -> None:
        """Wait until every step so far is done."""


def make_steps(
    model: "keras.Model", optimizer: "keras.optimizers.Optimizer", loss: Loss, augment: Augment = None
) -> Steps:
    """The steps for the backend in use; `loss(labels, probabilities)` gives one loss a picture.

    Raises:
        BackendError: unsupported backend.
    """
    return (_TensorFlowSteps if name() == "tensorflow" else _JaxSteps)(model, optimizer, loss, augment)


def predict(
    model: "keras.Model",
    x: npt.NDArray[Any],
    *,
    batch_size: int = 32,
    on_batch: Callable[[int], None] = lambda done: None,
) -> dict[str, npt.NDArray[Any]]:
    """The model's outputs in inference mode, by name, for each row of `x`; compiled anew at each call.

    Args:
        model: a functional model whose outputs are a dict of tensors.
        x: uint8 pictures, which are brought to [0, 1], or floats; shape (images, ...).
        batch_size: rows at once; the last batch is filled up, so that all have one shape.
        on_batch: called with the number of rows done so far.

    Raises:
        BackendError: unsupported backend.
    """
    return Predictor(model, x.shape[1:], x.dtype, min(batch_size, len(x)))(x, on_batch)


class Predictor:
    """A model's outputs as by `predict`, compiled once for any number of rows.

    Args:
        model: as for `predict`.
        shape: of a row.
        dtype: of the rows.
        batch_size: rows at once.

    Raises:
        BackendError: unsupported backend.
    """

    def __init__(self, model: "keras.Model", shape: tuple[int, ...], dtype: Any, batch_size: int) -> None:
        make = _tensorflow_step if name() == "tensorflow" else _jax_step
        self._size, self._step = batch_size, make(model, (batch_size, *shape), dtype)

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
                values = to_numpy(values)
                if label not in outputs:
                    outputs[label] = np.empty((len(x), *values.shape[1:]), values.dtype)
                outputs[label][start : start + count] = values[:count]
            on_batch(start + count)
        return outputs


def _tensorflow_step(model: "keras.Model", shape: tuple[int, ...], dtype: Any) -> Predict:
    function = tf.function(lambda x: model(_scaled(x), training=False), jit_compile=resolved_jit(), autograph=False)
    # Concrete, since TensorFlow would warn of retracing when several models live in one process.
    concrete = function.get_concrete_function(tf.TensorSpec(shape, dtype))
    return lambda x: concrete(tf.constant(x))


def _jax_step(model: "keras.Model", shape: tuple[int, ...], dtype: Any) -> Predict:
    def step(weights: Any, others: Any, x: Any) -> Any:
        return model.stateless_call(weights, others, _scaled(x), training=False)[0]

    state = [[v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)]
    compiled = jax.jit(step).lower(*state, jax.ShapeDtypeStruct(shape, dtype)).compile()
    return lambda x: compiled(*state, x)


def value_and_gradient(model: "keras.Model", objective: Objective) -> GradientStep:
    """An objective's values and the gradient of their sum with respect to the model's input, compiled.

    The same on TensorFlow, JAX and PyTorch. The model runs in inference mode, so that each picture of a batch has its
    own gradient where the objective gives one value a picture.

    Args:
        model: a functional model with one input; its weights are those of the moment of each call.
        objective: ``objective(x, outputs, *others)``, of ``keras.ops`` alone, gives a tensor of values from the input
            and what the model makes of it.

    Returns:
        ``step(x, *others)``: the values and the gradient, which has the shape and type of `x`; both are tensors on the
        device. Arguments are arrays or tensors; equal shapes compile once.

    Raises:
        BackendError: another backend.
    """
    steps = {"tensorflow": _tensorflow_gradient, "jax": _jax_gradient, "torch": _torch_gradient}
    return steps[name(DIFFERENTIABLE)](model, objective)


def _tensorflow_gradient(model: "keras.Model", objective: Objective) -> GradientStep:
    compiled: dict[tuple[Any, ...], Any] = {}

    def whole(x: Any, *others: Any) -> tuple[Any, Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            values = objective(x, model(x, training=False), *others)
        return values, tape.gradient(values, x)

    def step(*arguments: Any) -> tuple[Any, Any]:
        tensors = [tf.convert_to_tensor(argument) for argument in arguments]
        # Kernels look at determinism when they are made, so each setting has its own function.
        key = (is_deterministic(), *((tuple(tensor.shape), tensor.dtype) for tensor in tensors))
        if key not in compiled:
            function = tf.function(whole, jit_compile=resolved_jit(), autograph=False)
            compiled[key] = function.get_concrete_function(*tensors)
        return compiled[key](*tensors)

    return step


def _jax_gradient(model: "keras.Model", objective: Objective) -> GradientStep:
    def whole(x: Any, weights: Any, state: Any, *others: Any) -> tuple[Any, Any]:
        values = objective(x, model.stateless_call(weights, state, x, training=False)[0], *others)
        return values.sum(), values

    compiled = jax.jit(jax.value_and_grad(whole, has_aux=True))

    def step(x: Any, *others: Any) -> tuple[Any, Any]:
        # Arguments, since XLA would fold weights that are constants of the function for minutes.
        weights, state = (
            [v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)
        )
        (_, values), gradient = compiled(jax.numpy.asarray(x), weights, state, *others)
        return values, gradient

    return step


def _torch_gradient(model: "keras.Model", objective: Objective) -> GradientStep:
    def whole(x: Any, *others: Any) -> Any:
        return objective(x, model(x, training=False), *others)

    compiled = torch.compile(whole, dynamic=False) if resolved_jit() else whole

    def step(x: Any, *others: Any) -> tuple[Any, Any]:
        x = keras.ops.convert_to_tensor(x).detach().requires_grad_(True)
        values = compiled(x, *(keras.ops.convert_to_tensor(other) for other in others))
        (gradient,) = torch.autograd.grad(values.sum(), x)
        return values.detach(), gradient

    return step


def _scaled(x: Any) -> Any:
    """Pixels 0..255 as floats in [0, 1]; floats as they are."""
    floats = keras.ops.cast(x, keras.config.floatx())
    return floats / 255 if keras.backend.standardize_dtype(x.dtype) == "uint8" else floats


def _hits(y: Any, predicted: Any) -> Any:
    return keras.ops.equal(keras.ops.cast(keras.ops.argmax(predicted, axis=-1), "int32"), y)


class _TensorFlowSteps(Steps):
    def __init__(
        self, model: "keras.Model", optimizer: "keras.optimizers.Optimizer", loss: Loss, augment: Augment = None
    ) -> None:
        super().__init__(model, optimizer, loss, augment)
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
        key = (kind, is_deterministic(), tuple(arguments[0].shape))
        if key not in self._compiled:
            # Through a lambda, since TensorFlow would share the trace of one bound method between two functions;
            # concrete, since it would warn of retracing when several trainers live in one process.
            function = tf.function(lambda *batch: step(*batch), jit_compile=resolved_jit(), autograph=False)
            self._compiled[key] = function.get_concrete_function(*arguments)
        self._compiled[key](*arguments)

    def _train(self, x: Any, y: Any, batch: Any) -> None:
        self._call("train", self._train_step, x, y, batch)

    def _train_step(self, x: Any, y: Any, batch: Any) -> None:
        pictures, labels = _scaled(tf.gather(x, batch)), tf.gather(y, batch)
        if self.augment is not None:
            pictures = self.augment(pictures, training=True)
        with tf.GradientTape() as tape:
            predicted = self.model(pictures, training=True)
            loss = tf.reduce_mean(self.loss(labels, predicted)) + sum(self.model.losses)
            scaled = self.optimizer.scale_loss(loss)
        weights = self.model.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, weights), weights, strict=True))
        self._add(loss * batch.shape[0], _hits(labels, predicted))

    def _evaluate(self, x: Any, y: Any, batch: Any, count: int) -> None:
        self._call("evaluate", self._evaluate_step, x, y, batch, tf.constant(count))

    def _evaluate_step(self, x: Any, y: Any, batch: Any, count: Any) -> None:
        pictures, labels = _scaled(tf.gather(x, batch)), tf.gather(y, batch)
        predicted = self.model(pictures, training=False)
        counted = tf.range(batch.shape[0]) < count
        losses = self.loss(labels, predicted) + sum(self.model.losses)
        # where, not a product: the padding's loss may be infinite.
        loss = tf.reduce_sum(tf.where(counted, losses, tf.zeros_like(losses)))
        self._add(loss, tf.logical_and(_hits(labels, predicted), counted))

    def _add(self, loss: Any, hits: Any) -> None:
        self._loss_sum.assign_add(tf.cast(loss, tf.float32))
        self._correct.assign_add(tf.reduce_sum(tf.cast(hits, tf.int64)))

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


class _JaxSteps(Steps):
    def __init__(
        self, model: "keras.Model", optimizer: "keras.optimizers.Optimizer", loss: Loss, augment: Augment = None
    ) -> None:
        super().__init__(model, optimizer, loss, augment)
        self._train_jit = jax.jit(self._train_step, donate_argnums=(0, 1))
        self._train_on_jit = jax.jit(self._train_steps, donate_argnums=(0, 1))
        self._evaluate_jit = jax.jit(self._evaluate_step, donate_argnums=(1,))
        # On a fast card calling each step from Python takes longer than its work. On a CPU XLA's convolutions in a loop
        # were measured six times slower.
        self._in_one_call = has_gpu()
        self._sums = self._zero()
        self._state: Any
        self.read_variables()

    @staticmethod
    def _zero() -> Any:
        return jax.numpy.zeros((), "float32"), jax.numpy.zeros((), "int32")

    def put(self, array: npt.NDArray[Any]) -> Any:
        return jax.device_put(array)

    def put_batches(self, indices: npt.NDArray[np.int32]) -> list[Any]:
        return [jax.device_put(row) for row in indices]

    def _train(self, x: Any, y: Any, batch: Any) -> None:
        self._state, self._sums = self._train_jit(self._state, self._sums, x, y, batch)

    def _train_step(self, state: Any, sums: Any, x: Any, y: Any, batch: Any) -> Any:
        weights, others, slots, draws = state
        pictures, labels = _scaled(x[batch]), y[batch]
        if self.augment is not None:
            pictures, draws = self.augment.stateless_call([], draws, pictures, training=True)

        def objective(weights: Any) -> Any:
            predicted, updated, extra = self.model.stateless_call(
                weights, others, pictures, training=True, return_losses=True
            )
            loss = self.loss(labels, predicted).mean() + sum(extra)
            scope = keras.StatelessScope(state_mapping=list(zip(self.optimizer.variables, slots, strict=True)))
            with scope:
                scaled = self.optimizer.scale_loss(loss)
            return scaled, (loss, predicted, updated)

        (_, (loss, predicted, others)), gradients = jax.value_and_grad(objective, has_aux=True)(weights)
        weights, slots = self.optimizer.stateless_apply(slots, gradients, weights)
        hits = _hits(labels, predicted)
        return (weights, others, slots, draws), (sums[0] + loss * len(batch), sums[1] + hits.sum(dtype="int32"))

    def put_order(self, indices: npt.NDArray[np.int32]) -> Any:
        return self.put(indices) if self._in_one_call else super().put_order(indices)

    def train_on(self, x: Any, y: Any, order: Any, first: int, count: int) -> None:
        if not self._in_one_call:
            super().train_on(x, y, order, first, count)
            return
        self._images += count * order.shape[1]
        self._state, self._sums = self._train_on_jit(self._state, self._sums, x, y, order, first, count)

    def _train_steps(self, state: Any, sums: Any, x: Any, y: Any, order: Any, first: Any, count: Any) -> Any:
        def step(number: Any, carried: Any) -> Any:
            so_far, totals = carried
            return self._train_step(so_far, totals, x, y, order[number % len(order)])

        return jax.lax.fori_loop(first, first + count, step, (state, sums))

    def _evaluate(self, x: Any, y: Any, batch: Any, count: int) -> None:
        self._sums = self._evaluate_jit(self._state[:2], self._sums, x, y, batch, count)

    def _evaluate_step(self, state: Any, sums: Any, x: Any, y: Any, batch: Any, count: Any) -> Any:
        weights, others = state
        pictures, labels = _scaled(x[batch]), y[batch]
        predicted, _, extra = self.model.stateless_call(weights, others, pictures, training=False, return_losses=True)
        counted = jax.numpy.arange(len(batch)) < count
        losses = self.loss(labels, predicted) + sum(extra)
        hits = jax.numpy.logical_and(_hits(labels, predicted), counted)
        # where, not a product: the padding's loss may be infinite.
        return sums[0] + jax.numpy.where(counted, losses, 0.0).sum(), sums[1] + hits.sum(dtype="int32")

    def _drain(self) -> tuple[float, int]:
        sums = float(self._sums[0]), int(self._sums[1])
        self._sums = self._zero()
        return sums

    def _variables(self) -> tuple[list[Any], ...]:
        model, draws = self.model, [] if self.augment is None else self.augment.non_trainable_variables
        return model.trainable_variables, model.non_trainable_variables, self.optimizer.variables, draws

    def read_variables(self) -> None:
        # Copies, since a step donates its state and would leave the Keras variables without theirs.
        self._state = tuple([jax.numpy.copy(v.value) for v in part] for part in self._variables())

    def write_variables(self) -> None:
        for part, values in zip(self._variables(), self._state, strict=True):
            for variable, value in zip(part, values, strict=True):
                variable.assign(jax.numpy.copy(value))

    def barrier(self) -> None:
        jax.block_until_ready((self._state, self._sums))


def _hide_gpus() -> None:
    backend = name(DIFFERENTIABLE)
    if backend == "jax":
        jax.config.update("jax_platforms", "cpu")
        return
    if backend == "torch":
        if has_gpu():
            raise DeviceError("torch takes the GPU that it finds: hide it with CUDA_VISIBLE_DEVICES= before the start.")
        return
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError as error:
        raise DeviceError("tensorflow has already started on the GPU: choose the CPU in a fresh process.") from error


def _tf_config() -> Any:
    from tensorflow.python.framework import config  # private: the public interface can't ask or switch off

    return config


def _threads() -> int:
    set_by_user = tf.config.threading.get_intra_op_parallelism_threads() if name() == "tensorflow" else 0
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(set_by_user) or usable


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown CPU"
