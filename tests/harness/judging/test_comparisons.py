"""Comparisons as a pure function of stored runs: figures in, verdicts out."""

import msgspec
import pytest

from dlcv04.harness.judging.assertions import PEAK_MEMORY
from dlcv04.harness.judging.comparisons import Context, could_be_slower, stored_tests, with_stored
from dlcv04.harness.judging.figures import of_claim
from dlcv04.harness.policy import Policy
from dlcv04.harness.store import schema
from dlcv04.harness.store.schema import SECONDS, Acceptance, Arm, Commit, EpochRow, LayerRow, SeedCurve
from dlcv04.harness.store.stored import Stored
from tests.harness.judging.records import KEY, TEST, a_claim, a_run, timed


def context(stored, repeats=()):
    return Context(KEY, "cpu-x", stored, Policy(), repeats=repeats)


def learned(accuracies, first_seed=0, **fields):
    curves = [
        SeedCurve(
            seed=first_seed + i,
            epochs=[EpochRow(train_seconds=1, train_loss=1, train_accuracy=a, val_loss=1, val_accuracy=a)],
        )
        for i, a in enumerate(accuracies)
    ]
    return Arm(name="base", test=TEST, curves=curves, key={"data": "digits"}, **fields)


def processes(make, count=5, **options):
    return [(f"000{i}.json", a_run(make(seed=i + 100), **options)) for i in range(count)]


def verdicts(arm, stored, claim=None, repeats=()):
    return {row.metric: row for row in with_stored(claim or a_claim(), [arm], context(stored, repeats))}


