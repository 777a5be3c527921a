"""Everything that is measured is compared with stored runs, by one rule a kind."""

import math
import random

import msgspec
import pytest

from dlcv04.harness.judging import figures
from dlcv04.harness.judging.comparisons import Context, with_stored
from dlcv04.harness.policy import Policy
from dlcv04.harness.store.schema import Arm, Assertion, EpochRow, Figure, SeedCurve
from dlcv04.harness.store.stored import Stored
from tests.harness.judging.records import KEY, TEST, a_claim, a_run, timed

VAL, TRAIN = "mean validation accuracy over epochs", "mean training accuracy over epochs"
VAL_LOSS, TRAIN_LOSS = "validation loss after the last epoch", "training loss after the last epoch"
GAP = "median gap of validation and training loss over the last third of the epochs"
SOONER = "epochs to a validation accuracy of 0.7"


def assertion(kind="PAIRED", treatment="base", reference="small", **fields):
    values = {"margin": 0.01, "effect": 0.1, "low": 0.05, "high": 0.2, "n": 5, "n_unit": "seeds", "unit": "points"}
    return Assertion(
        kind=kind, sentence=f"{kind} {treatment}", treatment=treatment, reference=reference, verdict="HOLDS",
        method="m", **{**values, **fields},
    )  # fmt: skip


PAIRED = assertion(metric=VAL)
REACH = assertion("REACH", target=0.7, metric="validation accuracy", unit="ratio", margin=1.25)


def learned(name="base", shift=None, first_seed=0, seeds=10, spread=0.004, **fields):
    """Six epochs that end near .8; `shift` is added to a column of each epoch, and each seed has its own luck."""
    curves = []
    for seed in range(first_seed, first_seed + seeds):
        luck = random.Random(f"{name}{seed}").gauss(0, spread)
        rows = []
        for epoch in range(6):
            a = 0.55 + 0.05 * epoch + luck
            row = {"train_accuracy": a + 0.05, "val_accuracy": a, "train_loss": 1 - a, "val_loss": 1.2 - a}
            rows.append(EpochRow(train_seconds=1, **{k: v + (shift or {}).get(k, 0.0) for k, v in row.items()}))
        curves.append(SeedCurve(seed=seed, epochs=rows))
    return Arm(name=name, test=TEST, curves=curves, key={"data": "digits"}, **fields)


def held(claim, new, old, *, software=None, machine="cpu-x", policy=None):
    """The rows of new arms against one stored run of old ones, by arm and metric."""
    run = msgspec.structs.replace(a_run(*old), claims=[claim])
    environment = msgspec.structs.replace(run.environment, machine_class=machine, software=software or {})
    stored = Stored(portable=[("p.json", msgspec.structs.replace(run, environment=environment))])
    context = Context(KEY, "cpu-x", stored, policy or Policy(), software={"keras": "3.15.0"})
    return {(row.arm, row.metric): row for row in with_stored(claim, new, context)}


BOTH = (learned("base"), learned("small", {"val_accuracy": -0.1}))
CLAIM = a_claim(assertions=[PAIRED, REACH])


