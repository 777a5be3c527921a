"""What a backend must give: the abstract classes, and what their steps share."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from dlcv04.lazy import LazyModule

# Read once, when TensorFlow or JAX starts; what the user has set wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
# JAX would take three quarters of a card: two processes (`--dl-against`) must fit one.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

if TYPE_CHECKING:
    import keras as keras
else:
    keras = LazyModule("keras")

Device = Literal["auto", "cpu", "gpu"]
Loss = Callable[[Any, Any], Any]
Predict = Callable[[npt.NDArray[Any]], dict[str, Any]]
Objective = Callable[..., Any]
GradientStep = Callable[..., tuple[Any, Any]]
Augment = Any  # a keras.Model or None; Keras itself is not imported yet

#: Training steps that a card takes in one call: from Python each call takes longer than the work of a small step.
MANY = 16


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
        jit: whether XLA compiles the steps that are made just now (resolved, never "auto").
        deterministic: whether equal seeds give bit-equal curves just now.
        threads: threads that one operation may use on the CPU.
        tf32: whether a card may round factors of float32 to TF32.
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
    tf32: bool


class Totals(NamedTuple):
    """Sums over the pictures since the last reading: loss, right answers, and how many pictures."""

    loss: float
    correct: int
    images: int


class Backend(ABC):
    """A framework that computes a model's outputs and their gradients."""

    name: ClassVar[str]

    @abstractmethod
    def version(self) -> str:
        """Its version."""

    @abstractmethod
    def has_gpu(self) -> bool:
        """Whether it computes on a GPU."""

    def settle(self) -> None:  # noqa: B027 - nothing to do for one that takes no more than it uses
        """Take one card, and of its memory what is used; nothing where the framework has started already."""

    @abstractmethod
    def hide_gpus(self) -> None:
        """Compute on the CPU from now on.

        Raises:
            DeviceError: it has already settled on a GPU.
        """

    def compiles(self) -> bool:
        """Whether its steps are compiled: on a GPU only, unless it says otherwise."""
        return self.has_gpu()

    @abstractmethod
    def to_numpy(self, tensor: Any) -> npt.NDArray[Any]:
        """A copy of a tensor, which later steps leave alone."""

    @abstractmethod
    def gradient(self, model: keras.Model, objective: Objective) -> GradientStep:
        """The step of `backends.value_and_gradient`."""


class TrainingBackend(Backend):
    """A framework that trains too."""

    @abstractmethod
    def gpu_name(self) -> str:
        """The model of the GPU in use."""

    @abstractmethod
    def gpu_peak_bytes(self) -> int:
        """The most memory of the GPU in use so far."""

    @abstractmethod
    def barrier(self) -> None:
        """Wait until everything that was sent to the devices is done."""

    @abstractmethod
    def is_deterministic(self) -> bool:
        """Whether equal seeds give bit-equal results now."""

    @abstractmethod
    def deterministic(self) -> contextlib.AbstractContextManager[None]:
        """Equal seeds give bit-equal curves inside (on a CPU)."""

    def rounds_to_tf32(self) -> bool:
        """Whether a card may round factors of float32 to TF32: its libraries' default, unless the backend says else."""
        return True

    def threads(self) -> int:
        """Threads that one operation may use on the CPU."""
        return usable_cores()

    @abstractmethod
    def steps(
        self, model: keras.Model, optimizer: keras.optimizers.Optimizer, loss: Loss, augment: Augment = None
    ) -> Steps:
        """The compiled steps of a model."""

    @abstractmethod
    def predict_step(self, model: keras.Model, shape: tuple[int, ...], dtype: Any) -> Predict:
        """A model's outputs in inference mode for one batch of this shape and type."""


class Steps(ABC):
    """The compiled training and evaluation steps of one model, its optimiser and the totals on the device.

    The model and the optimiser must be built. Arrays and index batches come from `put`; equal shapes compile once.
    Training passes its pictures through the model `augment` first, where there is one. On a card, `on_card`, `train_on`
    takes `MANY` steps in one call; on a CPU each its own, since XLA's convolutions in a loop are much slower there
    (measured six times; jax#12868).
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss,
        augment: Augment = None,
        *,
        on_card: bool,
    ) -> None:
        self.model, self.optimizer, self.loss, self.augment = model, optimizer, loss, augment
        self._on_card = on_card
        self._images = 0

    @abstractmethod
    def put(self, array: npt.NDArray[Any]) -> Any:
        """The array on the device."""

    def put_batches(self, indices: npt.NDArray[np.int32]) -> list[Any]:
        """Rows of indices (batches, batch size), each on the device."""
        return [self.put(row) for row in indices]

    def put_order(self, indices: npt.NDArray[np.int32]) -> Any:
        """The rows of indices (batches, batch size) that `train_on` goes through, on the device."""
        return self.put(indices) if self._on_card else self.put_batches(indices)

    def compile(self, x: Any, y: Any, order: Any) -> None:
        """Train a few steps, so that `train_on` with this data compiles nothing more, whatever its `count`."""
        self.train_on(x, y, order, 0, 1 + MANY if self._on_card else 1)

    def train(self, x: Any, y: Any, batch: Any) -> None:
        """One training step on the pictures that `batch` names; returns before it is done."""
        self._images += int(batch.shape[0])
        self._train(x, y, batch)

    def train_on(self, x: Any, y: Any, order: Any, first: int, count: int) -> None:
        """`count` training steps over the rows of `order` from the one numbered `first`, round and round.

        Returns before they are done.
        """
        if not self._on_card:
            for number in range(first, first + count):
                self.train(x, y, order[number % len(order)])
            return
        self._images += count * int(order.shape[1])
        while count:
            # Two lengths: one that is known when it is compiled makes the faster loop, and each compiles anew.
            length = MANY if count >= MANY else 1
            self._train_many(x, y, order, first, length)
            first, count = first + length, count - length

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
    def _train_many(self, x: Any, y: Any, order: Any, first: int, length: int) -> None: ...

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


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def scaled(x: Any) -> Any:
    """Pixels 0..255 as floats in [0, 1]; floats as they are."""
    floats = keras.ops.cast(x, keras.config.floatx())
    return floats / 255 if keras.backend.standardize_dtype(x.dtype) == "uint8" else floats


def hits(y: Any, predicted: Any) -> Any:
    """Whether the largest output is that of the label, picture by picture."""
    labels = keras.backend.standardize_dtype(y.dtype)
    return keras.ops.equal(keras.ops.cast(keras.ops.argmax(predicted, axis=-1), labels), y)
