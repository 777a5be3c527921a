"""Stored runs as one table: a row a figure, for questions that no report answers.

`load_runs(folder)` reads everything below a folder, saved runs (`.benchmarks/`) and accepted ones (`baselines/`) alike.
A figure is a number that was measured of an arm. What was concluded from it (assertions, comparisons, verdicts), the
table of a network's layers and the answers picture by picture are no figures: they stay in the run, see
`dlcv04.harness.store.schema.Run`.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dlcv04.harness.store import manifest
from dlcv04.harness.store.folders import SELFTEST
from dlcv04.harness.store.reading import RunFileError, read_stored
from dlcv04.harness.store.schema import Arm, EpochRow, PairRounds, Run
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    np = LazyModule("numpy")
    pd = LazyModule("pandas")


#: Every column with its dtype, in order. A new column goes to the end; no other is renamed, moved or retyped.
COLUMNS = {
    "run": "category",
    "started": "datetime64[us, UTC]",
    "commit": "category",
    "dirty": "bool",
    "machine_class": "category",
    "device": "category",
    "profile": "category",
    "backend": "category",
    "dtype_policy": "category",
    "jit": "category",
    "accepted": "bool",
    "part": "category",
    "reason": "category",
    "data": "category",
    "data_kind": "category",
    "data_fingerprint": "category",
    "test": "category",
    "arm": "category",
    "control": "bool",
    "figure": "category",
    "status": "category",
    "seed": "Int64",
    "epoch": "Int32",
    "round": "Int32",
    "pair": "Int32",
    "metric": "category",
    "value": "float64",
    "unit": "category",
    "file": "category",
    "process": "Int32",
}


_INDICES = ("seed", "epoch", "round", "pair", "process")


_LABELS = tuple(name for name in COLUMNS if name not in {*_INDICES, "value"})


#: Stands for "no such index" until the columns are masked.
_ABSENT = -(2**63)


EPOCH_UNITS = {
    "train_seconds": "s",
    "train_loss": "",
    "train_accuracy": "fraction",
    "val_loss": "",
    "val_accuracy": "fraction",
}


EXACT_UNITS = {
    "parameters": "parameters",
    "macs": "MACs a sample",
    "weight_bytes": "bytes",
    "optimizer_bytes": "bytes",
    "activation_bytes": "bytes a sample",
}


CLOCK_UNITS = {
    "cpu mhz": "MHz",
    "cpu steal": "fraction",
    "gpu sm mhz": "MHz",
    "gpu max sm mhz": "MHz",
    "gpu memory mhz": "MHz",
    "gpu celsius": "°C",
    "gpu watts": "W",
    "gpu used mib": "MiB",
    "gpu throttle": "bits",
}


class UnreadableRunWarning(UserWarning):
    """Files that hold no readable run: the message names each one and says why."""


class _Samples(NamedTuple):
    """Some figures of one arm that share everything but their index."""

    test: str
    arm: str
    data: str
    figure: str
    metric: str
    unit: str
    values: Sequence[float | None]
    at: Mapping[str, Sequence[int]]
    status: str = "ok"


def load_runs(folder: Path | str) -> pd.DataFrame:
    """Every figure of every run stored below a folder, one a row.

    A figure that several files hold (a saved run that was accepted, in one or both parts) appears once, from the
    accepted file. Text that a run lacks is "", an index that a figure lacks is `<NA>`, and a figure that does not exist
    (the loss of a diverged epoch) is NaN with its `status`. Rows are in the order of the files' names, and within a
    file as they were measured.

    The columns, always all of them and in this order:

    - `run` (its id), `started` (UTC), `commit`, `dirty`: which run, of what code.
    - `machine_class`, `device`, `profile`, `backend`, `dtype_policy`, `jit`: where and how it ran.
    - `accepted`, `part` ("timing" or "portable"), `reason`: whether the figure is a baseline, and why.
    - `data`, `data_kind` ("real", "embedded", "own"), `data_fingerprint`: what the arm worked on.
    - `test`, `arm`, `control`: whose figure it is; `control` marks a claim's control, which is false by construction.
    - `figure`: "time" (a clock's), "learning" (a curve's), "exact" (a count), "value" (what an arm computed, by unit in
      `round`) or "pair" (of `--dl-against`, or of a test that looked slower than the stored ones).
    - `status`: "ok", "diverged" or "died" (with the process that trained it). A seed that diverged in its first epoch,
      or died, has one row a metric, without an epoch.
    - `seed`, `epoch` (from 1), `round` (from 0), `pair` (of processes, from 0): the figure's index.
    - `metric`, `value`, `unit`: such as `epoch_seconds`, 12.5, "s".
    - `file`: below the folder.
    - `process`: 0 for a time of the run's own process; 1 and 2 are the fresh processes in which a run that looked
      slower than the stored ones timed the test again.

    Metrics of time: `round_seconds` (raw), `epoch_seconds` (the same for a whole epoch), `images_per_second` (median),
    `calibrator_seconds`, `compile_seconds`, "peak memory" (bytes, by process, where it was measured), `contention` (a
    share), and the clocks' worst readings just after rounds (`cpu_mhz`, `cpu_steal`, `gpu_sm_mhz`, `gpu_max_sm_mhz`,
    `gpu_memory_mhz`, `gpu_celsius`, `gpu_watts`, `gpu_throttle`). Of learning: `train_seconds`, `train_loss`,
    `train_accuracy`, `val_loss`, `val_accuracy`, `val_loss_half_1` and `_2` where a test asked for them, and what else
    a training gave by epoch, by its own name (`val_mae`). Exact: `parameters`, `macs`, `weight_bytes`,
    `optimizer_bytes`, `activation_bytes`. Of pairs: `old_seconds` and `new_seconds` a round.

    Args:
        folder: such as `baselines` or `.benchmarks`; searched in depth for `*.json`. Self-tests (in folders named
            `selftest`) and a store's manifest hold no run and are passed over.

    Returns:
        A DataFrame with a row a figure; without any row where no run is stored.

    Raises:
        RunFileError: there is no such folder.

    Warns:
        UnreadableRunWarning: files that are cut, were edited by hand after their acceptance, or hold no run; all
            others are loaded.

    Examples:
        >>> figures = load_runs("baselines")
        >>> times = figures[figures.metric == "epoch_seconds"]
        >>> where = ["machine_class", "backend", "data_kind", "data", "test", "arm"]
        >>> medians = times.groupby(where, observed=True).value.median()
    """
    root = Path(folder)
    if not root.is_dir():
        raise RunFileError(f"There is no folder {root}: give one that holds runs, such as baselines or .benchmarks.")
    return _table(_once(_read_all(root)))


def _read_all(root: Path) -> list[tuple[str, Run]]:
    """Every readable run with its file's name, accepted ones first; the others are named in one warning."""
    runs: list[tuple[str, Run]] = []
    unread: list[str] = []
    for path in sorted(root.rglob("*.json")):
        if path.parent.name == SELFTEST or path.name == manifest.NAME:
            continue
        try:
            runs.append((path.relative_to(root).as_posix(), _read(path)))
        except RunFileError as error:
            unread.append(str(error))
    if unread:
        found = "1 file below" if len(unread) == 1 else f"{len(unread)} files below"
        message = "\n".join([f"{found} {root} could not be read and is left out:", *unread])
        warnings.warn(message, UnreadableRunWarning, stacklevel=3)
    return sorted(runs, key=lambda item: item[1].acceptance is None)


