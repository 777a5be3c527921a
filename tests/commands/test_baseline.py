"""``dlcv04 baseline``: every process is stored, or nothing at all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.asking import Command, commit_all

baseline = Command("baseline").asked
RECORD = ("--reason", "first", "--no-learning")

FOURTEEN_SEEDS = """
from dlcv04 import claim, reference_everywhere
from dlcv04.harness.store.schema import EpochRow, SeedCurve
from dlcv04.harness.measuring.seeds import SeededBlock

def curve(level):
    def one(seed):
        accuracy = level + 0.001 * seed
        row = EpochRow(train_seconds=1, train_loss=1, train_accuracy=level, val_loss=1, val_accuracy=accuracy)
        return SeedCurve(seed=seed, epochs=[row])
    return one

@claim("b learns better", control=reference_everywhere("a"))
def test_better(claim):
    arms = SeededBlock({"a": curve(0.5), "b": curve(0.8)}).arms
    claim.better(arms["b"], than=arms["a"], by=0.01)
    assert len(arms["a"].by_seed) == 14
"""


def test_a_baseline_whose_process_fails_stores_nothing(folder):
    Path("bench").mkdir()
    Path("bench/test_x.py").write_text("def test_x(): assert False\n")
    result = baseline("--reason", "x", "--processes", "1")
    assert result.exit_code == 1 and "nothing was stored" in result.output
    assert not Path("baselines").exists()


@pytest.mark.parametrize(
    ("interrupted", "said"),
    [("session.recording.record", "Stopped; nothing was stored."), ("judging.power.power", "Stopped.")],
)
def test_ctrl_c_says_that_nothing_was_stored_only_where_that_is_so(fake_suite, monkeypatch, interrupted, said):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"dlcv04.harness.{interrupted}", stopped)
    result = baseline(*RECORD, "--processes", "1")
    assert result.exit_code == 130 and result.stderr == f"{said}\n"
    assert Path("baselines").exists() == (said == "Stopped.")


MIXED = """
import numpy as np
from dlcv04 import claim, planted, reference_everywhere

@claim("The long arm is slower", control=reference_everywhere("short"))
def test_longer_is_slower(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2))
    claim.slower(times.long, than=times.short, by=1.10)

@claim("The same", control=planted("one off", lambda compute: lambda seed: compute(seed) + 1, only="a"))
def test_identity(computed, claim):
    values = computed(a=lambda seed: np.arange(5.0), b=lambda seed: np.arange(5.0))
    claim.identical(values.a, values.b, within=0)

@pytest.mark.slow
def test_ordinary():
    pass
"""

SLOW_LEFT_OUT = """
def pytest_collection_modifyitems(config, items):
    gone = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if item not in gone]
