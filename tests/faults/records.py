"""Any stored record: the fields of rich runs with strange values in a few of them, and all that is done with a run."""

import copy

import msgspec
from hypothesis import strategies as st

from dlcv04.harness.judging import card_times, outcome, power
from dlcv04.harness.judging.assertions import PEAK_MEMORY
from dlcv04.harness.judging.assertions.seeds import ANSWERS
from dlcv04.harness.judging.replay import rejudge
from dlcv04.harness.report.renderers import github, html_page, json_document, junit, markdown, terminal
from dlcv04.harness.store import acceptance
from dlcv04.harness.store.schema import (
    LEARNING,
    NETWORK,
    SECONDS,
    Against,
    Commit,
    Figure,
    PairRounds,
    Recheck,
    Run,
    to_builtins,
)
from dlcv04.harness.store.stored import Stored
from tests.harness.report import sample

HUGE = 2**70
WORDS = [
    *("HOLDS", "VIOLATED", "INCONCLUSIVE", "REGRESSED", "PASS", "MISSING", "STALE", "CHANGED", "IMPROVED", "NO_BASELINE"),
    *("ORDER", "PAIRED", "EQUIVALENT", "REACH", "LEVEL", "IDENTITY", "EXACT", "times", "learning", "exact", "ok", "diverged"),
    *("seeds", "pairs", "points", "ratio", "bytes", "<", ">=", "==", ">", "lower", "higher", "none", "0101", "new", "old", "base"),
    *(PEAK_MEMORY, ANSWERS, SECONDS, LEARNING, NETWORK, "validation accuracy", "val_loss", "mae", "energy per 1,000 images"),
    *("smoke", "paper", "gpu", "cpu", "timing", "portable", "2026-01-31T23:40:12", "2026-01-31T23:40:12+00:00", "9999-12-31T23:59:59-12:00"),
]  # fmt: skip
# fmt: off
VALUES = [
    *(0, -1, 1, HUGE, -HUGE, 10**400, 0.0, -0.0, -1.0, 1.0, 0.5, 1e-320, 1e-30, 1e-9, 1e9, 1e15, 1e30, 3e38, 1e308, -1e308),
    *(None, True, False, "", "x", "\n::error::x\x1b[31m", "\ud800"),
    *([], {}, [0], [0.0], [None], [1e308, 1e308], [[]], {"x": None}, {"x": 1}),
]  # fmt: skip


def _pairs(test, arm):
    return [
        PairRounds(test=test, arm=arm, pair=n, steps=2, images_per_step=3, old_seconds=[1.0, 1.1, 1.0], new_seconds=[1.0, 1.2, 1.1])
        for n in range(4)
    ]  # fmt: skip


def _small(run):
    """The run with two layers a network and four epochs a curve, and without the arms of some tests."""
    replace = msgspec.structs.replace
    arms = [
        replace(
            arm,
            layers=arm.layers[:2],
            curves=[replace(c, epochs=c.epochs[:4]) for c in arm.curves],
            round_index=arm.round_index,
        )
        for arm in run.arms
        if not arm.test.endswith(("counts", "cost_memory", "yet_slower"))
    ]
    return replace(run, arms=arms)


def rich_runs():
    """Runs that have, together, every record and every kind of verdict; the later ones judge what the first measured."""
    known, kinds = (_small(run) for run in (sample.sample_run(), sample.kinds_run()))
    test, arm = known.arms[2].test, known.arms[2].name
    against = Against(
        rev="HEAD",
        commit="c" * 40,
        tests=3,
        process_sd=0.02,
        process_df=19,
        process_source="s",
        pairs=_pairs(test, arm),
    )
    figures = [
        Figure(name=PEAK_MEMORY, kind="times", unit="bytes", direction="lower", values=[1e6, 1.1e6, None]),
        Figure(
            name="own", kind="learning", unit="", direction="higher", values=[0.1, 0.2, 0.3, 0.4], index=[1, 2, 3, 4]
        ),
    ]
    replace = msgspec.structs.replace
    arms = [replace(arm, figures=figures, values=[0.5, 0.25], key={"data": "d"}) for arm in known.arms]
    memory = [replace(kinds.claims[0].assertions[0], metric=PEAK_MEMORY), *kinds.claims[0].assertions]
    return [
        known,
        replace(known, arms=arms, against=against, repeats=arms[2:5], rechecks=[Recheck(test=test, against=against)]),
        replace(kinds, claims=[replace(kinds.claims[0], assertions=memory)], arms=[replace(a, figures=figures) for a in kinds.arms]),
        replace(known, device="gpu", arms=[replace(a, calibrator_seconds=[], clocks={"sm": 1.0}) for a in known.arms]),
    ]  # fmt: skip


