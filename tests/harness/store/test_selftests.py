"""Stored self-tests."""

import pytest

from dlcv04.harness.store import selftests
from dlcv04.harness.store.selftests import PlantedFault
from tests.harness.selftest.made import a_test


def test_the_newest_of_this_key_is_used(tmp_path):
    selftests.keep(a_test(0.01), tmp_path)
    assert selftests.latest(tmp_path, "cpu-x", {"backend": "b"}).process_df == 19
    assert selftests.latest(tmp_path, "cpu-x", {"backend": "jax"}) is None
    assert selftests.latest(tmp_path, "cpu-y", {"backend": "b"}) is None


@pytest.mark.parametrize("word", ["VIOLATED", "REGRESSED", "CHANGED"])
def test_what_counts_as_noticed(word):
    claims, figures = (["HOLDS", word], ["PASS"]) if word == "VIOLATED" else (["HOLDS"], ["PASS", word])
    assert PlantedFault(name="x", describes="x", claims=claims, figures=figures).noticed
