"""Several runs side by side: what each says of the same claims, what differs, and what changed by more than noise.

Nothing here judges. Verdicts are those that the runs were given. Whether a figure changed by more than noise is decided
by the gate's own rules, with the first run as the only stored one: they keep the false alarms of a whole run at 1 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_uppercase
from typing import NamedTuple

import msgspec

from dlcv04.harness.judging import comparisons, figures
from dlcv04.harness.judging.differences import EXACT_FIGURES
from dlcv04.harness.policy import PROFILES, Policy
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model import tone
from dlcv04.harness.report.model.badges import BADGES, Badge
from dlcv04.harness.report.model.claims import real_claims, told_apart
from dlcv04.harness.report.model.facts import Fact, commit, data_in_words
from dlcv04.harness.store.schema import NETWORK, Arm, Assertion, Claim, Comparison, Picture, Run
from dlcv04.harness.store.stored import Stored

#: More columns than these can't be read beside each other.
MOST_SIDES = 4
#: Of a comparison with the first run these say that a figure is not what it was, whichever way.
_MOVED = {"REGRESSED", "IMPROVED", "CHANGED"}
#: Counts of a network that stand behind its parameters and all that was measured.
_OTHER_COUNTS = {fmt.count_name(what) for what in EXACT_FIGURES if what != "parameters"}


@dataclass(frozen=True)
class Side:
    """One of the runs: its letter, in which facts it is not like the others, and how often it gave each verdict.

    Of comparisons with stored runs, `counts` has those that stand out.
    """

    letter: str
    run: Run
    facts: tuple[Fact, ...]
    counts: tuple[tuple[Badge, int], ...]


@dataclass(frozen=True)
class Difference:
    """A property of machine, software or settings that is not the same in all runs."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """What one run says: a verdict where it has one, else why not; an effect with its interval, as text and to draw."""

    badge: Badge | None
    effect: str = ""
    drawn: Assertion | None = None
    why: str = ""


@dataclass(frozen=True)
class Asserted:
    """One assertion of a claim, in each run."""

    sentence: str
    limit: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Change:
    """A figure of a later run compared with the first run's.

    `moved`: it changed by more than noise; `worse`: and for the worse. `note` says what to know about it.
    """

    text: str
    moved: bool = False
    note: str = ""
    worse: bool = False


@dataclass(frozen=True)
class FigureRow:
    """One figure in each run, and how far the later ones are from the first; None where there is nothing to say."""

    arm: str
    name: str
    values: tuple[str, ...]
    changes: tuple[Change | None, ...]

    @property
    def moved(self) -> bool:
        """Whether it changed by more than noise in any run."""
        return any(change is not None and change.moved for change in self.changes)

    @property
    def worse(self) -> bool:
        """Whether it changed for the worse in any run."""
        return any(change is not None and change.worse for change in self.changes)


@dataclass(frozen=True)
class Shown:
    """A picture that a claim shows, in each run; None where that run has none of this name."""

    name: str
    pictures: tuple[Picture | None, ...]

    @property
    def is_same(self) -> bool:
        """Whether every run has the very same picture."""
        return len({picture.png if picture else None for picture in self.pictures}) == 1


@dataclass(frozen=True)
class Row:
    """One claim in each run.

    `lead` is the assertion that stands in its line. `curves` has the arm of each run by the arm's name, where any of
    them learnt.
    """

    test: str
    sentence: str
    told_apart: str
    task: str
    cells: tuple[Cell, ...]
    lead: Asserted | None
    asserted: tuple[Asserted, ...]
    figures: tuple[FigureRow, ...]
    curves: Mapping[str, tuple[Arm | None, ...]]
    pictures: tuple[Shown, ...]

    @property
    def is_everywhere(self) -> bool:
        """Whether every run judged it."""
        return all(cell.badge is not None for cell in self.cells)

    @property
    def differs(self) -> bool:
        """Whether the runs that judged it, or one of its assertions, came to other verdicts."""
        lines = [self.cells, *(one.cells for one in self.asserted)]
        return any(len({cell.badge.word for cell in cells if cell.badge}) > 1 for cells in lines)

    @property
    def moved(self) -> tuple[FigureRow, ...]:
        """The figures that changed by more than noise."""
        return tuple(row for row in self.figures if row.moved)


@dataclass(frozen=True)
class Beside:
    """Runs side by side.

    `shared` are the facts that all runs have in common, `notes` say what can't be compared; `differing`, `moved`,
    `partial` and `alike` are all rows.
    """

    sides: tuple[Side, ...]
    shared: tuple[Fact, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    differing: tuple[Row, ...]
    moved: tuple[Row, ...]
    partial: tuple[Row, ...]
    alike: tuple[Row, ...]

    @property
    def sentence(self) -> str:
        """What there is to see, in one sentence."""
        total = len(self.differing) + len(self.moved) + len(self.partial) + len(self.alike)
        if not total:
            return "None of these runs judged a claim."
        counts = [
            (len(self.differing), "with different verdicts"),
            (len(self.moved), "with figures that changed by more than noise"),
            (len(self.partial), "not judged in every run"),
            (len(self.alike), "without a change"),
        ]
        parts = [f"{count} {what}" for count, what in counts if count]
        return f"{fmt.plural(total, 'claim')}: {', '.join(parts)}."


def build(runs: Sequence[Run]) -> Beside:
    """Runs side by side, the first one the one that the others are compared with.

    Args:
        runs: two to `MOST_SIDES` runs, in the order in which they are shown.
    """
    facts = [_facts(run) for run in runs]
    shared = [fact for fact in facts[0] if all(fact in others for others in facts[1:])]
    sides = tuple(
        Side(letter, run, tuple(f for f in own if f not in shared), _counts_of(run))
        for letter, run, own in zip(ascii_uppercase, runs, facts, strict=False)
    )
    compared = [_Compared(), *(_compared(runs[0], run) for run in runs[1:])]
    claims: dict[str, list[Claim | None]] = {}
    for place, run in enumerate(runs):
        for own in run.claims:
            if not own.is_control:
                claims.setdefault(own.test, [None] * len(runs))[place] = own
    shown = {test: found for test, found in claims.items() if any(claim and claim.judged for claim in found)}
    apart = told_apart(claim for found in shown.values() if (claim := _first(found)))
    rows = [_row(test, found, runs, compared, apart.get(test, "")) for test, found in shown.items()]
    groups = [[row for row in rows if _group(row) == number] for number in range(4)]
    return Beside(sides, tuple(shared), tuple(_differences(runs)), tuple(_notes(sides)), *map(tuple, groups))


def _group(row: Row) -> int:
    """What a reader looks for first: other verdicts, then other figures, then what is not in every run."""
    return 0 if row.differs else 1 if row.moved else 2 if not row.is_everywhere else 3


def _first(found: Iterable[Claim | None]) -> Claim | None:
    return next((claim for claim in found if claim is not None), None)


# --- the runs ---


def _counts_of(run: Run) -> tuple[tuple[Badge, int], ...]:
    rows = [tone.row_badge(row, run) for row in run.comparisons]
    claims = [tone.claim_badge(claim, run) for claim in real_claims(run)]
    return tone.badge_counts([*claims, *(badge for badge in rows if tone.is_red(badge))])


def _facts(run: Run) -> tuple[Fact, ...]:
    """What tells a run from another: commit, backend, versions, machine and data."""
    backend = run.key.get("backend", "unknown")
    versions = [f"{name} {run.environment.software.get(name, '')}".rstrip() for name in (backend, "keras")]
    facts = [
        Fact("Run", run.id),
        Fact("Started", fmt.moment(run.started)),
        commit(run),
        Fact("Backend", ", ".join(versions)),
        Fact("Machine", run.environment.machine_class),
        Fact("Data", data_in_words(run.data) or "none"),
        Fact("Profile", run.profile),
    ]
    return tuple(Fact(f.label, fmt.shorten(f.text, 160), f.title, f.warn) for f in facts)


def _differences(runs: Sequence[Run]) -> Iterable[Difference]:
    """Every property of machine, software and settings that is not the same in all runs."""
    found = [
        {
            "machine class": run.environment.machine_class,
            **run.environment.hardware,
            **run.environment.software,
            **run.key,
            **{f"data: {record.name}": f"{record.kind}, {fmt.fingerprint(record.fingerprint)}" for record in run.data},
        }
        for run in runs
    ]
    for name in dict.fromkeys(name for values in found for name in values):
        values = tuple(values.get(name, "absent") for values in found)
        if len(set(values)) > 1:
            yield Difference(name, values)


def _notes(sides: Sequence[Side]) -> Iterable[str]:
    """What of these runs can't be compared, and what else than the code may be why they differ."""
    if named := _unlike(sides, lambda run: run.profile):
        yield f"Different profiles ({named}): neither times nor learning can be compared."
    if named := _unlike(sides, lambda run: run.environment.machine_class):
        yield f"Different machines ({named}): times are not comparable, and their ratio says nothing about the code."
    if named := _unlike(sides, lambda run: run.key.get("backend", "unknown")):
        yield f"Different backends ({named}): the same seed starts with different weights on each."
    if other := _other_data([side.run for side in sides]):
        yield f"Different data of {', '.join(other)}: learning and times on them can't be compared."
    if len({side.run.id for side in sides}) < len(sides):
        yield "Some of these files are of the same run."