def _read(path: Path) -> Run:
    run = read_stored(path)
    for arm in (*run.arms, *run.repeats):
        if len(arm.round_index) != len(arm.round_seconds):
            rounds = f"{len(arm.round_seconds)} rounds and {len(arm.round_index)} indices"
            raise RunFileError(f"{path} was edited by hand, {arm.fullname} has {rounds}: restore it or delete it.")
    return run


def _once(runs: list[tuple[str, Run]]) -> Iterator[tuple[tuple[Any, ...], _Samples]]:
    """Every series with its labels, once: what a run's first file has of it is left out of its other files."""
    homes: dict[tuple[str, ...], str] = {}
    for file, run in runs:
        labels = _RunLabels(file, run)
        for series in _series(run):
            name = (run.id, run.environment.machine_class, series.test, series.arm, series.figure, series.metric)
            if homes.setdefault(name, file) == file:
                yield labels.of(series), series


def _series(run: Run) -> Iterator[_Samples]:
    """All figures of a run."""
    clocks = run.acceptance is None or run.acceptance.part == "timing"
    for arm in run.arms:
        yield from _exact(arm)
        yield from _times(arm, 0)
        yield from _curves(arm, clocks)
        yield from _own(arm)
        if arm.values:
            yield _Samples(*_of(arm), "value", "value", "", arm.values, {"round": range(len(arm.values))})
    timed_before: Counter[str] = Counter()
    for arm in run.repeats:
        timed_before[arm.fullname] += 1
        yield from _times(arm, timed_before[arm.fullname])
    for against in (run.against, *(recheck.against for recheck in run.rechecks)):
        for rounds in against.pairs if against else []:
            yield from _pair(rounds)


def _exact(arm: Arm) -> Iterator[_Samples]:
    for metric, unit in EXACT_UNITS.items():
        if (value := getattr(arm, metric)) is not None:
            yield _Samples(*_of(arm), "exact", metric, unit, [value], {})


def _times(arm: Arm, process: int) -> Iterator[_Samples]:
    if not arm.round_seconds:
        return

    def series(metric: str, unit: str, values: Sequence[float], rounds: Sequence[int] = ()) -> _Samples:
        index = {"round": rounds, "process": [process] * len(values)}
        return _Samples(*_of(arm), "time", metric, unit, values, index)

    yield series("round_seconds", "s", arm.round_seconds, arm.round_index)
    if arm.images_per_round:
        yield series("epoch_seconds", "s", arm.epoch_seconds, arm.round_index)
    yield series("calibrator_seconds", "s", arm.calibrator_seconds, range(len(arm.calibrator_seconds)))
    if arm.images_per_second is not None:
        yield series("images_per_second", "1/s", [arm.images_per_second])
    if arm.compile_seconds is not None:
        yield series("compile_seconds", "s", [arm.compile_seconds])
    yield series("contention", "fraction", [arm.contention])
    for name, unit in CLOCK_UNITS.items():
        if name in arm.clocks:
            yield series(name.replace(" ", "_"), unit, [arm.clocks[name]])