"""


def test_each_half_of_a_suite_is_recorded_though_the_other_is_left_out(fake_suite):
    """So is a suite of which a conftest takes ordinary tests away."""
    Path("bench/test_it.py").write_text("import pytest\n" + MIXED)
    Path("bench/conftest.py").write_text(SLOW_LEFT_OUT)
    commit_all(Path())
    result = baseline("--reason", "first", "--processes", "1")
    assert result.exit_code == 0, result.output
    assert {path.parent.name for path in Path("baselines").glob("*/*.json")} == {"portable", "cpu-fake-2-cores"}


def test_a_manifest_that_can_not_be_read_is_told_before_anything_is_measured(fake_suite):
    Path("baselines").mkdir()
    Path("baselines/manifest.json").write_text("<<<<<<< HEAD\n")
    result = baseline(*RECORD, "--processes", "1")
    assert result.exit_code == 1 and "manifest.json can't be read" in result.output and "process 1" not in result.output


def test_stores_every_process_and_says_what_the_gate_then_sees(fake_suite):
    result = baseline(*RECORD, "--processes", "5")
    assert result.exit_code == 0, result.output
    assert len(list(Path("baselines/cpu-fake-2-cores").glob("*.json"))) == 5
    assert "process 5 of 5: timing" in result.output
    assert "test_longer_is_slower<long>: 0.2 s an epoch, smallest slowdown seen in 4 of 5 runs" in result.output
    assert re.search(r"\d+% by the stored processes alone, \d+% by process pairs", result.output)


def test_a_further_session_is_added_once_it_is_another(fake_suite):
    """Six hours later, or after a reboot; times alone are recorded."""
    missing = baseline("--reason", "more", "--append", "--processes", "1")
    assert missing.exit_code == 1 and "nothing is stored for cpu-fake-2-cores" in missing.output
    assert baseline(*RECORD, "--processes", "2").exit_code == 0
    early = baseline("--reason", "more", "--append", "--processes", "2")
    assert early.exit_code == 1 and "wait until six hours after it, or reboot" in early.output
    assert "process 2" not in early.output and len(list(Path("baselines").glob("*/*.json"))) == 2
    rebooted = (fake_suite / "conftest.py").read_text() + "\nimport psutil\npsutil.boot_time = lambda: 1e9\n"
    (fake_suite / "conftest.py").write_text(rebooted)
    commit_all(fake_suite)
    later = baseline("--reason", "more", "--append", "--processes", "2")
    assert later.exit_code == 0, later.output
    assert len(list(Path("baselines/cpu-fake-2-cores").glob("*.json"))) == 4
    assert not list(Path("baselines/portable").glob("*.json"))


def test_a_dirty_tree_is_refused_before_anything_runs(fake_suite):
    (fake_suite / "bench/test_it.py").write_text("# changed\n")
    result = baseline(*RECORD)
    assert result.exit_code == 1 and "uncommitted changes" in result.output and "process" not in result.output


def test_what_git_can_not_say_is_refused_with_its_advice_and_told_in_a_run(fake_suite, monkeypatch):
    """As in a container of CI, whose folder is somebody else's."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    result = baseline(*RECORD)
    assert result.exit_code == 1 and "safe.directory" in result.output and "process 1" not in result.output
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "bench", "--benchmark-save=x"], capture_output=True, text=True
    )
    assert run.returncode == 0 and "the commit of this run is unknown: " in run.stdout
    accepted = Command("accept").asked("0001", "--reason", "x")
    assert accepted.exit_code == 1 and "git could not say which code it ran" in accepted.output


def test_a_violated_claim_is_refused(fake_suite):
    test = fake_suite / "bench/test_it.py"
    test.write_text(test.read_text().replace("times.long, than=times.short", "times.short, than=times.long"))
    commit_all(fake_suite)
    result = baseline(*RECORD, "--processes", "1")
    assert result.exit_code == 1 and "nothing was stored" in result.output and not Path("baselines").exists()


def test_nothing_asked_for(fake_suite):
    result = baseline(*RECORD, "--processes", "0")
    assert result.exit_code == 2 and "records nothing" in result.output


def test_learning_is_recorded_over_as_many_seeds_as_asked_for_never_fewer_than_twelve(fake_suite):
    (fake_suite / "bench/test_it.py").write_text(FOURTEEN_SEEDS)
    commit_all(fake_suite)
    record = ["--reason", "first", "--processes", "0"]
    result = baseline(*record, "--seeds", "14")
    assert result.exit_code == 0, result.output
    assert len(list(Path("baselines/portable").glob("*.json"))) == 1
    twelve = baseline(*record)
    assert twelve.exit_code == 1 and "assert 12 == 14" in twelve.output
    assert baseline(*record, "--seeds", "11").exit_code == 2


def test_a_kill_in_the_middle_stores_nothing(fake_suite):
    """The first process has ended, the second is running."""
    command = [sys.executable, "-c", "from dlcv04.cli import main; main()", "baseline", *RECORD, "--processes", "9"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
    for line in running.stdout:
        if line.startswith("process 2 of 9"):
            break
    running.kill()
    running.wait()
    assert not Path("baselines").exists()
