"""The `dlcv04` command: help is instant, wrong input is one sentence, and a failed baseline stores nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcv04.cli import app

runner = CliRunner()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DLCV04_DATA", raising=False)
    monkeypatch.delenv("DLCV04_BUILDINGS", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


COMMANDS = ["doctor", "new", "fetch", "train", "finetune", "baseline", "accept", "judge", "report", "selftest"]


COMMANDS = ["doctor", "new", "fetch", "train", "filters", "style", "baseline", "accept", "judge", "report", "selftest"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0 and "Example" in result.output


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from typer.testing import CliRunner; from dlcv04.cli import app; "
        "CliRunner().invoke(app, ['--help']); "
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'pandas') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_doctor_says_what_was_found_and_what_to_do(folder):
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "embedded" in result.output and "dlcv04 fetch mnist" in result.output and "machine class" in result.output
    assert "drawings of CIFAR-10's" in result.output and "dlcv04 fetch cifar10" in result.output
    assert "drawings of 12 buildings" in result.output and "set DLCV04_BUILDINGS" in result.output


def test_doctor_names_broken_data_sets(folder, monkeypatch):
    (folder / "datasets").mkdir()
    (folder / "datasets" / "cifar10.npz").write_text("not a zip")
    monkeypatch.setenv("DLCV04_BUILDINGS", str(folder / "gone"))
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "cifar10.npz" in result.output and "gone, which is not there" in result.output


def test_an_unknown_network_is_answered_with_the_nearest(folder):
    result = runner.invoke(app, ["train", "bse"])
    assert result.exit_code == 2 and "did you mean 'base'?" in result.output


def test_real_data_that_is_not_there(folder):
    result = runner.invoke(app, ["train", "base", "--data", "real"])
    assert result.exit_code == 2 and "dlcv04 fetch mnist" in result.output


@pytest.mark.parametrize("command", [["report"], ["accept", "--reason", "x"]])
def test_a_cut_run_is_named(folder, command):
    Path("cut.json").write_text('{"dlcv04": {"schema"')
    result = runner.invoke(app, [*command, "cut.json"])
    assert result.exit_code == 2 and "cut.json" in result.output


def test_a_baseline_whose_process_fails_stores_nothing(folder):
    Path("bench").mkdir()
    Path("bench/test_x.py").write_text("def test_x(): assert False\n")
    result = runner.invoke(app, ["baseline", "--reason", "x", "--processes", "1"])
    assert result.exit_code == 1 and "nothing was stored" in result.output
    assert not Path("baselines").exists()


def in_git(folder):
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


@pytest.fixture
def fake_suite(suite, monkeypatch):
    """A committed folder whose claims run on a machine of ours."""
    folder = suite().path
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (folder / ".gitignore").write_text("reports/\n.benchmarks/\n.pytest_cache/\nbaselines/\n__pycache__/\n.cache/\n")
    in_git(folder)
    return folder


TWELVE_SEEDS = """
from dlcv04 import claim, reference_everywhere
from dlcv04.harness.store.schema import EpochRow, SeedCurve
from dlcv04.harness.measuring.seeds import SeededBlock

def curve(level):
    def one(seed):
        accuracy = level + 0.001 * (seed % 3)
        row = EpochRow(train_seconds=1, train_loss=1, train_accuracy=level, val_loss=1, val_accuracy=accuracy)
        return SeedCurve(seed=seed, epochs=[row])
    return one

@claim("b learns better", control=reference_everywhere("a"))
def test_better(claim):
    arms = SeededBlock({"a": curve(0.5), "b": curve(0.8)}, images={"a": 0, "b": 0}).arms
    claim.better(arms["b"], than=arms["a"], by=0.01)
    assert len(arms["a"].by_seed) == 12