def _curves(arm: Arm, clocks: bool) -> Iterator[_Samples]:
    """Metric by metric, seed by seed; a portable baseline's `train_seconds` were taken out, they are no zeros."""
    rows = {curve.seed: [_figures(epoch) for epoch in curve.epochs] for curve in arm.curves}
    further = dict.fromkeys(name for epochs in rows.values() for row in epochs for name in row)
    for metric in (*EPOCH_UNITS, *(name for name in further if name not in EPOCH_UNITS)):
        if metric == "train_seconds" and not clocks:
            continue
        for curve in arm.curves:
            found = [(number, row[metric]) for number, row in enumerate(rows[curve.seed], 1) if metric in row]
            index = {"seed": [curve.seed] * len(found), "epoch": [number for number, _ in found]}
            values = [value for _, value in found]
            if not curve.epochs and curve.status != "ok" and metric in EPOCH_UNITS:
                index, values = {"seed": [curve.seed]}, [None]
            yield _Samples(*_of(arm), "learning", metric, EPOCH_UNITS.get(metric, ""), values, index, curve.status)


def _figures(epoch: EpochRow) -> dict[str, float | None]:
    """All of one epoch by name."""
    own = {name: getattr(epoch, name) for name in EPOCH_UNITS}
    halves = {f"val_loss_half_{half}": loss for half, loss in enumerate(epoch.val_loss_halves, 1)}
    return {**epoch.metrics, **halves, **own}


def _own(arm: Arm) -> Iterator[_Samples]:
    """A test's own metrics, by seed, and what else was stored as a figure, by round."""
    for figure in arm.figures:
        index = figure.index or range(len(figure.values))
        place = {"seed": index} if figure.kind == "learning" else {"round": index}
        kind = {"times": "time"}.get(figure.kind, figure.kind)
        yield _Samples(*_of(arm), kind, figure.name, figure.unit, figure.values, place)


def _pair(rounds: PairRounds) -> Iterator[_Samples]:
    for side in ("old_seconds", "new_seconds"):
        values = getattr(rounds, side)
        index = {"pair": [rounds.pair] * len(values), "round": range(len(values))}
        yield _Samples(rounds.test, rounds.arm, "", "pair", side, "s", values, index)


def _of(arm: Arm) -> tuple[str, str, str]:
    return arm.test, arm.name, arm.key.get("data", "")


def _table(found: Iterator[tuple[tuple[Any, ...], _Samples]]) -> pd.DataFrame:
    """Labels once a series, then repeated as often as it has figures: a string a row would cost seconds and memory."""
    labels: list[tuple[Any, ...]] = []
    lengths: list[int] = []
    values: list[float | None] = []
    indices: dict[str, list[int]] = {name: [] for name in _INDICES}
    for shared, series in found:
        labels.append(shared)
        lengths.append(len(series.values))
        values.extend(series.values)
        for name, column in indices.items():
            column.extend(series.at.get(name) or repeat(_ABSENT, len(series.values)))
    table = _typed(pd.DataFrame(labels, columns=list(_LABELS)))
    table = table.take(np.repeat(np.arange(len(lengths)), lengths)).reset_index(drop=True)
    for name, column in indices.items():
        table[name] = pd.Series(_masked(column), dtype=COLUMNS[name])
    table["value"] = np.array(values, dtype=np.float64)
    return table[list(COLUMNS)]


class _RunLabels:
    """What the figures of one stored run share, looked up once; `of` gives a series' labels in `_LABELS`' order."""

    def __init__(self, file: str, run: Run) -> None:
        accepted = run.acceptance
        self._file = file
        self._data = {record.fingerprint: (record.name, record.kind) for record in run.data}
        self._controls = {claim.test for claim in run.claims if claim.is_control}
        self._run = (
            run.id,
            run.started,
            run.commit.id,
            run.commit.dirty,
            run.environment.machine_class,
            run.device,
            run.profile,
            *(run.key.get(name, "") for name in ("backend", "dtype_policy", "jit")),
            accepted is not None,
            accepted.part if accepted else "",
            accepted.reason if accepted else "",
        )

    def of(self, series: _Samples) -> tuple[Any, ...]:
        return (
            *self._run,
            *self._data.get(series.data, ("", "")),
            series.data,
            series.test,
            series.arm,
            series.test in self._controls,
            series.figure,
            series.status,
            series.metric,
            series.unit,
            self._file,
        )


def _typed(labels: pd.DataFrame) -> pd.DataFrame:
    labels["started"] = pd.to_datetime(labels["started"], utc=True, errors="coerce", format="ISO8601")
    return labels.astype({name: COLUMNS[name] for name in _LABELS})


def _masked(column: list[int]) -> pd.arrays.IntegerArray:
    numbers = np.array(column, dtype=np.int64)
    return pd.arrays.IntegerArray(numbers, numbers == _ABSENT)