class TestTimes:
    stored = Stored(timing=processes(timed))

    def judge(self, **fields):
        return verdicts(timed(**fields), self.stored)["seconds an epoch"]

    def test_unchanged_code_passes(self):
        row = self.judge(seed=1)
        assert row.verdict == "PASS" and row.n_old == 5 and row.high < 1.25

    @pytest.mark.parametrize("ratio", [1.4, 2.0])
    def test_a_slowdown_in_three_processes_regresses(self, ratio):
        row = self.together(ratio, ratio, ratio)
        assert (row.verdict, row.n_new) == ("REGRESSED", 3)

    def test_a_slowdown_of_one_process_on_a_shared_cpu_is_not_believed(self):
        row = self.judge(seconds=0.4)
        assert row.verdict == "INCONCLUSIVE" and "1 process says it is slower" in row.reason
        assert could_be_slower(row, Policy())

    def test_three_processes_of_which_one_is_as_fast_as_ever_are_not_red(self):
        row = self.together(2.0, 2.0, 1.0)
        assert row.verdict == "INCONCLUSIVE" and "one of the 3 processes took" in row.reason
        assert not could_be_slower(row, Policy())

    def test_on_a_card_of_its_own_one_process_is_enough(self):
        stored = Stored(timing=processes(lambda seed: timed(seed=seed, calibrator_seconds=[])))
        row = verdicts(timed(0.4, calibrator_seconds=[]), stored)["seconds an epoch"]
        assert (row.verdict, row.n_new) == ("REGRESSED", 1)

    def together(self, *ratios, **fields):
        first, *others = [timed(0.2 * ratio, seed=seed, **fields) for seed, ratio in enumerate(ratios)]
        return with_stored(a_claim(), [first], context(self.stored, others))[0]

    def test_a_slower_time_on_a_machine_that_others_used_proves_nothing(self):
        row = self.judge(seconds=0.4, contention=0.45)
        assert row.verdict == "INCONCLUSIVE" and "45% of the cores" in row.reason
        assert self.together(2.0, 2.0, 2.0, contention=0.45).verdict == "INCONCLUSIVE"
        assert self.together(2.0, 2.0, 2.0, contention=0.02).verdict == "REGRESSED"

    @pytest.mark.parametrize("ratio", [2.0, 0.5])
    def test_a_neighbour_on_the_card_makes_times_prove_nothing_and_is_named(self, ratio):
        stored = Stored(timing=processes(lambda seed: timed(seed=seed, calibrator_seconds=[])))
        neighbours = ["process 4711 (train.py, 2,048 MiB)"]
        row = verdicts(timed(0.2 * ratio, calibrator_seconds=[], neighbours=neighbours), stored)["seconds an epoch"]
        assert row.verdict == "INCONCLUSIVE" and "process 4711 (train.py, 2,048 MiB) ran on the card" in row.reason

    @pytest.mark.parametrize(
        ("new", "old", "verdict"),
        [
            (0x40, 0, "INCONCLUSIVE"),
            (0x80, 0x20, "INCONCLUSIVE"),
            (0x20, 0x20, "REGRESSED"),
            (0x04, 0, "REGRESSED"),
            (0x01, 0, "REGRESSED"),
            (0, 0x40, "REGRESSED"),
        ],
    )
    def test_a_card_that_is_slowed_as_it_never_was_proves_no_slowdown(self, new, old, verdict):
        clocks = {"gpu sm mhz": 1980.0}
        stored = Stored(
            timing=processes(
                lambda seed: timed(seed=seed, calibrator_seconds=[], clocks={**clocks, "gpu throttle": float(old)})
            )
        )
        arm = timed(0.4, calibrator_seconds=[], clocks={**clocks, "gpu throttle": float(new)})
        row = verdicts(arm, stored)["seconds an epoch"]
        assert row.verdict == verdict
        assert ("the card was slowed" in row.reason) is (verdict == "INCONCLUSIVE")

    def test_three_new_processes_see_what_one_does_not(self):
        new, *others = [timed(0.2 * 1.2, seed=i, noise=0.02) for i in range(3)]
        stored = Stored(timing=processes(lambda seed: timed(seed=seed, noise=0.02)))
        alone, together = (with_stored(a_claim(), [new], context(stored, more))[0] for more in ([], others))
        assert together.verdict == "REGRESSED" and together.n_new == 3
        assert together.minimum_detectable_effect < alone.minimum_detectable_effect

    def test_a_speedup_that_no_change_of_code_makes_is_changed(self):
        row = self.judge(seconds=0.1)
        assert row.verdict == "CHANGED" and "a wait for the device that was lost" in row.reason
        busy = self.judge(seconds=0.1, contention=0.45)
        assert busy.verdict == "INCONCLUSIVE" and "45% of the cores" in busy.reason

    def test_rounds_too_noisy_for_the_gate_are_inconclusive(self):
        noisy = Stored(timing=processes(lambda seed: timed(seed=seed, noise=0.5)))
        row = verdicts(timed(0.2 * 1.2, seed=7, noise=0.5), noisy)["seconds an epoch"]
        assert row.verdict == "INCONCLUSIVE" and row.high > 1.3

    def test_a_slow_machine_is_taken_out_by_the_calibrator(self):
        assert self.judge(seconds=0.2 * 1.5, calibrator=0.05 * 1.5).verdict == "PASS"

    def test_more_rounds_of_one_process_never_replace_processes(self):
        row = verdicts(timed(seed=3), Stored(timing=processes(timed, count=2)))["seconds an epoch"]
        assert row.verdict == "INCONCLUSIVE" and "2 stored processes" in row.reason

    def test_a_noisier_class_than_the_prior_is_believed(self):
        spread = [("p", a_run(timed(0.2 * (1 + 0.3 * (i % 2)), seed=i))) for i in range(6)]
        row = verdicts(timed(0.26), Stored(timing=spread))["seconds an epoch"]
        assert row.verdict == "INCONCLUSIVE" and "6 processes of this class 1" in row.method

    def test_the_same_arm_on_other_data_says_nothing_about_the_spread(self):
        other = processes(lambda seed: timed(2.0, seed=seed, key={"data": "real"}))
        row = verdicts(timed(seed=1), Stored(timing=[*self.stored.timing, *other]))["seconds an epoch"]
        assert row.verdict == "PASS" and "10 processes of this class 1." in row.method
        assert "on 15.3 degrees of freedom" in row.method

    def test_the_budget_is_split_over_what_is_stored_not_over_what_ran(self):
        others = [timed(seed=9, name=f"arm{i}") for i in range(19)]
        crowded = Stored(timing=[(path, a_run(*run.arms, *others)) for path, run in self.stored.timing])
        assert context(crowded).gate.gated == 20
        row, alone = verdicts(timed(seed=1), crowded)["seconds an epoch"], self.judge(seed=1)
        assert row.minimum_detectable_effect > alone.minimum_detectable_effect

    def test_an_arm_that_no_assertion_names_is_not_gated(self):
        rows = verdicts(timed(seconds=9.0), self.stored, a_claim(assertions=[]))
        assert "seconds an epoch" not in rows

    def test_the_fault_is_named(self):
        old = {"optimizer": {"learning_rate": 1.0}}
        stored = Stored(timing=processes(lambda seed: timed(seed=seed, facts=old)))
        new, *repeats = [timed(0.5, seed=i, facts={"optimizer": {"learning_rate": 0.001}}) for i in range(3)]
        row = verdicts(new, stored, repeats=repeats)["seconds an epoch"]
        assert "optimizer.learning_rate 1.0 -> 0.001" in row.differences

    def regressed(self, software=None, **facts):
        old = [("p", a_run(timed(seed=i, facts={"optimizer": {"name": "adadelta_4"}}))) for i in range(5)]
        new, *repeats = [timed(seconds=0.5, seed=i, facts={"optimizer": {"name": "adadelta"}}) for i in range(3)]
        judged = Context(KEY, "cpu-x", Stored(timing=old), Policy(), software or {}, repeats)
        rows = with_stored(a_claim(), [new], judged)
        return rows[0].differences

    def test_where_nothing_recorded_differs_the_code_is_to_blame(self):
        assert len(self.regressed()) == 1 and "look at the code" in self.regressed()[0]

    def test_a_changed_version_is_named(self):
        assert self.regressed({"keras": "3.16.0", "jaxlib": "1"}) == ["keras 3.15.1 -> 3.16.0"]


