"""An empty store."""

import pytest

from dlcv04.harness.store.baselines import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "baselines", saved=tmp_path / ".benchmarks")