class TestWhatIsCompared:
    def test_every_figure_of_unchanged_code_passes(self):
        rows = held(CLAIM, BOTH, BOTH)
        assert {row.verdict for row in rows.values()} == {"PASS"}
        for arm in ("base", "small"):
            assert {(arm, name) for name in (VAL, TRAIN, VAL_LOSS, TRAIN_LOSS, GAP, SOONER)} <= rows.keys()
        assert ("", "effect: PAIRED base") in rows

    @pytest.mark.parametrize(
        ("column", "by", "metric"),
        [
            ("train_accuracy", -0.2, TRAIN),
            ("val_loss", 0.5, VAL_LOSS),
            ("train_loss", 0.5, TRAIN_LOSS),
            ("val_loss", 0.5, GAP),
            ("val_accuracy", -0.2, VAL),
            ("val_accuracy", -0.06, SOONER),
        ],
    )
    def test_each_one_can_turn_red_alone(self, column, by, metric):
        rows = held(CLAIM, (learned("base", {column: by}), BOTH[1]), BOTH)
        assert rows["base", metric].verdict == "REGRESSED"
        assert rows["small", metric].verdict == "PASS"

    def test_better_than_chance_explains_is_changed(self):
        rows = held(CLAIM, (learned("base", {"val_loss": -0.3, "train_accuracy": 0.1}), BOTH[1]), BOTH)
        assert {rows["base", metric].verdict for metric in (VAL_LOSS, TRAIN, GAP)} == {"CHANGED"}

    def test_an_effect_that_shrinks_because_the_reference_got_better_is_changed(self):
        rows = held(CLAIM, (BOTH[0], learned("small", {"val_accuracy": -0.02})), BOTH)
        assert rows["", "effect: PAIRED base"].verdict == "CHANGED"
        assert "no claim says which way is better" in rows["", "effect: PAIRED base"].reason

    def test_what_a_claim_asserts_must_exclude_a_worsening_and_the_rest_need_not(self):
        noisy = learned("base", spread=0.05), learned("small", spread=0.05)
        new = tuple(learned(arm.name, first_seed=50, seeds=1, spread=0.05) for arm in noisy)
        rows = held(CLAIM, new, noisy)
        assert (rows["base", VAL].asserted, rows["base", TRAIN].asserted) == (True, False)
        assert (rows["base", VAL].verdict, rows["base", TRAIN].verdict) == ("INCONCLUSIVE", "PASS")
        assert rows["base", TRAIN].reason == "no worsening is shown"

    def test_a_figure_that_is_lost_is_changed(self):
        bare = msgspec.structs.replace(
            BOTH[0],
            curves=[
                msgspec.structs.replace(c, epochs=[msgspec.structs.replace(r, train_loss=None) for r in c.epochs])
                for c in BOTH[0].curves
            ],
        )
        rows = held(CLAIM, (bare, BOTH[1]), BOTH)
        assert rows["base", TRAIN_LOSS].verdict == "CHANGED" and "no value of it" in rows["base", TRAIN_LOSS].reason
        assert held(CLAIM, BOTH, (bare, BOTH[1]))["base", TRAIN_LOSS].verdict == "NO_BASELINE"

    def test_the_answers_to_pictures_are_a_figure(self):
        arm = learned("base", seeds=5)
        answered = msgspec.structs.replace(arm, curves=[msgspec.structs.replace(c, answers="1101") for c in arm.curves])
        wrong = msgspec.structs.replace(arm, curves=[msgspec.structs.replace(c, answers="0100") for c in arm.curves])
        row = held(a_claim(), [wrong], [answered])["base", "share of validation pictures classed rightly"]
        assert row.verdict == "REGRESSED"


class TestOwnFigures:
    """A test's own metric, memory or energy needs no rule of its own."""

    def arm(self, name, kind, direction, values):
        own = Figure(name=name, kind=kind, unit="J", direction=direction, values=values)
        return Arm(name="base", test=TEST, figures=[own], key={"data": "digits"})

    @pytest.mark.parametrize(
        ("direction", "verdict"), [("lower", "REGRESSED"), ("higher", "CHANGED"), ("none", "CHANGED")]
    )
    def test_its_direction_decides(self, direction, verdict):
        old = self.arm("depth", "learning", direction, [1.0, 1.1, 0.9, 1.05, 0.95])
        assert held(a_claim(), [old], [old])["base", "depth"].verdict == "PASS"
        new = self.arm("depth", "learning", direction, [3.0, 3.1, 2.9, 3.05, 2.95])
        assert held(a_claim(), [new], [old])["base", "depth"].verdict == verdict

    def test_a_clock_is_held_against_processes_of_the_machine_class(self):
        def process(watts, seed):
            draw = random.Random(seed)
            return self.arm("energy", "times", "lower", [watts * (1 + draw.gauss(0, 0.01)) for _ in range(10)])

        stored = Stored(timing=[(f"{i}", a_run(process(10.0, i))) for i in range(5)])
        for watts, verdict in ((10.0, "PASS"), (20.0, "REGRESSED"), (5.0, "IMPROVED")):
            (row,) = with_stored(a_claim(), [process(watts, 9)], Context(KEY, "cpu-x", stored, Policy()))
            assert (row.metric, row.verdict, row.kind) == ("energy", verdict, "times")


OLD = [0.1 * number for number in range(40)]


