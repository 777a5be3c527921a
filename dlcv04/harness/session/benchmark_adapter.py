"""Every private part of pytest-benchmark that is used, and nothing else (checked on 5.3.1, see its contract test).

Used: `config._benchmarksession` (attributes `benchmarks`, `disabled`, `options`, `logger`, `compare`, `json`,
`save`, `autosave`, `save_data`, `compare_fail`, `storage`, `handle_loading`, `save_json`), the constructor of
`BenchmarkFixture`, its `_make_stats` and `_mode`. Public hooks are used for everything else.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ADOPTED = "dlcv04"
#: Where pytest-benchmark saves runs unless it is told otherwise: below the folder that one stands in.
_DEFAULT_STORAGE = "file://./.benchmarks"


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


def saved_runs(config: pytest.Config) -> Path | None:
    """The folder of this session's saved runs; None where they go to a server."""
    folder: Path | None = getattr(_session(config).storage, "path", None)
    return folder


def adopt(benchmark: Any) -> None:
    """Mark the `benchmark` fixture as used by a claim, so that `--benchmark-only` counts claims as benchmarks."""
    benchmark._mode = ADOPTED


def add_row(
    config: pytest.Config, item: pytest.Item, arm: str, rounds: list[float], extra: dict[str, Any], group: str
) -> None:
    """Show one arm as a row of pytest-benchmark's table and JSON, named `test<arm>`."""
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
    for seconds in rounds:
        stats.update(seconds)


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


def save_without_rows(config: pytest.Config) -> None:
    """Save a run that timed nothing (exact figures, learning): pytest-benchmark itself would save nothing."""
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
        try:
            save()
        except OSError as error:
            say(f"The run can't be saved ({error}), so nothing of it can be accepted or compared with.")

    session.handle_saving = handle_saving


def _session(config: pytest.Config) -> Any:
    return config._benchmarksession  # type: ignore[attr-defined]
