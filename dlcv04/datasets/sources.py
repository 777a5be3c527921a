"""Where a published data set is looked for: ``DLCV04_DATA``, then Keras's cache."""

import os
from dataclasses import dataclass
from pathlib import Path

from dlcv04.datasets import DataError, Source


@dataclass(frozen=True)
class Found:
    """The file or folder that would be read (None for the stand-in), and a remark that its reader must see."""

    path: Path | None
    remark: str = ""


def keras_cache() -> Path:
    """Keras's folder of downloaded data sets (it need not exist)."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def find(source: Source, title: str, fetch: str, names: tuple[str, ...]) -> Found:
    """The first of `names` that is there, in ``DLCV04_DATA`` and else in Keras's cache.

    Args:
        source: see `dlcv04.datasets.load`.
        title: the data set's name in sentences.
        fetch: its name for ``dlcv04 fetch``.
        names: files or folders it may be kept in; the first one is named in messages.

    Raises:
        DataError: "real" was asked for and there is none.
    """
    if source == "embedded":
        return Found(None)
    remark, first = "", names[0]
    folder = os.environ.get("DLCV04_DATA")
    if folder:
        path = _first(Path(folder).expanduser(), names)
        if path is not None:
            return Found(path)
        if source == "real":
            raise DataError(
                f"DLCV04_DATA is set to {folder}, which holds no {first}: put the file there, run `dlcv04 fetch "
                f"{fetch}`, or unset DLCV04_DATA."
            )
        remark = f" (DLCV04_DATA is set to {folder}, which holds no {first})"
    cached = _first(keras_cache(), names)
    if cached is None and source == "real":
        raise DataError(
            f"There is no real {title} at {keras_cache()}: run `dlcv04 fetch {fetch}`, or set DLCV04_DATA to a folder "
            f"with {first}."
        )
    return Found(cached, remark)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).exists()), None)
