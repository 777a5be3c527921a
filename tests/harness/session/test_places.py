"""One place for a project's files, whatever folder of it one stands in, and with whatever `--benchmark-storage`."""

import re
import shlex
from pathlib import Path

import pytest

from dlcv04.harness.session import places
from tests.conftest import Repository
from tests.harness.inner_runs import command

RECORD = ("--processes", "1", "--reason", "first", "--no-learning")


@pytest.fixture
def ml(suite, monkeypatch):
    """The folder `ml/` of a committed project whose ini file lies above it; one stands in it."""
    project = suite()
    folder = project.mkdir("ml")
    for name in ("bench", "conftest.py"):
        (project.path / name).rename(folder / name)
    Repository(project).commit()
    monkeypatch.chdir(folder)
    return project


def test_what_a_command_stores_is_found_by_a_run_and_by_other_commands(ml):
    stored = command("baseline", *RECORD)
    assert stored.returncode == 0, stored.stdout
    assert "stored: ../baselines/cpu-fake-2-cores/0001_smoke.json" in stored.stdout
    result = ml.runpytest("bench", "--benchmark-compare", "--benchmark-save=x")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["dlcv04: comparing with 1 stored timing*"])
    (saved,) = (ml.path / ".benchmarks").glob("*/0001_x.json")
    result.stderr.fnmatch_lines([f"*Saved benchmark data in: {saved}"])
    assert sorted(path.name for path in Path().iterdir() if path.name != "__pycache__") == ["bench", "conftest.py"]
    accepted = command("accept", "0001", "--reason", "again")
    assert (
        accepted.returncode == 0
        and "stored: ../baselines/cpu-fake-2-cores/0002_run.json" in accepted.stdout + accepted.stderr
    )
    assert command("report", str(saved)).stdout.startswith("report: ../reports/")


def test_the_command_that_a_run_names_for_a_lost_file_works_where_one_stands(ml):
    assert command("baseline", *RECORD).returncode == 0
    next((ml.path / "baselines/cpu-fake-2-cores").glob("*.json")).unlink()
    lost = ml.runpytest("bench", "--benchmark-compare")
    assert lost.ret == 1
    advice = re.search(r"`dlcv04 (accept --retire [^`]*)`", lost.stdout.str())
    retired = command(*shlex.split(advice[1]), "--reason", "on purpose")
    assert retired.returncode == 0 and retired.stdout.startswith("retired: "), retired.stderr


@pytest.mark.parametrize("of_project", [True, False], ids=["the ini file", "the command"])
def test_a_storage_of_the_project_lies_in_it_and_one_of_the_command_where_one_stands(ml, of_project):
    if of_project:
        (ml.path / "tox.ini").write_text('[pytest]\naddopts = --benchmark-storage="file://my runs"\n')
        Repository(ml).commit()
    option = [] if of_project else ["--benchmark-storage=my runs"]
    assert ml.runpytest("bench", "--benchmark-save=x", *option).ret == 0
    assert len(list((ml.path if of_project else Path()).glob("my runs/*/0001_x.json"))) == 1
    ml.runpytest("bench", "--benchmark-compare=0001", *option).stdout.fnmatch_lines(
        ["dlcv04: comparing with 1 stored timing*"]
    )
    accepted = command("accept", "0001", "--reason", "x")
    assert (accepted.returncode == 0) is of_project, accepted.stdout + accepted.stderr


@pytest.mark.parametrize("of_project", [True, False], ids=["the ini file", "the command"])
def test_so_does_a_folder_of_reports(ml, of_project):
    if of_project:
        (ml.path / "tox.ini").write_text("[pytest]\naddopts = --dl-report-dir=out\n")
    assert ml.runpytest("bench", *([] if of_project else ["--dl-report-dir=out"])).ret == 0
    assert ((ml.path if of_project else Path()) / "out/latest.html").is_file() and not (ml.path / "reports").exists()


def test_where_nothing_is_found_the_sentence_names_the_folders(ml):
    lacking = command("accept", "0001", "--reason", "x")
    assert lacking.returncode == 2 and "no run is saved in ../.benchmarks" in lacking.stderr
    nothing = ml.runpytest("bench", "--benchmark-compare")
    assert nothing.ret == 7
    nothing.stdout.fnmatch_lines([f"*Nothing stored is comparable*in {ml.path / 'baselines'}:*"])
    selected = ml.runpytest("bench", "--benchmark-compare=0001", "--benchmark-storage=elsewhere")
    folders = f"{ml.path / 'baselines'} or {ml.path / 'ml' / 'elsewhere'}"
    selected.stderr.fnmatch_lines([f"*nothing is stored yet in {folders}:*"])


def test_a_session_without_claims_keeps_pytest_benchmarks_own_folder(suite, monkeypatch):
    project = suite("def test_plain(benchmark): benchmark(lambda: 1)\n")
    monkeypatch.chdir(project.path / "bench")
    assert project.runpytest("--benchmark-save=x").ret == 0
    assert list(Path().glob(".benchmarks/*/0001_x.json"))


@pytest.mark.parametrize("inside", [".", "a", "a/bench"])
@pytest.mark.parametrize(
    "settings",
    [
        {"pytest.ini": "[pytest]\n"},
        {"a/pytest.ini": "[pytest]\n"},
        {"a/bench/pytest.ini": "[pytest]\n"},
        {"pyproject.toml": "[tool.pytest.ini_options]\n", "a/pyproject.toml": "[project]\nname = 'a'\n"},
        {"tox.ini": "[pytest]\n", "a/setup.py": ""},
        {"a/setup.py": ""},
        {"setup.cfg": "[tool:pytest]\n"},
        {"a/other.ini": "[pytest]\n"},
        {},
    ],
    ids=lambda settings: " ".join(settings) or "none",
)
def test_a_command_and_a_session_mean_the_same_folder(pytester, monkeypatch, settings, inside):
    (pytester.path / "a/bench").mkdir(parents=True)
    for name, text in settings.items():
        (pytester.path / name).write_text(text)
    if "a/other.ini" in settings:
        monkeypatch.setenv("PYTEST_ADDOPTS", f"-c '{pytester.path / 'a/other.ini'}'")
    monkeypatch.chdir(pytester.path / inside)
    arguments = ["bench"] if Path("bench").exists() else []
    assert places.here().root.resolve() == pytester.parseconfig(*arguments).rootpath
