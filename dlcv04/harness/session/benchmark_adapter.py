"""Every private part of pytest-benchmark that is used, and nothing else (checked on 5.3.1, see its contract test).

Used: `config._benchmarksession` (attributes `benchmarks`, `disabled`, `options`, `logger`, `compare`, `json`,
`save`, `autosave`, `save_data`, `compare_fail`, `storage` with its `path`, `get` and `save`, `handle_loading`,
`save_json`), the constructor of `BenchmarkFixture`, its `_make_stats` and `_mode`, `utils.safe_dumps`. Public hooks are
used for everything else.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import filelock

    from dlcv04 import atomic
else:
    atomic = LazyModule("dlcv04.atomic")
    filelock = LazyModule("filelock")

ADOPTED = "dlcv04"
#: Where pytest-benchmark saves runs unless it is told otherwise: below the folder that one stands in.
_DEFAULT_STORAGE = "file://./.benchmarks"
_NUMBERED = re.compile(r"(\d{4,})_.*\.json")


def take_comparison_over(config: pytest.Config) -> str | bool | None:
    """Hide `--benchmark-compare` from pytest-benchmark, which compares one point with one point; return its value.

    Returns None where the option was not given, True without a value. `give_comparison_back` undoes it.
    """
    asked = config.getoption("benchmark_compare", None)
    if asked == [] or asked is None:
        return None
    config.option.benchmark_compare = []
    return asked


def is_absent(config: pytest.Config) -> bool:
    """Whether pytest-benchmark was switched off (`-p no:benchmark`)."""
    return not hasattr(config, "_benchmarksession")


def give_comparison_back(config: pytest.Config, asked: str | bool | None) -> None:
    """A suite without claims keeps pytest-benchmark's own comparison."""
    if asked is not None:
        session = _session(config)
        session.compare = asked
        session.handle_loading()


def has_compare_fail(config: pytest.Config) -> bool:
    """Whether `--benchmark-compare-fail` was given: its fixed percentages are replaced by the judge."""
    return bool(_session(config).compare_fail)


def is_disabled(config: pytest.Config) -> bool:
    """Whether benchmarks are disabled, by `--benchmark-disable` or because pytest-xdist distributes the tests."""
    return bool(_session(config).disabled)


def keep_raw_samples(config: pytest.Config) -> None:
    """Saved runs hold every round, not only their summary: nothing can be judged from a summary."""
    _session(config).save_data = True


def storage_folder(storage: str | None, root: Path) -> Path | None:
    """The folder that a value of `--benchmark-storage` names, seen from `root`; None where it is a server."""
    scheme, _, path = (storage or _DEFAULT_STORAGE).rpartition("://")
    return root / path if scheme in ("", "file") else None


def keep_saved_runs_in(config: pytest.Config, root: Path) -> None:
    """Save runs below the project's folder, not below the one that one stands in, unless the command itself names one.

    What an ini file or the environment names is of the project, whoever calls pytest from where.
    """
    if any(str(argument).startswith("--benchmark-storage") for argument in config.invocation_params.args):
        return
    session, folder = _session(config), storage_folder(config.getoption("benchmark_storage"), root)
    old = session.storage
    if folder is None or folder.resolve() == old.path:
        return
    session.storage = type(old)(folder, logger=session.logger, default_machine_id=session.machine_id)
    with contextlib.suppress(OSError):  # pytest-benchmark made it a moment ago; one that holds runs stays
        old.path.rmdir()


def save_whole(config: pytest.Config) -> None:
    """Let the runs of this session be saved whole or not at all, under the names that pytest-benchmark gives them.

    Its own writer numbers them without a lock, so that of runs that end together one takes the place of another.
    """
    session = _session(config)
    session.save_json = functools.partial(_save_json, session)
    if saved_runs(config) is not None:
        session.storage.save = functools.partial(_save, session.storage)


def _save_json(session: Any, document: Any) -> None:
    atomic.write(session.json, _text(document))
    session.logger.info(f"Wrote benchmark data in: {session.json}", purple=True)


def _save(storage: Any, document: Any, name: str) -> None:
    """Save a run in the folder of a storage as the next one, `0042_<name>.json`.

    Raises:
        OSError: the folder can't be written to, or another process holds its lock for a minute.
    """
    folder: Path = storage.get("").absolute()  # which makes it
    with filelock.FileLock(folder / ".lock", timeout=60):
        taken = [int(match[1]) for path in folder.iterdir() if (match := _NUMBERED.fullmatch(path.name))]
        path = folder / f"{max(taken, default=0) + 1:04d}_{name}.json"
        with atomic.creating(path) as file:
            file.write(_text(document))
    storage.logger.info(f"Saved benchmark data in: {path}")


