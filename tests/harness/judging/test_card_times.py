"""The gate on a card, compared with the five processes of an H100 that are stored, with faults planted into a sixth."""

import math
import random
from pathlib import Path

import msgspec
import pytest

from dlcv04.harness.judging import suspects
from dlcv04.harness.judging.card_times import SHAPES, CardHistory, sessions
from dlcv04.harness.judging.comparisons import Context, with_stored
from dlcv04.harness.judging.outcome import of_row
from dlcv04.harness.judging.stored_times import level
from dlcv04.harness.policy import Policy
from dlcv04.harness.stats import PRIOR_CARD_PROCESS_SD, PRIOR_CARD_SESSION_SD, PRIOR_PROCESS_SD
from dlcv04.harness.store.reading import read_run
from dlcv04.harness.store.schema import SECONDS, Against, PairRounds, Recheck
from dlcv04.harness.store.stored import Stored
from tests.harness.judging.records import a_run, timed

CLASS = "gpu-nvidia-h100-80gb-x1-700w"
FILES = sorted((Path(__file__).parents[3] / "baselines" / CLASS).glob("0*.json"))
RUNS = [(file.name, read_run(file)) for file in FILES]


def planted(arm, fault):
    """The arm with its rounds' seconds changed: `fault(place, seconds, rounds)`."""
    rounds = arm.round_seconds
    return msgspec.structs.replace(arm, round_seconds=[fault(i, t, len(rounds)) for i, t in enumerate(rounds)])


def pairs(run, arm, ratio, count):
    """Process pairs as quiet as an H100's: rounds 1 %, processes 1 % apart."""
    draw = random.Random(f"{arm.fullname}{ratio}")
    found = []
    for number in range(count):
        new = 0.02 * ratio * math.exp(draw.gauss(0, 0.01))
        sides = [[base * math.exp(draw.gauss(0, 0.01)) for _ in range(20)] for base in (0.02, new)]
        found.append(
            PairRounds(
                test=arm.test, arm=arm.name, pair=number, steps=64, images_per_step=128, old_seconds=sides[0],
                new_seconds=sides[1],
            )
        )  # fmt: skip
    commit = run.commit.id
    known = {"process_sd": 0.025, "process_df": 10.0, "process_source": "prior", "gated": 21}
    return Against(rev=commit[:12], commit=commit, tests=3, pairs=found, **known)


def seconds(fault, ratio=None, process=0):
    """The rows of times of a sixth process with this fault; with a ratio, process pairs were run and showed it."""
    _, run = RUNS[process]
    context = Context(run.key, CLASS, Stored(timing=RUNS), Policy(), run.environment.software)
    rows = []
    for claim in run.claims:
        arms = [planted(arm, fault) for arm in run.arms if arm.test == claim.test and len(arm.round_seconds) >= 8]
        records = [Recheck(test=claim.test, against=pairs(run, arm, ratio, 4)) for arm in arms] if ratio else []
        for arm in arms:
            mine = [one for one in records if one.against.pairs[0].arm == arm.name]
            judged = msgspec.structs.replace(claim, comparisons=[])
            held = Context(run.key, CLASS, context.stored, Policy(), context.software, (), mine)
            found = suspects.settled(judged, [arm], held, None)
            rows += [row for row in found if (row.metric, row.arm) == (SECONDS, arm.name) and row.verdict != "STALE"]
    assert len(rows) == 7
    return rows


def unchanged(_, t, __):
    return t


@pytest.mark.parametrize("process", range(5))
def test_unchanged_code_is_green(process):
    for ratio in (None, 1.0):
        assert {row.verdict for row in seconds(unchanged, ratio, process)} == {"PASS"}


@pytest.mark.parametrize("ratio", [1.10, 1.13])
def test_a_slowdown_is_red_by_pairs_and_without_them_the_row_says_what_is_seen(ratio):
    def slower(_, t, __):
        return ratio * t

    assert {row.verdict for row in seconds(slower, ratio)} == {"REGRESSED"}
    for row in seconds(slower):
        assert row.verdict in {"PASS", "INCONCLUSIVE"} and "5 stored processes of 1 session;" in row.method
        assert "stored processes alone see a slowdown of 1.7" in row.method


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda i, t, n: t * (1.5 if i >= n * 2 // 3 else 1.0), "the last third of its rounds over the first"),
        (lambda i, t, n: t * (2.0 if i % 4 == 3 else 1.0), "the mean of its rounds over their median"),
        (lambda i, t, n: t * (2.0 if i % 4 == 0 else 1.0), "the mean of its rounds over their median"),
    ],
    ids=["the last third", "every fourth", "every fourth from the first"],
)
@pytest.mark.parametrize("process", range(5))
def test_slow_rounds_are_red_though_the_level_is_not(fault, said, process):
    for ratio in (None, 1.0):
        for row in seconds(fault, ratio, process):
            assert row.verdict == "REGRESSED" and said in row.reason


