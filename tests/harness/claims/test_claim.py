"""What a claim's decorator refuses."""

import pytest

from dlcv04.harness.claims.claim import ClaimError, claim
from tests.harness.arms import CONTROL


def test_a_claim_needs_a_control_and_a_known_profile():
    with pytest.raises(ClaimError, match="has no control"):
        claim("x", control=None)
    with pytest.raises(ClaimError, match="judged_from"):
        claim("x", control=CONTROL, judged_from="huge")
