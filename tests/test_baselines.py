"""What is stored under baselines/portable has every figure of the default profile that no clock is in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcv04.harness.policy import RECORDED_SEEDS
from dlcv04.harness.store.reading import read_run

ROOT = Path(__file__).parent.parent
STORED = ROOT / "baselines/portable"


@pytest.fixture(scope="module")
def claims():
    """The claims that the default profile judges."""
    command = [sys.executable, "-m", "pytest", "bench", "--collect-only", "-q", "--dl-data=embedded"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=dict(os.environ)).stdout
    return {line for line in printed.splitlines() if "::test_" in line}


@pytest.mark.parametrize("data", ["embedded", "real"])
def test_every_claim_of_the_default_profile_has_its_figures(claims, data):
    run = read_run(max(STORED.glob(f"*_{data}.json")))
    assert {claim.test for claim in run.claims} == claims and len(claims) >= 21
    assert all(len(arm.curves) >= RECORDED_SEEDS for arm in run.arms if arm.curves)
    identities = {claim.test for claim in run.claims if {one.kind for one in claim.assertions} == {"IDENTITY"}}
    assert {arm.test for arm in run.arms if arm.parameters or arm.values} == claims - identities


def test_it_is_small():
    assert sum(file.stat().st_size for file in STORED.glob("*.json")) < 10_000_000