class TestDrift:
    """A quiet class (processes differ by their rounds alone), each commit 2 % slower than the last and accepted."""

    @staticmethod
    def drift(step, count=13, noise=0.04):
        stored, seen = [], []
        for number in range(10 + count):
            arm = timed(0.2 * step ** max(0, number - 9), seed=number, noise=noise)
            if number >= 10:
                row = verdicts(arm, Stored(timing=stored))["seconds an epoch"]
                if could_be_slower(row, Policy()):
                    level = 0.2 * step ** (number - 9)
                    again = [timed(level, seed=100 * number + i, noise=noise) for i in range(2)]
                    row = verdicts(arm, Stored(timing=stored), repeats=again)["seconds an epoch"]
                seen.append(row)
            pinned = bool(seen) and seen[-1].verdict == "REGRESSED"
            note = Acceptance(reason="x", accepted="t", commit=Commit(), part="timing", pins=pinned)
            stored.append((f"{number:04d}.json", msgspec.structs.replace(a_run(arm), acceptance=note)))
        return seen

    def test_a_slow_drift_alarms_by_the_commit_that_passes_ten_percent_and_names_the_anchor(self):
        seen = self.drift(1.02)
        first = next(i for i, row in enumerate(seen) if row.verdict == "REGRESSED")
        assert 1.02 ** (first + 1) <= 1.13
        assert "against the anchor" in seen[first].method
        assert any("its level changed by" in text for text in seen[first].differences)

    def test_the_alarm_is_raised_once_for_an_anchor(self):
        seen = self.drift(1.02, count=8)
        assert [row.verdict for row in seen].count("REGRESSED") == 1

    def test_no_drift_no_alarm(self):
        assert {row.verdict for row in self.drift(1.0)} == {"PASS"}


class TestKeys:
    def test_nothing_stored(self):
        assert verdicts(timed(), Stored())["seconds an epoch"].verdict == "NO_BASELINE"

    def test_other_data(self):
        stored = Stored(timing=processes(lambda seed: timed(seed=seed, key={"data": "real"})))
        row = verdicts(timed(), stored)["seconds an epoch"]
        assert row.verdict == "NO_BASELINE" and "data real" in row.reason

    def test_another_backend(self):
        stored = Stored(timing=processes(timed, key={**KEY, "backend": "jax"}))
        row = verdicts(timed(), stored)["seconds an epoch"]
        assert row.verdict == "NO_BASELINE" and "backend jax" in row.reason

    def test_another_machine_class(self):
        stored = Stored(elsewhere=processes(timed, machine_class="gpu-y"))
        row = verdicts(timed(), stored)["seconds an epoch"]
        assert row.verdict == "NO_BASELINE" and "gpu-y" in row.reason


class TestExact:
    layers = (LayerRow(name="c", kind="Conv2D", output_shape=[26, 26, 32], parameters=320, macs=194_688),)

    def arm(self, **fields):
        figures = {"parameters": 600_810, "macs": 5, "layers": list(self.layers), **fields}
        return Arm(name="base", test=TEST, **figures)

    def test_equal_figures_pass(self):
        stored = Stored(portable=[("p", a_run(self.arm()))])
        assert verdicts(self.arm(), stored)["network (parameters, MACs, bytes)"].verdict == "PASS"

    def test_one_parameter_more_regresses_and_names_figure_and_layers(self):
        stored = Stored(portable=[("p", a_run(self.arm()))])
        row = verdicts(self.arm(parameters=600_811, layers=[]), stored)["network (parameters, MACs, bytes)"]
        assert row.verdict == "REGRESSED" and "parameters 600,810 -> 600,811" in row.reason

    def test_counts_depend_on_the_data_alone_not_on_threads_or_calibrator(self):
        here, there = ({"data": "digits", "threads": threads} for threads in ("2", "8"))
        name = "network (parameters, MACs, bytes)"
        stored = Stored(portable=[("p", a_run(self.arm(key=there)))])
        assert verdicts(self.arm(key=here), stored)[name].verdict == "PASS"
        assert verdicts(self.arm(key=here, macs=6), stored)[name].verdict == "REGRESSED"
        assert verdicts(self.arm(key={"data": "things"}), stored)[name].verdict == "NO_BASELINE"


