"""The hook by which the experiment's half of the plugin tells the judge what a run will be."""

from typing import Any

import pytest


@pytest.hookspec(firstresult=True)
def pytest_dlcv04_plan(config: pytest.Config, suite: Any, device: str) -> bool | None:
    """Set `suite.plan`: device, data and comparability key, found without importing a framework.

    Example:
        >>> def pytest_dlcv04_plan(config, suite, device):
        ...     suite.plan = lambda: Plan(device, "my own data", {"backend": "tensorflow"})
        ...     return True
    """