def _text(document: Any) -> bytes:
    """A document as pytest-benchmark writes it."""
    from pytest_benchmark.utils import safe_dumps

    return str(safe_dumps(document, ensure_ascii=True, indent=4)).encode()


def saved_runs(config: pytest.Config) -> Path | None:
    """The folder of this session's saved runs; None where they go to a server."""
    folder: Path | None = getattr(_session(config).storage, "path", None)
    return folder


def adopt(benchmark: Any) -> None:
    """Mark the `benchmark` fixture as used by a claim, so that `--benchmark-only` counts claims as benchmarks."""
    benchmark._mode = ADOPTED


def add_row(
    config: pytest.Config, item: pytest.Item, arm: str, seconds: list[float], extra: dict[str, Any], group: str
) -> None:
    """Show one arm as a row of pytest-benchmark's table and JSON, named `test<arm>`.

    Args:
        config: the session's.
        item: the test.
        arm: its name.
        seconds: one figure a round, all of the same work in every run: other tools compare their means as they are.
        extra: what is stored beside them.
        group: of the table.
    """
    from pytest_benchmark.fixture import BenchmarkFixture

    session = _session(config)
    options = {**session.options, "group": group}
    fixture = BenchmarkFixture(
        item,
        add_stats=session.benchmarks.append,
        logger=session.logger,
        warner=item.warn,
        disabled=session.disabled,
        **options,
    )
    fixture.name, fixture.fullname = f"{item.name}<{arm}>", f"{item.nodeid}<{arm}>"
    # What `pytest-benchmark compare --group-by=param:x` looks up in a saved file, which holds text and numbers.
    fixture.params = _writable(getattr(item, "callspec", None))
    fixture.extra_info.update(extra)
    stats = fixture._make_stats(1)
    for each in seconds:
        stats.update(each)


def _writable(callspec: Any) -> dict[str, Any] | None:
    """A test's parameters as strict JSON can hold them: an object by its name or its kind, which no address is."""
    if callspec is None:
        return None
    return {name: _plain(value) for name, value in callspec.params.items() if name != "claim_mode"}


def _plain(value: Any) -> bool | int | float | str | None:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(getattr(value, "__name__", type(value).__name__))


def document(config: pytest.Config) -> dict[str, Any]:
    """The run as pytest-benchmark would save it, raw samples included, before our block is added."""
    session = _session(config)
    commit = config.hook.pytest_benchmark_generate_commit_info(config=config)
    config.hook.pytest_benchmark_update_commit_info(config=config, commit_info=commit)
    made: dict[str, Any] = config.hook.pytest_benchmark_generate_json(
        config=config,
        benchmarks=session.benchmarks,
        include_data=True,
        machine_info=session.get_machine_info(),
        commit_info=commit,
    )
    return made


def save_without_rows(config: pytest.Config, say: Callable[[str], None]) -> None:
    """Save a run that timed nothing (exact figures, learning): pytest-benchmark itself would save nothing."""
    with _said(say):
        _save_without_rows(config)


def _save_without_rows(config: pytest.Config) -> None:
    session = _session(config)
    name = session.save or session.autosave
    if session.benchmarks or not (name or session.json):
        return
    made = document(config)
    config.hook.pytest_benchmark_update_json(config=config, benchmarks=session.benchmarks, output_json=made)
    if session.json:
        session.save_json(made)
    if name:
        session.storage.save(made, name)
    # Else it warns that nothing was saved, which `-W error` makes the end of the run.
    session.save = session.autosave = session.json = None


def save_or_say(config: pytest.Config, say: Callable[[str], None]) -> None:
    """Let a run that can't be saved be a sentence: pytest-benchmark's error would take the verdicts' lines with it."""
    session = _session(config)
    save = session.handle_saving

    def handle_saving() -> None:
        with _said(say):
            save()

    session.handle_saving = handle_saving


@contextlib.contextmanager
def _said(say: Callable[[str], None]) -> Iterator[None]:
    """Let a run that can't be saved be a sentence."""
    try:
        yield
    except OSError as error:
        say(f"The run can't be saved ({error}), so nothing of it can be accepted or compared with.")


def _session(config: pytest.Config) -> Any:
    return config._benchmarksession  # type: ignore[attr-defined]