"""


class TestBaseline:
    record = ("baseline", "--reason", "first", "--no-learning")

    def test_stores_every_process_and_says_what_the_gate_then_sees(self, fake_suite):
        result = runner.invoke(app, [*self.record, "--processes", "5"])
        assert result.exit_code == 0, result.output
        assert len(list(Path("baselines/cpu-fake-2-cores").glob("*.json"))) == 5
        assert "process 5 of 5: timing" in result.output
        assert "test_longer_is_slower<long>: 0.2 s an epoch, smallest slowdown seen in 4 of 5 runs" in result.output

    def test_a_dirty_tree_is_refused_before_anything_runs(self, fake_suite):
        (fake_suite / "bench/test_it.py").write_text("# changed\n")
        result = runner.invoke(app, list(self.record))
        assert result.exit_code == 1 and "uncommitted changes" in result.output and "process" not in result.output

    def test_a_violated_claim_is_refused(self, fake_suite):
        test = fake_suite / "bench/test_it.py"
        test.write_text(test.read_text().replace("times.long, than=times.short", "times.short, than=times.long"))
        in_git(fake_suite)
        result = runner.invoke(app, [*self.record, "--processes", "1"])
        assert result.exit_code == 1 and "nothing was stored" in result.output and not Path("baselines").exists()

    def test_nothing_asked_for(self, fake_suite):
        result = runner.invoke(app, [*self.record, "--processes", "0"])
        assert result.exit_code == 2 and "records nothing" in result.output

    def test_learning_is_recorded_over_as_many_seeds_as_asked_for_never_fewer_than_ten(self, fake_suite):
        (fake_suite / "bench/test_it.py").write_text(TWELVE_SEEDS)
        in_git(fake_suite)
        record = ["baseline", "--reason", "first", "--processes", "0"]
        result = runner.invoke(app, [*record, "--seeds", "12"])
        assert result.exit_code == 0, result.output
        assert len(list(Path("baselines/portable").glob("*.json"))) == 1
        ten = runner.invoke(app, record)
        assert ten.exit_code == 1 and "assert 10 == 12" in ten.output
        assert runner.invoke(app, [*record, "--seeds", "9"]).exit_code == 2

    def test_a_kill_in_the_middle_stores_nothing(self, fake_suite):
        """The first process has ended, the second is running."""
        command = [sys.executable, "-c", "from dlcv04.cli import main; main()", *self.record, "--processes", "9"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1)
        for line in running.stdout:
            if line.startswith("process 2 of 9"):
                break
        running.kill()
        running.wait()
        assert not Path("baselines").exists()


class TestAccept:
    def test_a_saved_run_by_its_number(self, fake_suite):
        subprocess.run([sys.executable, "-m", "pytest", "bench", "-q", "--benchmark-save=x"], check=True)
        result = runner.invoke(app, ["accept", "0001", "--reason", "slower on purpose"])
        assert result.exit_code == 0, result.output
        assert [path.name for path in Path("baselines/cpu-fake-2-cores").glob("*.json")] == ["0001_run.json"]
        again = runner.invoke(app, ["accept", "0001", "--reason", "again"])
        assert again.exit_code == 2 and "a run counts once" in again.output

    def test_an_unknown_run_is_answered_with_what_is_saved(self, fake_suite):
        result = runner.invoke(app, ["accept", "0007", "--reason", "x"])
        assert result.exit_code == 2 and "no run is saved" in result.output


class TestDoctor:
    def test_the_spread_that_process_pairs_are_judged_by_is_shown(self, folder):
        result = runner.invoke(app, ["doctor"])
        assert "2.5% on 10 degrees of freedom (shipped prior; `dlcv04 selftest` measures it)" in result.output

    def test_a_cut_self_test_is_named(self, folder):
        from dlcv04.harness.machine import facts

        tests = folder / "baselines" / facts.machine_class("cpu", facts.hardware()) / "selftest"
        tests.mkdir(parents=True)
        (tests / "x.json").write_text("{")
        result = runner.invoke(app, ["doctor"])
        assert result.exit_code == 1 and "can't be read" in result.output

    def test_a_folder_without_data_is_told_and_exits_1(self, folder, monkeypatch):
        monkeypatch.setenv("DLCV04_DATA", str(folder / "nowhere"))
        result = runner.invoke(app, ["doctor"])
        assert result.exit_code == 1 and "nowhere has no mnist.npz" in result.output

    def test_a_cut_file_is_named(self, folder, monkeypatch):
        (folder / "mnist.npz").write_bytes(b"cut")
        monkeypatch.setenv("DLCV04_DATA", str(folder))
        result = runner.invoke(app, ["doctor"])
        assert result.exit_code == 1 and "mnist.npz" in result.output and "sha256" in result.output

    def test_a_framework_that_is_not_installed(self, folder, monkeypatch):
        monkeypatch.setenv("KERAS_BACKEND", "mxnet")
        result = runner.invoke(app, ["doctor"])
        assert result.exit_code == 1 and "mxnet is not installed" in result.output


def test_train_prints_its_curve_and_writes_it(folder):
    """The real thing, for one epoch of smoke on the embedded digits."""
    result = runner.invoke(app, ["train", "half_filters", "--epochs", "1", "--out", "curve.json"])
    assert result.exit_code == 0, result.output
    assert "epoch 1 of 1" in result.output and "accuracy: 0." in result.output
    curve = json.loads(Path("curve.json").read_text())
    assert curve["network"] == "half_filters" and len(curve["epochs"]) == 1