def _unlike(sides: Sequence[Side], of: Callable[[Run], str]) -> str:
    """What each run has where they have not all the same, else ""."""
    values = {side.letter: of(side.run) for side in sides}
    return ", ".join(f"{letter} {value}" for letter, value in values.items()) if len({*values.values()}) > 1 else ""


def _other_data(runs: Sequence[Run]) -> list[str]:
    """Data sets whose pictures differ; using only some of the variants of another run is no difference."""
    found: dict[str, list[frozenset[str]]] = {}
    for run in runs:
        own: dict[str, set[str]] = {}
        for record in run.data:
            own.setdefault(record.name, set()).add(record.fingerprint)
        for name, prints in own.items():
            found.setdefault(name, []).append(frozenset(prints))
    apart = [name for name, each in found.items() if any(not (a <= b or b <= a) for a, b in combinations(each, 2))]
    return list(dict.fromkeys(name.partition(",")[0] for name in apart))


# --- a claim in each run ---


def _row(
    test: str,
    found: Sequence[Claim | None],
    runs: Sequence[Run],
    compared: Sequence[_Compared],
    apart: str,
) -> Row:
    known = _first(found)
    assert known is not None  # a test is listed because a run has its claim
    judged = [claim if claim and claim.judged else None for claim in found]
    arms = [{arm.name: arm for arm in run.arms if arm.test == test} for run in runs]
    asserted = tuple(_asserted(judged))
    lead = _lead(asserted)
    cells = tuple(_cell(claim, run, place, lead) for place, (claim, run) in enumerate(zip(found, runs, strict=True)))
    rows = _figures(judged, arms, [rows.get(test, {}) for rows in compared])
    return Row(
        test=test,
        sentence=known.sentence,
        told_apart=apart,
        task=known.task,
        cells=cells,
        lead=lead,
        asserted=asserted,
        figures=tuple(sorted(rows, key=lambda row: (not row.moved, not row.worse, row.name in _OTHER_COUNTS))),
        curves=_curves(arms),
        pictures=tuple(_pictures(judged)),
    )


