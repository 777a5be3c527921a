"""What a stranger does: the package as a wheel, their own test file in a folder of theirs."""

import json
import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.real_times]

ROOT = Path(__file__).parent.parent
MINE, OWN_DATA, ANY_TRAINING = re.findall(
    r"```python\n# (test_\w+\.py\n.*?)```", (ROOT / "docs/your-own-experiment.md").read_text(), re.S
)


@pytest.fixture
def judged(stranger, tmp_path):
    """Run a test file of the docs outside the tree; return exit code, output and the run's block."""

    def run(text, options=""):
        name, body = text.split("\n", 1)
        (tmp_path / name).write_text(body)
        done = stranger(f"pytest {name} -q --benchmark-json=run.json {options}", tmp_path)
        block = json.loads((tmp_path / "run.json").read_text())["dlcv04"]
        return done.returncode, done.stdout + done.stderr, block

    return run


def test_the_wheel_is_what_runs(site, stranger, tmp_path):
    for command in ('python -c "import dlcv04; print(dlcv04.__file__)"', "which dlcv04"):
        assert Path(stranger(command, tmp_path).stdout.strip()).is_relative_to(site)


def test_the_wheel_carries_the_version_that_the_command_says(stranger, tmp_path):
    said = stranger("dlcv04 --version", tmp_path).stdout.split()
    metadata = stranger("python -c 'from importlib import metadata; print(metadata.version(\"dlcv04\"))'", tmp_path)
    assert said == ["dlcv04", metadata.stdout.strip()]


def test_fifteen_lines_about_an_own_network_are_judged_with_their_control(judged, tmp_path):
    assert len([line for line in MINE.splitlines()[1:] if line.strip()]) <= 15
    code, printed, block = judged(MINE, "--dl-controls")
    assert code == 0, printed
    real, control = block["claims"]
    assert real["verdict"] == "HOLDS" and control["control_verdict"] == "BROKE"
    assert "1 of 1 control broke its claim" in printed
    assert (tmp_path / "reports/latest.html").exists()


def test_own_data_and_kerass_fit_are_judged_and_flagged_as_noisier(judged):
    code, printed, block = judged(OWN_DATA)
    assert code == 0, printed
    assert block["claims"][0]["verdict"] == "HOLDS"
    assert all(arm["noisy"] and arm["network"].endswith("Keras's fit") for arm in block["arms"])
    assert "noisier: wide, narrow" in block["claims"][0]["assertions"][0]["reason"]
    assert block["data"][0]["name"] == "mine"


def test_any_training_is_judged_by_its_own_figures(judged):
    code, printed, block = judged(ANY_TRAINING, "--dl-controls")
    assert code == 0, printed
    assert block["claims"][0]["verdict"] == "HOLDS" and block["claims"][0]["assertions"][0]["metric"] == "val_mae"
    assert all(arm["network"].endswith("by its own training") for arm in block["arms"])
    assert "1 of 1 control broke its claim" in printed
