"""The only room with code per backend, seen from here: device, barrier, determinism, memory, and the compiled steps.

Each backend is a class in a file of its own (`tensorflow`, `jax`, `torch`), imported only when Keras runs on it.
The data set lies on the device: pictures as uint8, other features as they are. A step gathers its batch there by
indices, brings pictures to [0, 1], changes them anew where the recipe says so, and hands them to the model's own
`train_step`, whose metrics stay on the device; nothing is waited for until `Steps.figures` or `Steps.barrier`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import resource
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dlcv04.backends import calibrator as calibrators
from dlcv04.backends.base import (
    Augment,
    Backend,
    BackendError,
    BackendFacts,
    Device,
    DeviceError,
    GradientStep,
    Objective,
    Steps,
    Tracing,
    keras,
    scaled,
)
from dlcv04.backends.calibrator import Calibrator
from dlcv04.backends.predicting import Predictor

__all__ = [
    "BackendError",
    "BackendFacts",
    "Calibrator",
    "Device",
    "DeviceError",
    "Predictor",
    "SUPPORTED",
    "Steps",
    "Tracing",
    "apply",
    "barrier",
    "barrier_of",
    "calibrator",
    "deterministic",
    "device_name",
    "facts",
    "has_gpu",
    "is_deterministic",
    "keras",
    "make_steps",
    "name",
    "one_thread_environment",
    "peak_memory_bytes",
    "peak_memory_from_here",
    "predict",
    "predictor",
    "resolved_jit",
    "scaled",
    "select_device",
    "settings",
    "settle",
    "to_numpy",
    "trains_in",
    "value_and_gradient",
    "versions",
]

#: Keras's backends that train here.
SUPPORTED = ("tensorflow", "jax", "torch")


def name() -> str:
    """Keras's backend, one of `SUPPORTED`.

    Raises:
        BackendError: it is another.
    """
    backend = str(keras.config.backend())
    if backend not in SUPPORTED:
        raise BackendError(
            f"Keras's backend {backend!r} trains nothing here: set KERAS_BACKEND to {', '.join(SUPPORTED[:-1])} "
            f"or {SUPPORTED[-1]}."
        )
    return backend


def _backend() -> Backend:
    return _made(name())


@cache
def _made(backend: str) -> Backend:
    made = _class(backend)()
    made.settle()
    return made


def _class(backend: str) -> type[Backend]:
    if backend == "tensorflow":
        from dlcv04.backends.tensorflow import TensorFlow

        return TensorFlow
    if backend == "jax":
        from dlcv04.backends.jax import Jax

        return Jax
    from dlcv04.backends.torch import Torch

    return Torch


def facts() -> BackendFacts:
    """The backend, its versions and its settings as they are now.

    Raises:
        BackendError: unsupported backend.
    """
    backend = _backend()
    return BackendFacts(
        backend=backend.name,
        backend_version=backend.version(),
        keras_version=str(keras.__version__),
        device="gpu" if backend.has_gpu() else "cpu",
        device_name=device_name(),
        dtype_policy=str(keras.config.dtype_policy().name),
        image_data_format=str(keras.config.image_data_format()),
        jit=backend.compiles(),
        deterministic=backend.is_deterministic(),
        threads=backend.threads(),
        tf32=backend.rounds_to_tf32(),
    )


def settings() -> tuple[Any, ...]:
    """What Keras is set to and networks are built by, for `apply` in another process."""
    config = keras.config
    return config.floatx(), config.epsilon(), config.image_data_format(), config.dtype_policy().name


def apply(settings: tuple[Any, ...]) -> None:
    """Set Keras to the `settings` of another process."""
    config = keras.config
    setters = config.set_floatx, config.set_epsilon, config.set_image_data_format, config.set_dtype_policy
    for setter, value in zip(setters, settings, strict=True):
        setter(value)


def one_thread_environment() -> dict[str, str]:
    """Environment variables of a process in which every backend computes with one thread on the CPU."""
    libraries = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "TF_NUM_INTEROP", "TF_NUM_INTRAOP")
    xla = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    return {**{f"{name}_THREADS": "1" for name in libraries}, "NPROC": "1", "PJRT_NPROC": "1", "XLA_FLAGS": xla.strip()}


def versions() -> dict[str, str]:
    """Keras's version and its backend's, by name, where no training is asked for."""
    backend = _backend()
    return {"keras": str(keras.__version__), backend.name: backend.version()}


def has_gpu() -> bool:
    """Whether the steps run on a GPU."""
    return _backend().has_gpu()


def device_name() -> str:
    """The model of the GPU in use, else of the CPU."""
    return _backend().gpu_name() if has_gpu() else _cpu_name()


def resolved_jit() -> bool:
    """Whether the steps are compiled by XLA: on JAX always, on TensorFlow on a GPU only, on PyTorch never.

    On TensorFlow not where operations are `deterministic`.
    """
    return _backend().compiles()


def trains_in() -> str:
    """Where the channels of this package's own networks lie while they train: channels_last or channels_first."""
    return _backend().trains_in


