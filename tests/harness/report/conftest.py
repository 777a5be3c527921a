"""A self-test with its replayed figures, which takes seconds to make."""

from __future__ import annotations

import pytest

from dlcv04.harness.policy import Policy
from dlcv04.harness.selftest import replaying
from dlcv04.harness.store.selftests import Planted, SelfTest
from tests.harness.selftest.made import a_test, pairs


@pytest.fixture(scope="session")
def measured() -> SelfTest:
    planted = Planted(ratio=1.2, pairs=pairs(4, process_sd=0.01, ratio=1.2, seed=3))
    return replaying.with_replays(a_test(0.01, [planted]), Policy())
