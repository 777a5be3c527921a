"""What a collected test is: a claim, a control, of the timing or of the learning half."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcv04.harness.claims.claim import ClaimInfo

#: Where the fixture `claim` is defined.
CLAIM_FIXTURES = "dlcv04.harness.session.claim_fixtures"


def is_claim(item: Any) -> bool:
    """Whether a test is decorated with `@claim` or takes the fixture; others may use these names for their own."""
    return decoration(item) is not None or takes_claim(item)


def decoration(item: Any) -> ClaimInfo | None:
    """What `@claim` says of a test; None where it is not decorated."""
    module = sys.modules.get("dlcv04.harness.claims.claim")  # whoever decorates has imported it
    if module is None:
        return None
    for marker in item.iter_markers("claim"):
        if marker.args and isinstance(marker.args[0], module.ClaimInfo):
            info: ClaimInfo = marker.args[0]
            return info
    return None


def takes_claim(item: Any) -> bool:
    """Whether a test takes this package's fixture `claim`, or one of its own that takes it in turn."""
    if "claim" not in getattr(item, "fixturenames", ()):
        return False
    for definition in reversed(item._fixtureinfo.name2fixturedefs.get("claim", ())):
        if definition.func.__module__ == CLAIM_FIXTURES:
            return True
        if "claim" not in definition.argnames:
            return False
    return True  # nobody provides it, as pytest will say


def is_control(item: Any) -> bool:
    """Whether a test is the control of a claim."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("claim_mode") == "control"


def is_timing(item: Any) -> bool:
    """Whether a test is a claim about times, and no control."""
    return is_claim(item) and "epoch_time" in item.fixturenames and not is_control(item)


def belongs_to(item: Any, half: str, *, recorded: bool) -> bool:
    """Whether a claim is of the "timing" or of the "learning" half.

    With learning all that has no clock is recorded, and a claim on times counts its networks' parameters too.
    """
    if half == "timing":
        return "epoch_time" in item.fixturenames
    return recorded or "learning" in item.fixturenames


def info_of(item: Any) -> ClaimInfo:
    """What the decorator says of a test, under a heading made from its file's name where it names none."""
    info = decoration(item)
    assert info is not None
    if info.task:
        return info
    title = Path(item.path).stem.removeprefix("test_").replace("_", " ")
    return dataclasses.replace(info, task=re.sub(r"^task(\d)", r"Task \1:", title))