class TestLearning:
    stored = Stored(portable=[("p", a_run(learned([0.90, 0.91, 0.89, 0.90, 0.92, 0.90, 0.91, 0.89, 0.90, 0.91])))])

    def judge(self, *accuracies, **fields):
        return verdicts(learned(accuracies, **fields), self.stored)["mean validation accuracy over epochs"]

    def test_the_same_seeds_bit_equal_pass_with_no_effect(self):
        row = self.judge(0.90, 0.91, 0.89)
        assert row.verdict == "PASS" and row.effect == 0.0

    def test_the_same_seeds_rounded_otherwise_pass_though_they_lie_below_the_mean_of_all(self):
        row = self.judge(0.9004, 0.9103, 0.8898)
        assert row.verdict == "PASS" and abs(row.effect) < 0.001

    def test_worse_learning_regresses(self):
        assert self.judge(0.30, 0.31, 0.28).verdict == "REGRESSED"

    def test_too_good_is_told(self):
        row = self.judge(0.990, 0.991, 0.992)
        assert row.verdict == "CHANGED" and "too good to be chance" in row.reason

    def test_other_seeds_of_the_same_quality_do_not_alarm(self):
        assert self.judge(0.905, 0.895, 0.912, first_seed=50).verdict in {"PASS", "INCONCLUSIVE"}

    def test_a_diverged_seed_regresses_with_its_reason(self):
        curve = SeedCurve(seed=0, epochs=[], status="diverged", reason="loss is NaN in epoch 1")
        row = verdicts(Arm(name="base", test=TEST, curves=[curve], key={"data": "digits"}), self.stored)[
            "mean validation accuracy over epochs"
        ]
        assert row.verdict == "REGRESSED" and "NaN in epoch 1" in row.reason


class TestMemory:
    """Peaks of processes, stored with an arm's times."""

    def row(self, factor, machine, megabytes=(100.0, 101.0, 99.0), asserted=False):
        def arm(factor, seed=0):
            peaks = [1e6 * factor * megabyte for megabyte in megabytes]
            figure = schema.Figure(name=PEAK_MEMORY, kind="times", unit="bytes", direction="lower", values=peaks)
            return timed(seed=seed, figures=[figure])

        claim = a_claim()
        if asserted:
            about = msgspec.structs.replace(claim.assertions[0], metric=PEAK_MEMORY, n_unit="processes")
            claim = a_claim(assertions=[about])
        runs = [a_run(arm(1.0, seed), machine_class=machine, claims=[claim]) for seed in range(5)]
        stored = Stored(timing=[(f"{i}.json", run) for i, run in enumerate(runs)])
        rows = with_stored(claim, [arm(factor)], Context(KEY, machine, stored, Policy()))
        return {row.metric: row for row in rows}[PEAK_MEMORY]

    @pytest.mark.parametrize("asserted", [True, False])
    @pytest.mark.parametrize(
        ("machine", "megabytes", "factor", "verdict"),
        [
            ("cpu-x", (100.0, 101.0, 99.0), 1.0, "PASS"),
            ("cpu-x", (100.0, 101.0, 99.0), 1.2, "REGRESSED"),
            ("gpu-x", (1000.0,), 1.0, "PASS"),
            ("gpu-x", (1000.0,), 1.04, "INCONCLUSIVE"),
            ("gpu-x", (1000.0,), 1.06, "REGRESSED"),
            ("gpu-x", (1000.0,), 1.2, "REGRESSED"),
            ("gpu-x", (1000.0,), 0.8, "IMPROVED"),
        ],
    )
    def test_five_percent_more_are_red_on_a_card_and_twenty_on_a_cpu(
        self, machine, megabytes, factor, verdict, asserted
    ):
        row = self.row(factor, machine, megabytes, asserted)
        if verdict == "INCONCLUSIVE" and not asserted:
            verdict = "PASS"  # no claim says that it must not grow
        assert (row.verdict, row.unit) == (verdict, "ratio")
        assert row.effect == pytest.approx(factor)

    def test_a_claim_about_memory_asserts_nothing_of_times(self):
        about = msgspec.structs.replace(a_claim().assertions[0], metric=PEAK_MEMORY, n_unit="processes")
        names = {figure.name for figure in of_claim(a_claim(assertions=[about]), [timed()])}
        assert SECONDS not in names and not any(name.startswith("effect") for name in names)


