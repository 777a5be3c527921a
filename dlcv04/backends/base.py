"""What a backend must give: the abstract classes, and what their steps share."""

from __future__ import annotations

import contextlib
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from dlcv04.lazy import LazyModule

# Read once, when the framework starts; what the user has set wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
# JAX would take three quarters of a card: two processes (`--dl-against`) must fit one.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# PyTorch's threads would spin while they wait for each other: beside busy neighbours a step of Task 1's base net took
# 1.1 to 1.9 s on two threads that do, 0.26 to 0.30 s on two that sleep, 0.29 to 0.37 s on one (torch 2.13, 12 rounds).
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if TYPE_CHECKING:
    import keras as keras
else:
    keras = LazyModule("keras")

Device = Literal["auto", "cpu", "gpu"]
Tracing = Callable[[], contextlib.AbstractContextManager[Any]]
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
        backend: tensorflow, jax or torch.
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


class Backend(ABC):
    """A framework that trains models, and computes their outputs and gradients."""

    name: ClassVar[str]

    #: Where the channels of this package's own networks lie while they train.
    trains_in: ClassVar[str] = "channels_last"

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
    def barrier(self) -> None:
        """Wait until everything that was sent to the devices is done."""

    @abstractmethod
    def to_numpy(self, tensor: Any) -> npt.NDArray[Any]:
        """A copy of a tensor, which later steps leave alone."""

    @abstractmethod
    def gradient(self, model: keras.Model, objective: Objective) -> GradientStep:
        """The step of `backends.value_and_gradient`."""

    @abstractmethod
    def gpu_name(self) -> str:
        """The model of the GPU in use."""

    @abstractmethod
    def gpu_peak_bytes(self) -> int:
        """The most memory of the GPU in use so far."""

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
    def steps(self, model: keras.Model, example: Any, augment: Augment, tracing: Tracing) -> Steps:
        """The steps of a model that `compile` was called on."""

    @abstractmethod
    def predict_step(self, model: keras.Model, shape: tuple[int, ...], dtype: Any) -> Predict:
        """A model's outputs in inference mode for one batch of this shape and type."""


