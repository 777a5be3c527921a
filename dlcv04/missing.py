"""What is said where Keras, or the framework that it is set to compute with, is not installed or can't be loaded.

It looks for packages without importing them, so that the sentence is there at once.
"""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Iterator
from pathlib import Path

from dlcv04 import workbench

#: Keras's backends; pip knows their packages by the same names.
TRAIN = ("tensorflow", "jax", "torch")
BACKENDS = (*TRAIN, "numpy", "openvino")
_CHOOSE = "set KERAS_BACKEND to tensorflow, jax or torch"
#: What a failing import names where Keras can't start: `jaxlib` is a package of its own.
PACKAGES = frozenset({"keras", "jaxlib", *BACKENDS} - {"numpy"})


def lack() -> str:
    """Why Keras can't start here, as a sentence that says what to do; "" where all it needs is installed."""
    backend = _backend()
    if not _is_installed("keras"):
        return "Keras is not installed: `pip install keras`."
    if backend not in BACKENDS:
        return f"Keras has no backend {backend!r}: {_CHOOSE}."
    if not _is_installed(backend):
        return f"Keras is set to compute with {backend}, which is not installed: {_cure(backend)}."
    return ""


def untrained() -> str:
    """Why no Keras model can be trained here, as a sentence; "" where one can, as far as is known without importing."""
    backend = _backend()
    if said := lack():
        return said
    return "" if backend in TRAIN else f"Keras's backend {backend!r} trains nothing here: {_CHOOSE}."


def sentence(error: BaseException) -> str:
    """The sentence for an error that comes of what is missing, or of a framework that can't be loaded; else ""."""
    found = next((each for each in _chain(error) if _is_of_framework(each)), None)
    if found is None:
        return ""
    backend, named = _backend(), _named(found)
    if named not in ("keras", "jaxlib", backend, "") and not _is_installed(named):
        return f"{named} is not installed: `pip install {named}`."
    first = (str(found).strip() or type(found).__name__).splitlines()[0].rstrip(".:")
    return lack() or f"Keras can't start on {backend} ({first}): {_cure(backend)}."


def imported_by(error: BaseException) -> Iterator[Path]:
    """The files that were being imported when it was raised, but for this package's and installed ones."""
    for each in _chain(error):
        for frame, _ in traceback.walk_tb(each.__traceback__):
            file = Path(frame.f_code.co_filename)
            if not file.is_relative_to(Path(__file__).parent) and "site-packages" not in file.parts:
                yield file


def _backend() -> str:
    return workbench.planned_key("cpu")["backend"]


def _cure(backend: str) -> str:
    others = [name for name in TRAIN if name != backend and _is_installed(name)]
    other = f"to {' or '.join(others)}, which is here" if others else "to another that is"
    return f"`pip install {backend}`, or set KERAS_BACKEND {other}"


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a module that was put there by hand
        return True
    except ImportError:
        return False


def _named(error: BaseException) -> str:
    """The package that an ImportError is about; JAX's own error about jaxlib names no module. Of others ""."""
    if not isinstance(error, ImportError):
        return ""
    return (error.name or str(error).partition(" ")[0]).partition(".")[0]


def _is_of_framework(error: BaseException) -> bool:
    if isinstance(error, ImportError):
        return _named(error) in PACKAGES
    return isinstance(error, ValueError) and str(error).startswith("Unable to import backend")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and what pytest has wrapped: a conftest's error is its `cause`."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or getattr(seen, "cause", None)
