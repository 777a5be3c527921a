"""What is red, what is open, and the exit code: the only place that decides it.

A live test, `dlcv04 judge` and the report ask here, so they can't disagree. Pure: a function of a claim's record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dlcv04.harness.store.schema import RED, Claim, Comparison, Run

#: Asked to compare, and nothing was comparable.
EXIT_NOTHING_COMPARABLE = 7
#: By this `git bisect run` passes over a commit that can't be judged.
EXIT_UNTESTABLE = 125
#: What is neither red nor green: pytest's category and letter of each word; pytest shows all of them in yellow.
LETTERS = {
    "INCONCLUSIVE": ("inconclusive", "I"),
    "NO_BASELINE": ("no baseline", "N"),
    "CHANGED": ("changed", "C"),
    "CONTROL_WEAK": ("weak control", "W"),
}

#: Verdicts of a control that fail it whatever the options.
BROKEN_CONTROLS = frozenset({"SURVIVED", "NOT RUN"})

Colour = Literal["red", "yellow", "grey", "green"]
#: Comparisons that are undecided: `strict` makes them red.
_OPEN = ("INCONCLUSIVE", "CHANGED")


@dataclass(frozen=True)
class Outcome:
    """What a test ends with.

    Attributes:
        word: the verdict that it is known by: "VIOLATED", "REGRESSED", "INCONCLUSIVE", "HOLDS", "BROKE" ...
        colour: "red" fails it; "yellow" is undecided; "grey" waits for a larger profile or a baseline; "green" holds.
        text: the sentences that say why; empty where it passes.
    """

    word: str
    colour: Colour
    text: str = ""

    @property
    def is_red(self) -> bool:
        """Whether the test fails, and the run with it."""
        return self.colour == "red"

    @property
    def is_open(self) -> bool:
        """Whether it is undecided: what `strict` makes red, but for what this machine lacks."""
        return self.colour == "yellow"

    @property
    def is_shown(self) -> bool:
        """Whether the test is neither failed nor passed: pytest shows it as skipped, with its sentence."""
        return not self.is_red and bool(self.text)


def of_verdict(claim: Claim, *, strict: bool) -> Colour:
    """The colour of a claim's own verdict, whatever its figures compare to; below its profile it has none."""
    if not claim.judged:
        return "grey"
    if claim.verdict == "HOLDS":
        return "green"
    failed = claim.verdict == "VIOLATED" and not claim.expected
    return "red" if failed or strict else "yellow"


def of_row(row: Comparison, *, strict: bool) -> Colour:
    """The colour of one comparison."""
    if row.verdict in RED:
        return "red"
    if row.verdict in _OPEN:
        return "red" if strict else "yellow"
    return "grey" if row.verdict == "NO_BASELINE" else "green"


def of_claim(claim: Claim, *, strict: bool) -> Outcome:
    """The outcome of a claim.

    Violated or red comparisons fail it; that pytest expected the test to fail excuses VIOLATED alone. What is open
    comes next. `strict` makes red what is open, but never what only waits for a larger profile or has no baseline yet.
    """
    red: list[tuple[str, str]] = [
        (row.verdict, f"{row.arm or row.test}: {describe(row)}") for row in claim.comparisons if row.verdict in RED
    ]
    if of_verdict(claim, strict=False) == "red":
        red.insert(0, ("VIOLATED", f"{claim.sentence}: {claim.reason}"))
    if red:
        return Outcome(red[0][0], "red", "\n".join(" ".join(f"{word}: {text}".split()) for word, text in red))
    for word in ("VIOLATED", *_OPEN):
        if found := _said(claim, word):
            text = f"{word}: {claim.sentence}: {found}"
            if word == "VIOLATED":
                text = f"expected {text} (xfail: {claim.expected})"
            return Outcome(word, "red", f"{text} (--dl-strict)") if strict else Outcome(word, "yellow", text)
    if not claim.judged:
        return Outcome("NOT JUDGED", "grey", f"waits for {claim.needs} ({claim.sentence})")
    if claim.comparisons and not comparable(claim.comparisons):
        return Outcome("NO_BASELINE", "grey")
    return Outcome("HOLDS", "green")


def of_control(control: Claim, *, strict: bool) -> Outcome:
    """The outcome of a control: green where it broke its claim.

    A control that is weak for want of something on this machine stays open: its claim is INCONCLUSIVE, which says it
    once.
    """
    word = control.control_verdict or "NOT RUN"
    text = f"{control.sentence}: control ({control.control}): {control.reason}"
    if word in BROKEN_CONTROLS:
        return Outcome(word, "red", f"CONTROL {word}: {text}")
    if word == "CONTROL_WEAK":
        if strict and not control.lacking:
            return Outcome(word, "red", f"CONTROL_WEAK: {text} (--dl-strict)")
        return Outcome(word, "yellow", f"CONTROL_WEAK: {text}")
    return Outcome(word, "green")


