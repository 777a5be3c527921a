"""The projects in `examples/`, each copied out and run through the installed wheel, get the verdicts they promise."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.end_to_end, pytest.mark.real_times]

EXAMPLES = Path(__file__).parent.parent / "examples"
#: The file of the claims that hold, by project.
GREEN = {"keras_src_layout": "test_mine.py", "table_regression": "test_table.py", "pytorch_loop": "test_rings.py"}
#: An environment with PyTorch and without TensorFlow, which `.ci/run` makes.
TORCH = os.environ.get("DLCV04_TORCH_PYTHON", "")


@pytest.fixture(params=GREEN)
def project(request, tmp_path, stranger):
    """Runs a pytest command in a copy of a project; gives exit code, output and the run's block."""
    name = request.param
    if name == "pytorch_loop" and not TORCH:
        pytest.skip("needs DLCV04_TORCH_PYTHON, a Python with PyTorch and dlcv04: .ci/run makes one")
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder)
    for command in ("init -q -b main .", "add -A", "-c user.name=x -c user.email=x@x commit -qm x"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)

    def run(command):
        python = TORCH if name == "pytorch_loop" else sys.executable
        if name == "pytorch_loop":
            environment = {each: value for each, value in os.environ.items() if each != "PYTHONPATH"}
            whole = [python, "-m", *command.split(), "--benchmark-json=run.json"]
            done = subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True)
        else:
            done = stranger(f"{command} --benchmark-json=run.json", folder)
        block = json.loads((folder / "run.json").read_text())["dlcv04"]
        return done.returncode, done.stdout + done.stderr, block

    return name, run


def test_its_claims_hold_and_one_is_false_on_purpose(project):
    name, run = project
    code, printed, block = run("pytest bench --benchmark-compare")
    assert code == 0, printed
    verdicts = {claim["test"].partition("::")[0].removeprefix("bench/"): set() for claim in block["claims"]}
    for claim in block["claims"]:
        verdicts[claim["test"].partition("::")[0].removeprefix("bench/")].add(claim["verdict"])
    assert verdicts == {GREEN[name]: {"HOLDS"}, "test_red.py": {"VIOLATED"}}, printed
    rows = [row for claim in block["claims"] for row in claim["comparisons"] if row["metric"] != "seconds"]
    assert any(row["verdict"] == "PASS" for row in rows), printed
    assert not {row["verdict"] for row in rows} & {"REGRESSED", "STALE", "MISSING"}, printed


def test_its_red_claim_is_red(project):
    code, printed, block = project[1]("pytest bench/test_red.py --runxfail")
    assert code == 1 and "VIOLATED" in printed and [claim["verdict"] for claim in block["claims"]] == ["VIOLATED"]


def test_its_controls_break_their_claims(project):
    name, run = project
    code, printed, block = run(f"pytest bench/{GREEN[name]} --dl-controls")
    assert code == 0, printed
    assert "HOLDS" not in {claim["control_verdict"] for claim in block["claims"]}, printed
    learning = [claim for claim in block["claims"] if claim["is_control"] and "longer" not in claim["sentence"]]
    assert learning and {claim["control_verdict"] for claim in learning} == {"BROKE"}, printed
