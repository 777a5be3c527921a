"""What the claims of several tasks share."""

import pytest


@pytest.fixture(scope="session")
def profile(request):
    """The profile's name."""
    return request.config.getoption("dl_profile")