def of_missing(row: Comparison) -> Outcome:
    """The outcome of a stored test that was not run."""
    return Outcome(row.verdict, "red", f"{row.verdict}: {row.reason}")


def of_test(claim: Claim, *, strict: bool) -> Outcome:
    """The outcome of a claim or of a control."""
    return of_control(claim, strict=strict) if claim.is_control else of_claim(claim, strict=strict)


def is_red(run: Run) -> bool:
    """Whether a test of this run failed, or, under `strict`, whether it was interrupted."""
    failed = bool(run.missing or run.failures) or any(of_test(claim, strict=run.strict).is_red for claim in run.claims)
    return failed or (run.strict and bool(run.interrupted))


def is_open(run: Run) -> bool:
    """Whether nothing failed and something is undecided: a claim, a kind of figure that had nothing to compare with,
    or what an interrupted run did not come to.
    """
    undecided = bool(run.interrupted or lost_kinds(run)) or any(
        of_test(claim, strict=run.strict).is_open for claim in run.claims
    )
    return undecided and not is_red(run)


def exit_status(run: Run, *, asked: bool) -> int:
    """0 all held or passed, 1 a test failed, 7 asked to compare and nothing was comparable (strict: nothing of a kind).

    A run that pytest ended with another code (it was interrupted, it crashed, its author chose one) keeps it.

    Args:
        run: with its verdicts.
        asked: whether stored runs were to be compared with.
    """
    if run.exit_status not in (0, 1, EXIT_NOTHING_COMPARABLE):
        return run.exit_status
    if is_red(run):
        return 1
    if run.against is not None and not run.against.pairs:
        return EXIT_NOTHING_COMPARABLE
    if run.strict and lost_kinds(run):
        return EXIT_NOTHING_COMPARABLE
    return EXIT_NOTHING_COMPARABLE if asked and not comparable(run.comparisons) else 0


def bisect_status(run: Run | None, code: int) -> int:
    """The code by which `git bisect run` learns of a commit: 0 good, 1 bad, 125 neither can be said of it.

    Bad is one whose claim is VIOLATED or whose figure REGRESSED, whatever else remained open; under `strict` also one
    whose figure CHANGED. What failed for another reason (an error, a stored test that is gone) says nothing of it.

    Args:
        run: with its verdicts; None where no claim was run.
        code: what pytest would end with.
    """
    if run is None:
        return EXIT_UNTESTABLE
    claims = [claim for claim in run.claims if not claim.is_control]
    if code == 1 and any(_is_bad(claim, strict=run.strict) for claim in claims):
        return 1
    return 0 if code == 0 and any(claim.judged for claim in claims) and not is_open(run) else EXIT_UNTESTABLE


def _is_bad(claim: Claim, *, strict: bool) -> bool:
    words = {row.verdict for row in claim.comparisons}
    violated = claim.verdict == "VIOLATED" and of_verdict(claim, strict=False) == "red"
    return violated or "REGRESSED" in words or (strict and "CHANGED" in words)


def lost_kinds(run: Run) -> list[str]:
    """The kinds of figures of which some are stored, and none could be compared: on new hardware all its times.

    Such a kind is never a green tick: its gate was not there.
    """
    found: dict[str, list[Comparison]] = {}
    for row in run.comparisons:
        if row.kind is not None and row.asserted:
            found.setdefault(row.kind, []).append(row)
    return [kind for kind, rows in found.items() if not comparable(rows) and any(row.baselines for row in rows)]


def comparable(rows: Iterable[Comparison]) -> bool:
    """Whether one of these figures at least found something to be compared with."""
    return any(row.verdict != "NO_BASELINE" for row in rows)


def describe(row: Comparison) -> str:
    """A comparison's figures and reasons in one line."""
    figures = ""
    if row.effect is not None and row.unit == "ratio":
        interval = f"{row.effect:.3f} [{_value(row.low, '.3f')}, {_value(row.high, '.3f')}]"
        figures = f"{_value(row.new, '.3g')} now, {_value(row.old, '.3g')} stored, ratio {interval}"
    elif row.effect is not None and row.unit == "points":
        figures = f"{_value(row.new)} now, {_value(row.old)} stored"
    text = "; ".join(filter(None, (figures, row.reason)))
    changes = [change for change in row.differences if change not in row.reason]
    return f"{row.metric}: {text}" + (f" (differs from the baseline: {'; '.join(changes)})" if changes else "")


def _value(value: float | None, form: str = ".4f") -> str:
    return "none" if value is None else format(value, form)


def _said(claim: Claim, word: str) -> str:
    """What of a claim has this undecided verdict, in words; empty where nothing has."""
    rows = [f"{row.arm}: {describe(row)}" for row in claim.comparisons if row.verdict == word]
    undecided = word == claim.verdict and of_verdict(claim, strict=False) == "yellow"
    return "; ".join([claim.reason or "undecided"] * undecided + rows)