def _cell(claim: Claim | None, run: Run, place: int, lead: Asserted | None) -> Cell:
    if claim is None:
        return Cell(None, why="not in this run")
    if not claim.judged:
        return Cell(None, why=f"waits for {claim.needs}")
    badge = tone.claim_badge(claim, run)
    if lead is None:
        return Cell(badge, why=fmt.shorten(claim.reason, 200))
    return Cell(badge, lead.cells[place].effect, lead.cells[place].drawn)


def _asserted(claims: Sequence[Claim | None]) -> Iterable[Asserted]:
    """Each assertion in each run; one is known again by what it is about, since its sentence may hold its margin."""
    by_key = [dict(_keyed(claim.assertions)) if claim else {} for claim in claims]
    for key in dict.fromkeys(key for found in by_key for key in found):
        alike = [found.get(key) for found in by_key]
        known = next(a for a in alike if a is not None)
        cells = tuple(
            Cell(BADGES[a.verdict], fmt.assertion_effect(a), a, a.reason) if a else Cell(None, why="not asserted")
            for a in alike
        )
        limits = dict.fromkeys(fmt.assertion_limit(a) for a in alike if a)
        yield Asserted(known.sentence, " / ".join(limits), cells)


def _keyed(assertions: Sequence[Assertion]) -> Iterable[tuple[tuple[object, ...], Assertion]]:
    seen: dict[tuple[object, ...], int] = {}
    for a in assertions:
        key = (a.kind, a.treatment, a.reference, a.metric, a.unit)
        seen[key] = seen.get(key, 0) + 1
        yield (*key, seen[key]), a


