"""Where a published data set is looked for: ``DLCV04_DATA``, then Keras's cache."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dlcv04.datasets import DataError, Dataset, Source
from dlcv04.datasets.tree import expanded


@dataclass(frozen=True)
class Found:
    """The file or folder that would be read (None for the stand-in), and a remark that its reader must see."""

    path: Path | None
    remark: str = ""

    def load(self, stand_in: Callable[[], Dataset], read: Callable[[Path, str], Dataset]) -> Dataset:
        """What `read` makes of the path and the remark, or the stand-in, whose provenance then has the remark."""
        if self.path is not None:
            return read(self.path, self.remark)
        dataset = stand_in()
        return replace(dataset, provenance=dataset.provenance + self.remark) if self.remark else dataset

    def where(self, title: str, stand_in: str) -> str:
        """What `load` would give, in one phrase: the stand-in's provenance, or the data set's title and its path."""
        return (stand_in if self.path is None else f"{title} from {self.path}") + self.remark


def keras_cache() -> Path:
    """Keras's folder of downloaded data sets (it need not exist)."""
    return keras_home() / "datasets"


def keras_home() -> Path:
    """Keras's folder; for a user without a home in the folder that one stands in, as Keras itself has it."""
    home = os.environ.get("KERAS_HOME")
    return Path(home) if home else Path(os.path.expanduser("~")) / ".keras"  # noqa: PTH111 - Path's raises


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
        path = _first(expanded(folder), names)
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
