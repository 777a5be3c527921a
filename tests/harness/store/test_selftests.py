"""Stored self-tests."""

import msgspec
import pytest

from dlcv04.harness.store import selftests
from dlcv04.harness.store.selftests import PlantedFault
from tests.harness.selftest.made import a_test, pairs


def test_the_newest_of_this_key_is_used(tmp_path):
    selftests.keep(a_test(0.01), tmp_path)
    assert selftests.latest(tmp_path, "cpu-x", {"backend": "b"}).process_df == 19
    assert selftests.latest(tmp_path, "cpu-x", {"backend": "jax"}) is None
    assert selftests.latest(tmp_path, "cpu-y", {"backend": "b"}) is None


@pytest.mark.parametrize("word", ["VIOLATED", "REGRESSED", "CHANGED"])
def test_what_counts_as_noticed(word):
    claims, figures = (["HOLDS", word], ["PASS"]) if word == "VIOLATED" else (["HOLDS"], ["PASS", word])
    assert PlantedFault(name="x", describes="x", claims=claims, figures=figures).noticed


@pytest.mark.parametrize("name", ["../cpu-x", "x/../cpu-x", "cpu-x\n", "x" * 5000])
def test_a_machine_class_that_is_no_name_has_none(tmp_path, name):
    root = tmp_path / "baselines"
    selftests.keep(a_test(0.01), root)
    (root / "x").mkdir()
    assert selftests.latest(root / "x" if name.startswith("..") else root, name, {"backend": "b"}) is None


@pytest.mark.parametrize("longer", ["old_seconds", "new_seconds", "neither"])
def test_pairs_that_lack_rounds_of_one_side_are_refused(tmp_path, longer):
    pair, *_ = pairs(1, process_sd=0.02, rounds=4)
    change = {longer: [0.1] * 5} if longer != "neither" else {"old_seconds": [], "new_seconds": []}
    test = msgspec.structs.replace(a_test(0.01), identical=[msgspec.structs.replace(pair, **change)])
    path = selftests.keep(test, tmp_path)
    with pytest.raises(selftests.SelfTestError, match="lacks rounds of one side"):
        selftests.latest(tmp_path, "cpu-x", {"backend": "b"})
    assert path.exists()


@pytest.mark.parametrize("more", [{"red_runs": 101}, {"red": 301}])
def test_replays_of_which_more_were_red_than_there_were_are_refused(tmp_path, more):
    replayed = selftests.Replayed(
        **{"ratio": 1.0, "red_runs": 1, "runs": 100, "red": 2, "benchmarks": 300, "promised": 0.01, **more}
    )
    selftests.keep(msgspec.structs.replace(a_test(0.01), replayed=[replayed]), tmp_path)
    with pytest.raises(selftests.SelfTestError, match="more was red than was replayed"):
        selftests.latest(tmp_path, "cpu-x", {"backend": "b"})
