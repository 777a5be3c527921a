"""What a claim's decorator refuses."""

import pytest

from dlcv04.harness.claims.claim import ClaimError, claim
from tests.harness.arms import CONTROL


def test_a_claim_needs_a_control_and_a_known_profile():
    with pytest.raises(ClaimError, match="has no control"):
        claim("x", control=None)
    with pytest.raises(ClaimError, match="judged_from"):
        claim("x", control=CONTROL, judged_from="huge")


@pytest.mark.parametrize(
    "named", ["jax", {"tensorflwo"}, {"jax", ""}, {"gpu jax"}, {"auto"}], ids=["text", "typo", "empty", "order", "auto"]
)
def test_what_can_judge_is_a_set_of_known_backends_and_devices(named):
    """A name that nothing has would take the claim out of every run."""
    with pytest.raises(ClaimError, match="judged_on") as caught:
        claim("x", control=CONTROL, judged_on=named, elsewhere="slow")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("half", [{"judged_on": {"jax"}}, {"elsewhere": "slow"}])
def test_what_can_judge_is_given_with_its_reason(half):
    with pytest.raises(ClaimError, match="give both"):
        claim("x", control=CONTROL, **half)


@pytest.mark.parametrize(
    ("named", "backend", "device", "lacks"),
    [
        (set(), "jax", "cpu", ""),
        ({"tensorflow", "jax gpu"}, "jax", "gpu", ""),
        ({"tensorflow", "jax gpu"}, "tensorflow", "cpu", ""),
        ({"tensorflow", "jax gpu"}, "jax", "cpu", "jax on a gpu or tensorflow (slow)"),
        ({"gpu"}, "torch", "cpu", "gpu (slow)"),
        ({"gpu"}, "torch", "gpu", ""),
        ({"jax", "torch", "tensorflow gpu"}, "tensorflow", "cpu", "jax, tensorflow on a gpu or torch (slow)"),
    ],
)
def test_what_a_run_lacks_to_judge_a_claim(named, backend, device, lacks):
    info = claim("x", control=CONTROL, judged_on=named, elsewhere="slow" if named else "").mark.args[0]
    assert info.lacks(backend, device) == lacks
