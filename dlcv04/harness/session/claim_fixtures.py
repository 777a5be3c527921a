"""The judge's fixtures: `claim`, `picture`, and what the measuring fixtures ask of a test and its control."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from dlcv04.harness.session import benchmark_adapter, items, state
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04.harness.claims import controls, serving
    from dlcv04.harness.claims import pictures as showing
    from dlcv04.harness.claims.recorder import ClaimRecorder
else:
    controls = LazyModule("dlcv04.harness.claims.controls")
    serving = LazyModule("dlcv04.harness.claims.serving")
    showing = LazyModule("dlcv04.harness.claims.pictures")


@pytest.fixture
def claim_mode(request: pytest.FixtureRequest) -> str:
    """Whether this item runs the "real" claim or its "control"."""
    mode: str = getattr(request, "param", "real")
    return mode


@pytest.fixture
def claim(request: pytest.FixtureRequest, claim_mode: str, benchmark: Any) -> ClaimRecorder:
    """Judge what a claim test asserts.

    `claim.slower(a, than=b, by=1.10)` times, `claim.better(a, than=b, by=0.003)` learning,
    `claim.exactly(value, expected, of="base")`, `claim.fewer(...)`, `claim.times_as_many(...)` exact figures.
    The test's verdict is decided after its last line: VIOLATED fails it.

    Examples:
        >>> def test_wide_is_slower_and_better(epoch_time, learning, claim):
        ...     times = epoch_time(base=base_net, wide=wide_net)
        ...     claim.slower(times.wide, than=times.base, by=1.10)
        ...     curves = learning(base=base_net, wide=wide_net)
        ...     claim.better(curves.wide, than=curves.base, by=0.003)
    """
    benchmark_adapter.adopt(benchmark)
    item = request.node
    session, suite, info = state.of(request.config), state.suite_of(request.config), items.info_of(item)
    if session.server is not None:
        return serving.ServingRecorder(info=info, policy=suite.policy, server=session.server, test=item.nodeid)
    is_control = claim_mode == "control"
    recorder = suite.control_recorder(controls.real_id(item.nodeid), info) if is_control else suite.recorder(info)
    state.of_test(item).recorder = recorder
    return recorder


@pytest.fixture
def picture(request: pytest.FixtureRequest, claim_mode: str) -> Callable[..., None]:
    """Show a picture beside the claim, in the saved run and its report.

    `picture(name, content, caption="", published="")`: `name` says in words what it shows, `content` is a uint8 array
    (height, width) or (height, width, 3) or the bytes of a PNG, `caption` says what to see in it and `published` what
    the published picture showed. A picture may have 300,000 bytes as a PNG, those of a run 3,000,000; more colours than
    fit are reduced to 256. Controls show none.

    Examples:
        >>> def test_filters_answer(computed, picture, claim):
        ...     values = computed(after=answers, before=at_the_start)
        ...     picture("filters of conv1", grid, caption="Edges and colours.", published="Edges and colours too.")
        ...     claim.higher(values.after, than=values.before, by=1.0, over="filters")
    """
    shown = state.of_test(request.node).pictures

    def show(name: str, content: Any, *, caption: str = "", published: str = "") -> None:
        made = showing.make(name, content, caption=caption, published=published)
        others = [other for claim in state.suite_of(request.config).claims for other in claim.pictures]
        showing.check_total([*others, *shown], made)
        if claim_mode == "real":
            shown.append(made)

    return show


@pytest.fixture
def arms_of(request: pytest.FixtureRequest, claim_mode: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the arms to measure: those asked for, or what the test's control makes of them."""

    def arms(asked: dict[str, Any]) -> dict[str, Any]:
        if claim_mode == "real":
            return dict(asked)
        state.of_test(request.node).changed = True
        return items.info_of(request.node).control.apply(asked)

    return arms


@pytest.fixture
def first_seed(claim_mode: str) -> int:
    """Seeds start here: a control draws other seeds, since equal seeds give bit-equal curves and test nothing."""
    return controls.CONTROL_SEED_OFFSET if claim_mode == "control" else 0
