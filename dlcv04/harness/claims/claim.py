"""The decorator `claim`, and what it says of a test."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from dlcv04.harness.claims.controls import Control
from dlcv04.harness.policy import BACKENDS, KINDS, PROFILES
from dlcv04.harness.store.schema import Published

Test = TypeVar("Test", bound=Callable[..., Any])


class ClaimError(ValueError):
    """A claim is written in a way that can't be judged."""


@dataclass(frozen=True)
class ClaimInfo:
    """What the decorator `claim` says of a test."""

    sentence: str
    control: Control
    slide: int | None = None
    published: Published = field(default_factory=Published)
    judged_from: str = "smoke"
    task: str = ""
    judged_on: tuple[str, ...] = ()
    elsewhere: str = ""

    def lacks(self, backend: str, device: str) -> str:
        """What can judge the claim, and why this backend on this kind of device can't; "" where it can."""
        if not self.judged_on or any({*each.split()} <= {backend, device} for each in self.judged_on):
            return ""
        return f"{self.judged_by} ({self.elsewhere})"

    @property
    def judged_by(self) -> str:
        """What can judge the claim, in words, where not everything can."""
        *names, last = (each.replace(" ", " on a ") for each in self.judged_on)
        return f"{', '.join(names)} or {last}" if names else last


def claim(
    sentence: str,
    *,
    control: Control,
    slide: int | None = None,
    published: Published | str = "",
    judged_from: str = "smoke",
    judged_on: Collection[str] = (),
    elsewhere: str = "",
    task: str = "",
) -> Callable[[Test], Test]:
    """Declare that a test judges a claim.

    Args:
        sentence: the claim, as a person would say it.
        control: the intervention that makes the claim false by construction; a claim without one can't be
            collected, since nobody could know that it is able to fail.
        slide: the slide of the 2016 talk.
        published: the published figures, as a sentence or as `Published`.
        judged_from: the smallest profile that can judge the claim; in a smaller one it is not run, but listed.
        judged_on: where not everything can judge the claim, what can: a backend ("jax"), a kind of device ("gpu") or
            both ("jax gpu"); elsewhere it is not run, but listed.
        elsewhere: why nothing else can, with the figure that shows it.
        task: the heading under which the report shows the claim.

    Raises:
        ClaimError: no control, an unknown profile, backend or device, or `judged_on` without its reason.

    Examples:
        >>> @claim("A wider layer is slower", control=reference_everywhere("narrow"))
        ... def test_wider_is_slower(epoch_time, claim):
        ...     times = epoch_time(narrow=narrow_net, wide=wide_net)
        ...     claim.slower(times.wide, than=times.narrow, by=1.10)
    """
    if not isinstance(control, Control):
        raise ClaimError(
            f"The claim {sentence!r} has no control: pass control=reference_everywhere('<arm>') or "
            "control=planted('<what>', change_arm), so that it can be shown able to fail."
        )
    if judged_from not in PROFILES:
        raise ClaimError(f"The claim {sentence!r} has judged_from={judged_from!r}; profiles are {PROFILES}.")
    _check_judged_on(sentence, judged_on, elsewhere)
    figures = Published(sentence=published) if isinstance(published, str) else published
    info = ClaimInfo(sentence, control, slide, figures, judged_from, task, tuple(sorted(judged_on)), elsewhere)
    return _ClaimMark(pytest.mark.claim(info).mark, _ispytest=True)


def _check_judged_on(sentence: str, judged_on: Collection[str], elsewhere: str) -> None:
    named = [judged_on] if isinstance(judged_on, str) else judged_on
    known = {*BACKENDS, *KINDS, *(f"{backend} {kind}" for backend in BACKENDS for kind in KINDS)}
    if isinstance(judged_on, str) or not known.issuperset(named):
        raise ClaimError(
            f"The claim {sentence!r} has judged_on={judged_on!r}: give a set of backends ({', '.join(BACKENDS)}), "
            f"kinds of devices ({', '.join(KINDS)}) or both, as in {{'tensorflow', 'jax gpu'}}."
        )
    if bool(named) != bool(elsewhere):
        raise ClaimError(
            f"The claim {sentence!r} has judged_on={judged_on!r} and elsewhere={elsewhere!r}: give both, what can "
            "judge it and why nothing else can."
        )


class _ClaimMark(pytest.MarkDecorator):
    """pytest's mark, which also marks what has no name of its own.

    pytest takes a lambda or a partial for a further argument of the mark, and the claim would be lost without a word.
    """

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        test = getattr(arguments[0], "__func__", arguments[0]) if len(arguments) == 1 and not named else None
        if not callable(test) or getattr(test, "__name__", "<lambda>") != "<lambda>":
            return super().__call__(*arguments, **named)
        test.pytestmark = [*getattr(test, "pytestmark", ()), self.mark]
        return arguments[0]