RICH = rich_runs()
_PLAIN = [to_builtins(run) for run in RICH]


def _places(value, path=()):
    """The paths of all values below a value."""
    for key, below in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(below, dict | list) and below:
            yield from _places(below, (*path, key))


PLACES = [list(_places(plain)) for plain in _PLAIN]


def changed(plain, path, how, value):
    """Put a value in a record's place, or take away, double or cut what is there."""
    for key in path[:-1]:
        if not isinstance(plain, dict | list) or (key not in plain if isinstance(plain, dict) else key >= len(plain)):
            return
        plain = plain[key]
    key = path[-1]
    if not isinstance(plain, dict | list) or (key not in plain if isinstance(plain, dict) else key >= len(plain)):
        return
    if how == "gone":
        del plain[key]
    elif how == "twice" and isinstance(plain, list):
        plain.insert(key, copy.deepcopy(plain[key]))
    else:
        plain[key] = copy.deepcopy(value(plain[key]))


def alike(value):
    """Other values of the same kind: what a record's types can't refuse."""
    if isinstance(value, bool) or value is None:
        return [True, False, None, 1, 0.5, "x"]
    if isinstance(value, int | float):
        return [
            0,
            1,
            2,
            5,
            -1,
            value + 1,
            value / 2 if isinstance(value, float) else value // 2,
            -value,
            1e30 if isinstance(value, float) else 2**40,
            value * 1000,
        ]
    if isinstance(value, str):
        return ["", "x", value + "2", value[:-1], *WORDS]
    if isinstance(value, list):
        return [[], value[:1], value[1:], value[::-1], value + value[:1], value * 2]
    return [{}, dict(list(value.items())[:1]), dict(list(value.items())[1:])]


#: Up to three edits of one of the rich runs, in a form that reads shortly: which run; the place, the way, the new value.
edits = st.tuples(
    st.integers(0, len(_PLAIN) - 1),
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.sampled_from(["alike"] * 6 + ["value", "gone", "twice"]), st.integers(0, 10**6)
        ),
        min_size=1,
        max_size=3,
    ),
)


def block(edited):
    """The `dlcv04` block that these edits make."""
    number, changes = edited
    plain = copy.deepcopy(_PLAIN[number])
    for place, how, choice in changes:
        path = PLACES[number][place % len(PLACES[number])]

        def new(old, how=how, choice=choice):
            values = alike(old) if how == "alike" else VALUES
            return values[choice % len(values)]

        changed(plain, path, how, new)
    return plain


def _judged(run, beside):
    yield rejudge(run, None)
    yield rejudge(run, Stored(timing=beside, portable=beside), strict=True)


def _judging(run, beside):
    """Others judged by it, before and after it was accepted."""
    accepted = [_accepted(run, part) for part in acceptance.parts(run)]
    stored = Stored(timing=[("1", run), *(("2", one) for one in accepted)], portable=[("3", one) for one in accepted])
    yield from (rejudge(one, stored, companions=[run]) for _, one in beside)


def _stored(run, beside):
    timed = [run, *(one for _, one in beside if one.key == run.key)]
    card_times.sessions(timed)
    power.power(timed, run, pair_sd=0.02, pair_df=19)
    acceptance.may_accept(run)
    acceptance.span([run])
    yield from ()


def _page(run, beside):
    yield html_page.render(run, [one for _, one in beside])


def _texts(run, beside):
    yield from terminal.lines(run)
    yield from github.commands(run, {})
    yield markdown.render(run, [one for _, one in beside])
    yield json_document.render(run, [one for _, one in beside])
    yield from (value for claim in run.claims for _, value in junit.properties(claim))


def _new_texts(run, beside):
    """What is said of it once it was judged against others."""
    (_, judged) = _judged(run, beside)
    yield from terminal.lines(judged)
    yield from (outcome.of_claim(claim, strict=True).text for claim in judged.claims)


#: All that is done with a stored run, one a function of the run and of others that it stands beside.
USES = (_judged, _judging, _stored, _page, _texts, _new_texts)


def use(run: Run, how):
    """Do one of these things; return what comes of it."""
    return list(how(run, [("x", one) for one in RICH[1:3]]))


def _accepted(run, part):
    record = acceptance.Acceptance(reason="r", accepted="t", commit=Commit(), part=part)
    return acceptance.only_part(run, part, record)