def _lead(asserted: Sequence[Asserted]) -> Asserted | None:
    """The assertion that a claim's line shows: one with other verdicts, else the one whose effects lie widest apart."""
    return max(asserted, key=_apart, default=None)


def _apart(one: Asserted) -> tuple[bool, bool, float]:
    """Whether verdicts differ, whether there is an interval, and the effects' distance in widths of their intervals."""
    verdicts = {cell.badge.word for cell in one.cells if cell.badge}
    known = [a for cell in one.cells if (a := cell.drawn) and fmt.is_number(a.effect)]
    effects = [a.effect or 0.0 for a in known]
    widths = [a.high - a.low for a in known if a.low is not None and a.high is not None and a.high > a.low]
    distance = (max(effects) - min(effects)) / min(widths) if widths else 0.0
    return len(verdicts) > 1, bool(widths), distance if math.isfinite(distance) else 0.0


# --- figures ---


#: Comparisons by test, then by arm and metric.
_Compared = dict[str, dict[tuple[str, str], Comparison]]


def _compared(first: Run, run: Run) -> _Compared:
    """What the gate finds of `run` with `first` as the only stored run."""
    stored = [("A", _as_stored(first, run))]
    same_machine = first.environment.machine_class == run.environment.machine_class
    context = comparisons.Context(
        run.key,
        run.environment.machine_class,
        Stored(timing=stored, portable=stored) if same_machine else Stored(portable=stored, elsewhere=stored),
        # A run is red after three slower processes; here one a side is all there is, and nothing turns red.
        Policy(profile=run.profile if run.profile in PROFILES else PROFILES[0], compare=True, processes_red=1),
        software=run.environment.software,
    )
    by_test: dict[str, list[Arm]] = {}
    for arm in run.arms:
        by_test.setdefault(arm.test, []).append(arm)
    return {
        claim.test: {
            (row.arm, row.metric): row for row in comparisons.with_stored(claim, by_test.get(claim.test, []), context)
        }
        for claim in real_claims(run)
    }


def _as_stored(first: Run, run: Run) -> Run:
    """The first run as if it had been stored for the other's backend: where sizes and data agree, figures do compare.

    Times keep apart where one of both runs had a calibrator that the other had not.
    """
    keys = {arm.fullname: arm.key for arm in run.arms}
    arms = [
        msgspec.structs.replace(arm, key=other) if (other := keys.get(arm.fullname)) and _fits(arm.key, other) else arm
        for arm in first.arms
    ]
    return msgspec.structs.replace(first, arms=arms, key=run.key if first.profile == run.profile else first.key)