class TestValues:
    def arm(self, values):
        return Arm(name="base", test=TEST, values=values, key={"data": "digits"})

    def judged(self, values, **options):
        return held(a_claim(), [self.arm(values)], [self.arm(OLD)], **options)["base", "values"]

    def test_equal_but_for_rounding_pass(self):
        assert self.judged(OLD).verdict == "PASS"
        assert self.judged([value * (1 + 1e-7) for value in OLD]).verdict == "PASS"

    def test_on_the_same_machine_with_the_same_versions_other_values_are_other_code(self):
        swapped = [*OLD[:-2], OLD[-1], OLD[-2]]
        row = self.judged(swapped, software={"keras": "3.15.0"})
        assert row.verdict == "CHANGED" and "2 of 40 values differ" in row.reason

    def test_on_another_machine_rounding_to_both_sides_passes_and_a_shift_does_not(self):
        rounded = [value + (-1) ** place * 0.01 for place, value in enumerate(OLD)]
        assert self.judged(rounded, software={"keras": "3.14.0"}).verdict == "PASS"
        assert self.judged(rounded, software={"keras": "3.15.0", "TF_ENABLE_ONEDNN_OPTS": "0"}).verdict == "PASS"
        assert self.judged(rounded, machine="cpu-y").verdict == "PASS"
        shifted = self.judged([value + 0.01 for value in OLD], machine="cpu-y")
        assert shifted.verdict == "CHANGED"

    def test_a_unit_more_or_less_is_changed(self):
        assert self.judged(OLD[:-1], machine="cpu-y").verdict == "CHANGED"


class TestOrder:
    def test_the_effect_on_times_belongs_to_the_machine_class(self):
        order = assertion("ORDER", treatment="long", reference="short", unit="ratio", margin=1.1, n_unit="pairs")
        claim = a_claim(assertions=[order])

        def arms(ratio, seed):
            rounds = {"round_index": list(range(10))}
            return [
                timed(0.2 * ratio, seed=seed, name="long", **rounds),
                timed(0.2, seed=seed + 50, name="short", **rounds),
            ]

        stored = Stored(
            timing=[(f"{i}", msgspec.structs.replace(a_run(*arms(1.5, i)), claims=[claim])) for i in range(5)]
        )
        for ratio, verdict in ((1.5, "PASS"), (1.15, "CHANGED"), (2.5, "CHANGED")):
            rows = with_stored(claim, arms(ratio, 9), Context(KEY, "cpu-x", stored, Policy()))
            row = next(row for row in rows if row.metric == "effect: ORDER long")
            assert (row.verdict, row.kind, row.asserted) == (verdict, "times", False)
            assert row.new == pytest.approx(ratio, rel=0.1)


class TestBudget:
    def test_all_figures_together_spend_one_percent_four_fifths_on_what_is_asserted(self):
        run = msgspec.structs.replace(a_run(*BOTH, timed(name="fast")), claims=[CLAIM])
        context = Context(KEY, "cpu-x", Stored(portable=[("p", run)], timing=[("t", run)]), Policy())
        gated = context.gated
        spent = Policy().alpha_times + Policy().alpha_learning + Policy().alpha_rest
        assert spent == pytest.approx(0.01) and Policy().alpha_rest == pytest.approx(0.002)
        assert gated["learning"] == 4 and gated["rest"] > 8  # two arms, asserted by metric and by target

    def test_what_is_not_run_keeps_its_share(self):
        """The same verdict for one test alone: its share is fixed by what is stored."""
        other = msgspec.structs.replace(CLAIM, test="bench/test_b.py::test_b")
        arms = [*BOTH, *(msgspec.structs.replace(arm, test=other.test) for arm in BOTH)]

        def gated(claims, run_arms):
            run = msgspec.structs.replace(a_run(*run_arms), claims=claims)
            return Context(KEY, "cpu-x", Stored(portable=[("p", run)]), Policy()).gated["learning"]

        assert gated([CLAIM, other], arms) == 2 * gated([CLAIM], BOTH)


LEVEL, TARGET = {"declared": {"LEVEL 1 margin": "1"}}, {"REACH 1 margin": "1", "REACH 1 target": "0.2"}