class Steps(ABC):
    """A model's own `train_step` and `test_step`, compiled, over data and metrics that stay on the device.

    The model was built, and `compile` was called on it. Data is (x, y) or (x, y, sample weights), each an array or a
    tree of arrays; `example` are arrays like those of one batch. What `put` gives is on the device; equal shapes
    compile once. Training passes its inputs through the model `augment` first, where there is one. `tracing` is entered
    while the steps are traced, or run where nothing is compiled. `train_on` takes `MANY` steps in one call where they
    go `in_one_call`: on a card. On a CPU each is its own, since XLA's convolutions in a loop are much slower there
    (measured six times; jax#12868).
    """

    #: What Keras hands to a model's `train_step` and `test_step` on this backend.
    GIVEN: ClassVar[tuple[str, ...]] = ("data",)

    def __init__(
        self, model: keras.Model, example: Any, augment: Augment, tracing: Tracing, *, in_one_call: bool
    ) -> None:
        for step in (model.train_step, model.test_step):
            self._refuse_other_arguments(step)
        # Private, as `fit` does it: makes the variables of metrics, which a compiled step can't.
        model._symbolic_build(data_batch=keras.tree.map_structure(_as_floats, example))
        self.model, self.augment = model, augment
        self._tracing, self._in_one_call = tracing, in_one_call
        self._logged: set[str] = set()

    def _refuse_other_arguments(self, step: Callable[..., Any]) -> None:
        try:
            inspect.signature(step).bind(*self.GIVEN)
        except TypeError as error:
            raise BackendError(
                f"{step.__qualname__} can't be called on {keras.config.backend()} ({error}): there Keras hands it "
                f"({', '.join(self.GIVEN)}), which is what it must take, as keras.Model.{step.__name__} does."
            ) from error

    @abstractmethod
    def put(self, array: npt.NDArray[Any]) -> Any:
        """The array on the device."""

    def put_order(self, indices: npt.NDArray[np.int32]) -> Any:
        """The rows of indices (batches, batch size) that `train_on` goes through, on the device."""
        return self.put(indices) if self._in_one_call else [self.put(row) for row in indices]

    def compile(self, data: Any, order: Any) -> None:
        """Train a few steps, so that `train_on` with this data compiles nothing more, whatever its `count`."""
        self.train_on(data, order, 0, 1 + MANY if self._in_one_call else 1)

    @abstractmethod
    def train(self, data: Any, batch: Any) -> None:
        """One training step on the rows that `batch` names; returns before it is done."""

    def train_on(self, data: Any, order: Any, first: int, count: int) -> None:
        """`count` training steps over the rows of `order` from the one numbered `first`, round and round.

        Returns before they are done.
        """
        if not self._in_one_call:
            for number in range(first, first + count):
                self.train(data, order[number % len(order)])
            return
        while count:
            # Two lengths: one that is known when it is compiled makes the faster loop, and each compiles anew.
            length = MANY if count >= MANY else 1
            self._train_many(data, order, first, length)
            first, count = first + length, count - length

    @abstractmethod
    def evaluate(self, data: Any, batch: Any) -> None:
        """The metrics of the rows that `batch` names, in inference mode; changes no weight."""

    def figures(self) -> dict[str, float]:
        """The model's metrics over the steps since the last call, by name; waits for them. One never fed is left out.

        Raises:
            BackendError: `test_step` gives values that no metric of the model gathers.
        """
        self._bring_metrics()
        found: dict[str, float] = {}
        for metric in self.model.metrics:
            result = metric.result()
            found |= result if isinstance(result, dict) else {metric.name: result}
        lost = self._logged - set(found)
        if lost:
            raise BackendError(
                f"The test_step of {self.model.name} gives {', '.join(sorted(lost))}, which no metric of the model "
                "gathers over the batches: update a keras.metrics.Metric there and list it in the model's metrics."
            )
        exact = [each for metric in self.model.metrics for each in getattr(metric, "metrics", [metric])]
        found = {name: float(value) for name, value in found.items()}
        for metric in exact:
            if type(metric).result is keras.metrics.Mean.result:
                total, count = float(metric.total), float(metric.count)
                # A mean of float32 would be rounded; one of nothing is 0 for Keras.
                if count:
                    found[metric.name] = total / count
                else:
                    found.pop(metric.name, None)
        self.model.reset_metrics()
        self._take_metrics()
        return found

    def _train_many(self, data: Any, order: Any, first: int, length: int) -> None:
        raise NotImplementedError  # only where steps go in one call

    def _bring_metrics(self) -> None:  # noqa: B027 - nothing to do where the steps work on the Keras variables
        """Bring the variables of the metrics up to the state of the steps."""

    def _take_metrics(self) -> None:  # noqa: B027 - nothing to do where the steps work on the Keras variables
        """Take the state of the metrics from their variables."""

    def read_variables(self) -> None:  # noqa: B027 - as for the metrics
        """Take the state from the Keras variables, after these were assigned."""

    def write_variables(self) -> None:  # noqa: B027 - as for the metrics
        """Bring the Keras variables up to the state of the steps."""

    @abstractmethod
    def barrier(self) -> None:
        """Wait until every step so far is done."""


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def scaled(x: Any) -> Any:
    """Pixels 0..255 as floats in [0, 1]; other arrays of a tree as they are."""

    def each(array: Any) -> Any:
        if keras.backend.standardize_dtype(array.dtype) != "uint8":
            return array
        return keras.ops.cast(array, keras.config.floatx()) / 255

    return keras.tree.map_structure(each, x)


def _as_floats(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.astype(keras.config.floatx()) if array.dtype == np.uint8 else array