def _fits(key: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(key.get(name, "") == other.get(name, "") for name in ("data", "calibrator"))


def _figures(
    claims: Sequence[Claim | None],
    arms: Sequence[Mapping[str, Arm]],
    compared: Sequence[Mapping[tuple[str, str], Comparison]],
) -> Iterable[FigureRow]:
    """Every figure of a claim in every run; the counts of its networks first."""
    yield from _counts(arms)
    found: dict[tuple[str, str], list[figures.Figure | None]] = {}
    for place, (claim, own) in enumerate(zip(claims, arms, strict=True)):
        for figure in figures.of_claim(claim, list(own.values())) if claim else ():
            if figure.name != NETWORK:
                found.setdefault((figure.arm, figure.name), [None] * len(claims))[place] = figure
    for (arm, name), alike in found.items():
        values = [_value(figure, own) if figure else _Value() for figure, own in zip(alike, arms, strict=True)]
        unit = next(figure.unit for figure in alike if figure)
        if any(value.middle is not None or value.failed for value in values):
            changes = [
                _change(rows.get((arm, name)), values[0], now) for rows, now in zip(compared, values, strict=True)
            ]
            yield FigureRow(arm, name, tuple(_shown(name, unit, v) for v in values), (None, *changes[1:]))
    for place, rows in enumerate(compared):
        for (arm, metric), row in rows.items():
            if metric == "curves":
                changes = [Change("", True, row.reason) if other == place else None for other in range(len(arms))]
                yield FigureRow(arm, "curves by seed", (fmt.ABSENT,) * len(arms), tuple(changes))


class _Value(NamedTuple):
    """One number for a figure, the median of rounds or the mean of seeds and units, and how many seeds have none."""

    middle: float | None = None
    failed: int = 0


def _value(figure: figures.Figure, arms: Mapping[str, Arm]) -> _Value:
    values = figure.values(arms)
    known = [value for value in values if math.isfinite(value)]
    failed = len(values) - len(known)
    if not known:
        return _Value(None, failed)
    middle = figure.middle(known)
    # The effect of one time on another is kept as a logarithm.
    return _Value(math.exp(middle) if figure.kind == "times" and not figure.arm else middle, failed)


def _shown(name: str, unit: str, value: _Value) -> str:
    text = fmt.in_unit if name.startswith("effect: ") else lambda middle, unit: fmt.metric_value(name, unit, middle)
    return text(value.middle, unit) + (f", {fmt.plural(value.failed, 'seed')} diverged" if value.failed else "")


def _change(row: Comparison | None, before: _Value, now: _Value) -> Change | None:
    """How far a figure is from the first run's, by the gate's rules where these can compare it."""
    if row is None or before == _Value() or now == _Value():
        return None
    if row.verdict == "NO_BASELINE":
        ratio = now.middle / before.middle if row.kind == "times" and now.middle and before.middle else None
        return Change("" if ratio is None else f"{ratio:.2f}×", note="not comparable")
    if before.failed or now.failed:
        return Change("", before.failed != now.failed)
    # Of times the reasons speak of a gate, except where the machine was busy.
    busy = row.kind == "times" and row.verdict == "INCONCLUSIVE" and row.reason.endswith("prove nothing")
    note = row.reason if busy or (row.verdict in _MOVED and row.kind != "times") else ""
    # Values of units have no interval: the reason counts those that differ.
    text = fmt.comparison_effect(row) if row.low is not None else ""
    if row.unit == "ratio":
        text = text.replace(" [", "× [", 1)
    return Change(text, row.verdict in _MOVED, note, tone.is_regression(row.verdict))


def _counts(arms: Sequence[Mapping[str, Arm]]) -> Iterable[FigureRow]:
    """Parameters of every network, and what else of its counts differs: these have no noise."""
    for name in dict.fromkeys(name for own in arms for name in own):
        for what in EXACT_FIGURES:
            values = [getattr(own[name], what) if name in own else None for own in arms]
            known = {value for value in values if value is not None}
            if not known or (what != "parameters" and len(known) == 1):
                continue
            changes = [_counted(values[0], value, what) for value in values[1:]]
            shown = [fmt.count(what, value) for value in values]
            yield FigureRow(name, fmt.count_name(what), tuple(shown), (None, *changes))


def _counted(before: int | None, now: int | None, what: str) -> Change | None:
    if before is None or now is None:
        return None
    step = now - before
    return Change(("+" if step > 0 else "−") + fmt.count(what, abs(step)) if step else "", moved=step != 0)


# --- curves and pictures ---


def _curves(arms: Sequence[Mapping[str, Arm]]) -> dict[str, tuple[Arm | None, ...]]:
    learnt = dict.fromkeys(name for own in arms for name, arm in own.items() if arm.curves)
    return {name: tuple(own.get(name) for own in arms) for name in learnt}


def _pictures(claims: Sequence[Claim | None]) -> Iterable[Shown]:
    found = [{picture.name: picture for picture in claim.pictures} if claim else {} for claim in claims]
    for name in dict.fromkeys(name for pictures in found for name in pictures):
        yield Shown(name, tuple(pictures.get(name) for pictures in found))
