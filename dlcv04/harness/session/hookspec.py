"""The hook by which the experiment's half of the plugin tells the judge what a run will be."""

from typing import Any

import pytest


@pytest.hookspec(firstresult=True)
def pytest_dlcv04_plan(config: pytest.Config, suite: Any, device: str, claims: list[Any]) -> bool | None:
    """Set `suite.plan`: device, data and comparability key, found without importing a framework.

    `claims` are the collected items; the fixtures they take say which data they need.

    Example:
        >>> def pytest_dlcv04_plan(config, suite, device):
        ...     suite.plan = lambda: Plan(device, "my own data", {"backend": "tensorflow"})
        ...     return True
    """
