"""CIFAR-10: ``cifar10.npz`` or what Keras leaves in its cache, where there is one, else the embedded stand-in."""

from pathlib import Path

from dlcv04.datasets import DataError, Dataset, Source, cifar_batches, drawn_things, npz, sources

FILE = "cifar10.npz"
ARCHIVE = "cifar-10-batches-py.tar.gz"
CLASS_NAMES = drawn_things.CLASS_NAMES

# After the npz: folder and archive as Keras 3 names them, then as Keras 2 and `dlcv04 fetch` do.
_NAMES = (FILE, "cifar-10-batches-py-target", "cifar-10-batches-py", "cifar-10-batches-py-target_archive", ARCHIVE)


def load(source: Source = "auto") -> Dataset:
    """Real CIFAR-10 (32x32x3, 10 classes), or its stand-in; see `dlcv04.datasets.load`.

    Raises:
        DataError: the file is broken, or "real" was asked for and there is none.
    """
    return _find(source).load(drawn_things.things, _read)


def where(source: Source = "auto") -> str:
    """What `load` would give, without reading it.

    Raises:
        DataError: "real" was asked for and there is none.
    """
    return _find(source).where("CIFAR-10", drawn_things.PROVENANCE)


def _find(source: Source) -> sources.Found:
    return sources.find(source, "CIFAR-10", "cifar10", _NAMES)


def _read(path: Path, remark: str) -> Dataset:
    try:
        if path.suffix == ".npz":
            arrays = npz.read(path, (32, 32, 3), "cifar10")
        else:
            arrays = cifar_batches.read_folder(path) if path.is_dir() else cifar_batches.read_archive(path)
    except cifar_batches.BatchError as error:
        raise DataError(f"{path} is not CIFAR-10: {error}; delete it and run `dlcv04 fetch cifar10`.") from error
    try:
        return Dataset(
            "cifar10",
            *arrays,
            classes=len(CLASS_NAMES),
            provenance=f"real CIFAR-10, {len(arrays[0]):,} + {len(arrays[2]):,} images, from {path}{remark}",
            kind="real",
            class_names=CLASS_NAMES,
        )
    except DataError as error:
        raise npz.broken(path, str(error), "cifar10") from error
