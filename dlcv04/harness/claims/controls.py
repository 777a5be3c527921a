"""Controls: declared interventions that make a claim false by construction.

A control changes the arms that a test asks for, before anything is measured, and draws other seeds. A claim that
still HOLDS on its control asserts nothing. What the control is depends on the claim's type: ORDER, PAIRED and
REACH put the reference arm in the treatment's place (`reference_everywhere`); EXACT, IDENTITY, EQUIVALENT and
"not better" claims hold between equal arms, so they get a planted difference (`planted`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: Seeds of a control start here, so that a deterministic training does not just repeat the real claim's curves.
CONTROL_SEED_OFFSET = 1000


class ControlError(ValueError):
    """A control can't be applied to the arms of its test."""


@dataclass(frozen=True)
class Control:
    """A named intervention: `change` takes the arms of a test by name and returns the arms to use instead."""

    name: str
    describes: str
    change: Callable[[Mapping[str, Any]], Mapping[str, Any]]

    def apply(self, arms: Mapping[str, Any]) -> dict[str, Any]:
        """Return the changed arms, under the same names.

        Raises:
            ControlError: the control dropped or invented an arm.
        """
        changed = dict(self.change(arms))
        if changed.keys() != arms.keys():
            raise ControlError(
                f"The control {self.name!r} turned the arms {sorted(arms)} into {sorted(changed)}; "
                "a control changes what an arm is, never which arms there are."
            )
        return changed


def reference_everywhere(reference: str) -> Control:
    """Every arm becomes the reference arm: no ordered claim between them can be true.

    Examples:
        >>> reference_everywhere("base").apply({"base": "a net", "wide": "another net"})
        {'base': 'a net', 'wide': 'a net'}
    """

    def change(arms: Mapping[str, Any]) -> Mapping[str, Any]:
        if reference not in arms:
            raise ControlError(f"The control needs the arm {reference!r}; the test has {sorted(arms)}.")
        return dict.fromkeys(arms, arms[reference])

    return Control(
        name=f"every arm is {reference}",
        # Stored with a claim: other words make every baseline STALE.
        describes=f"the arm `{reference}` stands in every arm's place, with other seeds",
        change=change,
    )


def planted(describes: str, change_arm: Callable[[Any], Any], *, only: str | None = None) -> Control:
    """Arms are changed by `change_arm`, a difference of at least two margins (one layer one unit wider, say).

    Args:
        describes: the change in words.
        change_arm: takes an arm as the test wrote it, returns what stands in its place.
        only: the one arm to change, for claims that arms are alike (EQUIVALENT, IDENTITY, "not better"): what changes
            them all leaves them alike. Without it every arm is changed.

    Examples:
        >>> from functools import partial
        >>> one_wider = planted("one unit wider", lambda net: partial(net.func, units=net.keywords["units"] + 1))
        >>> one_wider.apply({"base": partial(dict, units=8)})["base"]()
        {'units': 9}
    """

    def change(arms: Mapping[str, Any]) -> Mapping[str, Any]:
        if only is not None and only not in arms:
            raise ControlError(f"The control changes the arm {only!r}; the test has {sorted(arms)}.")
        return {name: change_arm(arm) if only in (None, name) else arm for name, arm in arms.items()}

    where = "" if only is None else f" in the arm `{only}`"
    return Control(name=describes, describes=f"planted{where}: {describes}", change=change)


def real_id(nodeid: str) -> str:
    """The node id of the claim that a control belongs to; a claim's own id is returned as it is."""
    return re.sub(r"([\[-])control\]$", lambda m: "" if m[1] == "[" else "]", nodeid)
