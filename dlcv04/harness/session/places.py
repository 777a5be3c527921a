"""Where a project keeps its files: one place each, whatever folder of it one stands in.

A session knows its project's folder (pytest's `rootdir`). A command finds the same by pytest's own rule, without
starting pytest: that would import the project's conftest, and with it a framework.
"""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.config.findpaths import determine_setup  # pytest has no public name for its rule

from dlcv04.harness.session import benchmark_adapter
from dlcv04.harness.store.baselines import Store


@dataclass(frozen=True)
class Places:
    """The folders of a project.

    Attributes:
        root: the project's.
        saved: of the runs that pytest-benchmark saves; None where these are in no folder (Elasticsearch).
    """

    root: Path
    saved: Path | None

    @property
    def baselines(self) -> Path:
        """Of the accepted runs."""
        return self.root / "baselines"

    @property
    def reports(self) -> Path:
        """Of the reports, where nobody names another."""
        return self.root / "reports"

    @property
    def store(self) -> Store:
        """The accepted runs, and the saved ones."""
        return Store(self.baselines, saved=self.saved)


def of(config: pytest.Config) -> Places:
    """Those of a session."""
    return Places(config.rootpath, benchmark_adapter.saved_runs(config))


def reports(config: pytest.Config, named: str) -> Path:
    """Where a session writes its report, by the value of `--dl-report-dir`.

    What the command itself names is seen from where one stands, what an ini file names from the project's folder.
    """
    own = any(str(argument).startswith("--dl-report-dir") for argument in config.invocation_params.args)
    return (config.invocation_params.dir if own else config.rootpath) / named


def here(suite: str = "bench") -> Places:
    """Those of a command, written as seen from the folder that it is called in.

    Args:
        suite: the folder of the claims, from which on pytest looks for its ini file; it need not exist.

    Raises:
        pytest.UsageError: the ini file can't be read.
    """
    own = _options(shlex.split(os.environ.get("PYTEST_ADDOPTS", "")))
    root, _, ini, _ = determine_setup(
        inifile=own.config_file,
        override_ini=None,
        args=[suite] if Path(suite).exists() else [],
        rootdir_cmd_arg=own.rootdir,
        invocation_dir=Path.cwd(),
    )
    given = getattr(ini.get("addopts"), "value", "")
    by_ini = _options(shlex.split(given) if isinstance(given, str) else given)
    seen = Path(os.path.relpath(root))
    return Places(seen, benchmark_adapter.storage_folder(own.storage or by_ini.storage, seen))


def _options(words: list[str]) -> argparse.Namespace:
    """What an ini file or the environment says of places; the rest is pytest's business."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--rootdir")
    parser.add_argument("-c", "--config-file", dest="config_file")
    parser.add_argument("--benchmark-storage", dest="storage")
    return parser.parse_known_args(words)[0]