@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.75])
def test_what_no_change_of_code_makes_faster_is_changed(ratio):
    for row in seconds(lambda i, t, n: ratio * t):
        assert row.verdict == "CHANGED" and "a wait for the device that was lost" in row.reason
        assert (of_row(row, strict=False), of_row(row, strict=True)) == ("yellow", "red")


def test_one_slow_round_is_a_hiccup():
    assert {row.verdict for row in seconds(lambda i, t, n: t * (3.0 if i == 5 else 1.0))} == {"PASS"}


def history(*starts, level_of=lambda number: 0.0):
    runs = [
        msgspec.structs.replace(
            a_run(timed(0.2 * math.exp(level_of(i)), seed=i, noise=0.005, calibrator_seconds=[])), started=start
        )
        for i, start in enumerate(starts)
    ]
    return CardHistory(runs, lambda arm: level(arm).seconds, lambda arm: True)


def count(*starts):
    found = history(*starts)
    return len(found.by_session([arm for run in found.runs for arm in run.arms]))


def test_a_session_is_what_started_together():
    day = "2026-11-{:02d}T07:{:02d}:00+00:00".format
    assert count(*(day(1, minute) for minute in range(5))) == 1
    assert count(*(day(number, 0) for number in range(1, 6))) == 5
    assert count(day(1, 0), day(2, 0), day(1, 5)) == 2
    assert count("2026-11-01T07:00:00", "2026-11-01T08:00:00+00:00", "2026-11-01T14:00:00+00:00") == 2
    assert count("t", "", "unknown") == 1


@pytest.mark.parametrize(
    ("boots", "expected"),
    [
        (("2026-11-01T06:00:00+00:00", "2026-11-01T06:00:02+00:00"), 1),
        (("2026-11-01T06:00:00+00:00", "2026-11-01T07:01:00+00:00"), 2),
        (("2026-11-01T06:00:00+00:00", ""), 1),
        (("", ""), 1),
    ],
)
def test_a_reboot_begins_another_session(boots, expected):
    runs = [
        msgspec.structs.replace(
            a_run(timed(seed=i)),
            started=f"2026-11-01T07:{i}0:00+00:00",
            environment=msgspec.structs.replace(a_run().environment, booted=boot),
        )
        for i, boot in enumerate(boots)
    ]
    assert len(sessions(runs)) == expected


def test_the_shipped_prior_is_a_cards_own():
    """The stored processes of an H100 lie within it; 1.2 % within a session, half of .97 to 1.13 between machines."""
    assert history("2026-11-01T07:00:00+00:00").process.sd == PRIOR_CARD_PROCESS_SD < PRIOR_PROCESS_SD / math.sqrt(2)
    assert pytest.approx(math.log(1.13 / 0.97) / 2, abs=0.002) == PRIOR_CARD_SESSION_SD


def test_own_sessions_replace_the_prior_from_ten_degrees_of_freedom_on():
    starts = [f"2026-11-{number:02d}T07:00:00+00:00" for number in range(1, 12)]
    assert history(*starts[:10]).session == ((PRIOR_CARD_SESSION_SD, math.inf), "shipped prior")
    spread, source = history(*starts, level_of=lambda number: 0.01 * (number % 2)).session
    assert source == "this class's own sessions" and spread.df == 10 and 0.005 <= spread.sd < 0.01
    together = [f"2026-11-01T07:{number:02d}:00+00:00" for number in range(20)]
    assert history(*together).session[1] == "shipped prior"


def test_each_figure_of_a_process_is_of_its_rounds_alone():
    slow, late = SHAPES
    rounds = [1.0] * 8 + [1.5] * 4
    assert late.of(rounds) == pytest.approx(math.log(1.5)) and late.of([9 * t for t in rounds]) == late.of(rounds)
    assert slow.of([1.0] * 11 + [9.0]) == 0 and slow.of([1, 1, 1, 2] * 3) == pytest.approx(math.log(13 / 11))


def test_the_three_figures_share_the_budget():
    _, run = RUNS[0]
    context = Context(run.key, CLASS, Stored(timing=RUNS), Policy())
    assert context.gate.gated == 21
    assert with_stored(run.claims[0], [], context)