class TestOtherCurvesOfTheSameSeeds:
    """On one processor with one thread a seed's curve is a computed value: another one comes from other code."""

    before = (0.90, 0.91, 0.89, 0.90, 0.92, 0.90, 0.91, 0.89, 0.90, 0.91)
    slightly_better = (0.904, 0.911, 0.893)

    def rows(self, new, *, before=None, threads="1", machine="cpu-x", software=None, environment=None):
        key = {"data": "digits", "threads": threads}
        old, arm = (msgspec.structs.replace(one, key=key) for one in (before or learned(self.before), new))
        run = msgspec.structs.replace(a_run(old), **({"environment": environment} if environment else {}))
        suite = Context(KEY, machine, Stored(portable=[("p", run)]), Policy(), software=software or {})
        return {row.metric: row for row in with_stored(a_claim(), [arm], suite)}

    def test_they_are_changed_however_small_the_difference_of_the_means(self):
        rows = self.rows(learned(self.slightly_better))
        assert rows["mean validation accuracy over epochs"].verdict == "PASS"
        assert rows["curves"].verdict == "CHANGED"
        assert "seeds 0, 1, 2 learned differently from the stored run" in rows["curves"].reason

    def test_a_plugin_of_pytest_is_code_and_no_excuse(self):
        before = msgspec.structs.replace(a_run().environment, software={"plugins": "none"})
        assert "curves" in self.rows(learned(self.slightly_better), environment=before, software={"plugins": "faults"})

    def test_one_of_three_is_enough_and_named(self):
        assert "seed 1 learned differently" in self.rows(learned((0.90, 0.93, 0.89)))["curves"].reason

    def test_a_seed_that_diverges_now_has_another_curve(self):
        curve = SeedCurve(seed=0, epochs=[], status="diverged", reason="loss is NaN in epoch 1")
        assert self.rows(Arm(name="base", test=TEST, curves=[curve]))["curves"].verdict == "CHANGED"

    @pytest.mark.parametrize(
        ("new", "how"),
        [
            pytest.param(learned(before[:3]), {}, id="equal curves"),
            pytest.param(learned((0.90 + 1e-8, 0.91, 0.89)), {}, id="rounding alone"),
            pytest.param(learned(slightly_better, first_seed=50), {}, id="other seeds"),
            pytest.param(learned(slightly_better), {"threads": "2"}, id="two threads are not bit-equal"),
            pytest.param(learned(slightly_better), {"machine": "cpu-y"}, id="another processor rounds otherwise"),
            pytest.param(learned(slightly_better), {"machine": "gpu-y"}, id="a card"),
            pytest.param(learned(slightly_better), {"software": {"keras": "3.15.2"}}, id="another version"),
        ],
    )
    def test_nothing_is_said_where_the_code_may_be_the_same(self, new, how):
        assert "curves" not in self.rows(new, **how)

    def test_nor_where_a_stale_row_says_why(self):
        old, new = ({"recipe": {"learning_rate": rate}} for rate in (0.2, 0.1))
        rows = self.rows(learned(self.slightly_better, facts=new), before=learned(self.before, facts=old))
        assert rows["source"].verdict == "STALE" and "curves" not in rows


class TestStaleAndMissing:
    def test_a_changed_test_is_stale(self):
        stored = Stored(timing=processes(timed))
        row = verdicts(timed(), stored, a_claim(source_hash="other"))["source"]
        assert row.verdict == "STALE" and "own code changed" in row.reason

    def test_a_changed_recipe_is_stale_and_named(self):
        old = {"recipe": {"learning_rate": 1.0}}
        stored = Stored(timing=processes(lambda seed: timed(seed=seed, facts=old)))
        row = verdicts(timed(facts={"recipe": {"learning_rate": 0.1}}), stored)["source"]
        assert row.verdict == "STALE" and "recipe.learning_rate 1.0 -> 0.1" in row.reason

    def test_an_arm_that_is_gone_is_missing(self):
        stored = Stored(timing=processes(lambda seed: timed(seed=seed, name="wide")))
        rows = with_stored(a_claim(), [timed()], context(stored))
        assert ("wide", "MISSING") in {(row.arm, row.verdict) for row in rows}

    def test_a_test_that_is_gone_is_missing_only_where_it_was_asked_for(self):
        stored = Stored(timing=processes(timed))
        assert list(stored_tests(stored, KEY)) == [TEST]
        assert stored_tests(stored, {**KEY, "backend": "jax"}) == {}