def settle() -> None:
    """Let the framework take one card, and of its memory what is used, before a first variable starts it.

    Raises:
        BackendError: unsupported backend.
    """
    _backend()  # when it is made


def select_device(device: Device = "auto") -> str:
    """Settle on a device before anything runs; gives "cpu" or "gpu".

    Raises:
        DeviceError: "gpu" without a GPU, or "cpu" after the framework has started on a GPU.
        BackendError: unsupported backend.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise DeviceError(f"There is no device {device!r}; choose auto, cpu or gpu.")
    used = _backend()
    if device == "cpu":
        used.hide_gpus()
    found = "gpu" if used.has_gpu() else "cpu"
    if device == "gpu" and found == "cpu":
        raise DeviceError(
            f"{used.name} finds no GPU on this machine: install its GPU build and a driver, or use the CPU."
        )
    if device == "cpu" and found == "gpu":
        raise DeviceError(f"{used.name} has already started on the GPU: choose the CPU in a fresh process.")
    return found


def barrier() -> None:
    """Wait until everything that was sent to the devices is done."""
    _backend().barrier()


def barrier_of(framework: str) -> Callable[[], None]:
    """What waits until everything that was sent to a framework's devices is done, whatever Keras computes with.

    Args:
        framework: one of `SUPPORTED`; it is imported here.

    Raises:
        BackendError: it is not installed, or can't be loaded.
    """
    try:
        importlib.import_module(framework)
    except ImportError as error:
        raise BackendError(f"barrier={framework!r} needs {framework}: {error}. `pip install {framework}`.") from error
    return _class(framework)().barrier


def is_deterministic() -> bool:
    """Whether equal seeds give bit-equal results now: promised on a CPU, on a GPU only where it was switched on."""
    return _backend().is_deterministic()


def deterministic() -> AbstractContextManager[None]:
    """Equal seeds give bit-equal curves inside (on a CPU). Slower on some devices, so timings are taken outside."""
    return _backend().deterministic()


def peak_memory_bytes() -> int:
    """The most memory in use so far: of the GPU where there is one, else of this process.

    It never falls within a process (on Linux, by more than the kernel's rounding of a few hundred KiB).
    """
    if has_gpu():
        return _backend().gpu_peak_bytes()
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage's figure survives exec, so a child would report its parent's peak.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_memory_from_here() -> int:
    """What `peak_memory_bytes` gives now, for a difference; the peak so far is forgotten where Linux lets it."""
    keras.ops.zeros((1,))  # the framework has started
    if not has_gpu():
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM to the memory in use
    return peak_memory_bytes()


def calibrator() -> Calibrator | None:
    """The calibrator of this device; None on a GPU, where times are absolute: a card is one's own."""
    return None if has_gpu() else calibrators.of_cpu()


def to_numpy(variable: Any) -> npt.NDArray[Any]:
    """A copy of a Keras variable or tensor, which later steps leave alone."""
    return _backend().to_numpy(keras.ops.convert_to_tensor(variable))


def make_steps(
    model: keras.Model, example: Any, augment: Augment = None, tracing: Tracing = contextlib.nullcontext
) -> Steps:
    """The steps of a model that `compile` was called on, for the backend in use.

    Args:
        model: built and compiled.
        example: arrays like those of one batch, (inputs, labels) or (inputs, labels, sample weights).
        augment: changes the inputs anew in training.
        tracing: is entered while the steps are traced.

    Raises:
        BackendError: unsupported backend.
    """
    return _backend().steps(model, example, augment, tracing)


def predictor(model: keras.Model, shape: tuple[int, ...], dtype: Any, batch_size: int) -> Predictor:
    """A model's outputs as by `predict`, compiled once for any number of rows of this shape and type.

    Raises:
        BackendError: unsupported backend.
    """
    return Predictor(_backend(), model, shape, dtype, batch_size)


def predict(
    model: keras.Model,
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
    return predictor(model, x.shape[1:], x.dtype, min(batch_size, len(x)))(x, on_batch)


def value_and_gradient(model: keras.Model, objective: Objective) -> GradientStep:
    """An objective's values and the gradient of their sum with respect to the model's input.

    The model runs in inference mode, so that each picture of a batch has its
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
    return _backend().gradient(model, objective)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown CPU"