class TestStale:
    """What a claim declares is stored as it was resolved, wherever its constants stand."""

    def row(self, new, old):
        claims = [a_claim(assertions=[found] if found else [], **fields) for found, fields in (new, old)]
        rows = held_claims(*claims)
        return next((row for row in rows if row.verdict == "STALE"), None)

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            (assertion(metric=VAL, margin=0.005), "PAIRED 1 margin 0.01 -> 0.005"),
            (assertion(metric=TRAIN), f"PAIRED 1 metric {VAL} -> {TRAIN}"),
            (
                assertion(metric=VAL, treatment="small", reference="base"),
                "PAIRED 1 arms base and small -> small and base",
            ),
            (assertion(metric=VAL, relation="<"), ""),
            (assertion(metric=VAL, failures_allowed=2), ""),
        ],
    )
    def test_an_assertion(self, changed, said):
        assert self.row((PAIRED, {}), (PAIRED, {})) is None
        row = self.row((changed, {}), (PAIRED, {}))
        assert (said in row.reason) if said else row is None  # what the stored run had not said can't be compared with

    @pytest.mark.parametrize(
        ("new", "old", "said"),
        [
            ({"control": "one wider"}, {"control": "two wider"}, "control 'two wider' -> 'one wider'"),
            ({"judged_from": "paper"}, {"judged_from": "smoke"}, "judged from smoke -> paper"),
            (
                {"declared": {"PAIRED 1 margin": "0.01", "the control's code": "a"}},
                {"declared": {"PAIRED 1 margin": "0.01", "the control's code": "b"}},
                "the control's code b -> a",
            ),
            (
                {"declared": {"PAIRED 1 margin": "1", "ORDER 1 margin": "1.1", "ORDER 1 pairs": "8"}},
                {"declared": {"PAIRED 1 margin": "1", "ORDER 1 margin": "1.1", "ORDER 1 pairs": "60"}},
                "ORDER 1 pairs 60 -> 8",
            ),
            (LEVEL, {"declared": {**LEVEL["declared"], "LEVEL 2 margin": "2"}}, "LEVEL 2 is gone"),
            ({"declared": {**TARGET, "REACH 1 target": "0.3"}}, {"declared": TARGET}, "target 0.2 -> 0.3"),
        ],
    )  # fmt: skip
    def test_a_declaration(self, new, old, said):
        assert said in self.row((None, new), (None, old)).reason

    def test_what_a_claim_lacked_is_no_change(self):
        declared = {"declared": {"PAIRED 1 margin": "1"}}
        assert self.row((None, {"declared": {}, "lacking": ["no weights"]}), (None, declared)) is None


def held_claims(new, old):
    run = msgspec.structs.replace(a_run(*BOTH), claims=[old])
    context = Context(KEY, "cpu-x", Stored(portable=[("p.json", run)]), Policy())
    return with_stored(new, BOTH, context)


def test_a_seed_that_diverged_is_red_in_what_is_asserted():
    lost = msgspec.structs.replace(BOTH[0].curves[0], epochs=[], status="diverged", reason="loss is NaN in epoch 1")
    arm = msgspec.structs.replace(BOTH[0], curves=[lost, *BOTH[0].curves[1:]])
    row = held(CLAIM, (arm, BOTH[1]), BOTH)["base", VAL]
    assert row.verdict == "REGRESSED" and "NaN in epoch 1" in row.reason and math.isnan(row.effect or math.nan)


def test_rounds_have_a_median_and_seeds_a_mean():
    def figure(kind):
        return figures.Figure("x", kind, "s", "lower", dict)

    assert figure("times").middle([1.0, 1.0, 10.0]) == 1.0
    assert figure("learning").middle([1.0, 1.0, 10.0]) == 4.0


def test_a_claim_is_held_by_the_effect_on_the_metric_it_asserts():
    """An assertion of no metric asserts the one of learning; another one's effect is never compared in its place."""
    for metric in (VAL, VAL_LOSS, ""):
        claim = a_claim(assertions=[assertion(metric=metric)])
        rows = held(claim, BOTH, BOTH)
        found = [row for (_, name), row in rows.items() if name.startswith("effect: ")]
        expected = {VAL: 0.1, VAL_LOSS: 0.0, "": 0.1}[metric]
        assert len(found) == 1 and abs(found[0].new - expected) < 0.01, (metric, found)
