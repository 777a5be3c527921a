"""The verdict over all assertions of a claim, and controls too weak to tell anything."""

import pytest

from dlcv04.harness.judging.verdicts import of_control, overall, weak_control
from tests.harness.arms import FAST, SLOW, curves, recorder, times


class TestOverall:
    def test_no_assertion_is_no_verdict(self):
        assert overall([])[0] == "INCONCLUSIVE"

    def test_one_violated_assertion_is_enough(self):
        made = recorder()
        made.exactly(1, 1, of="a")
        made.exactly(1, 2, of="b")
        assert overall(made.assertions)[0] == "VIOLATED"


class TestControls:
    def test_weak_when_its_bound_reaches_the_real_effect(self):
        real, strong, weak = recorder(), recorder(fixed_n={0: 20}), recorder(fixed_n={0: 20})
        arms = times(1.6)
        real.slower(arms["b"], than=arms["a"], by=1.1)
        equal, nearly = times(1.0), times(1.55)
        strong.slower(equal["b"], than=equal["a"], by=1.1)
        weak.slower(nearly["b"], than=nearly["a"], by=1.1)
        assert weak_control(real.assertions, strong.assertions) == ""
        assert "is not apart from the real one" in weak_control(real.assertions, weak.assertions)

    @pytest.mark.parametrize("kind", ["not_better", "equivalent"])
    def test_weak_unless_its_interval_lies_apart(self, kind):
        def made(**levels):
            arms, one = curves(a=SLOW, **levels), recorder()
            if kind == "equivalent":
                one.equivalent(arms["a"], arms["b"], within=0.02)
            else:
                one.not_better(arms["b"], than=arms["a"], by=0.02)
            return one.assertions

        near = [level + 0.002 for level in SLOW]
        assert weak_control(made(b=SLOW), made(b=FAST)) == ""
        assert "not apart" in weak_control(made(b=SLOW), made(b=near))

    def test_what_a_control_comes_to(self):
        survived, broken = (recorder() for _ in range(2))
        survived.exactly(1, 1, of="a")
        broken.exactly(1, 2, of="a")
        assert of_control(survived.assertions, ["no card"], None) == ("SURVIVED", survived.assertions[0].sentence)
        assert of_control(broken.assertions, ["no card", "no data"], None) == ("CONTROL_WEAK", "no card no data")
        assert of_control([], [], None)[0] == "NOT RUN"
        assert of_control(broken.assertions, [], None) == ("BROKE", "")
        assert of_control(broken.assertions, [], survived.assertions) == ("BROKE", "")
        real, weak = recorder(), recorder(fixed_n={0: 20})
        for one, ratio in ((real, 1.6), (weak, 1.55)):
            arms = times(ratio)
            one.slower(arms["b"], than=arms["a"], by=1.1 if one is real else 1.7)
        verdict, why = of_control(weak.assertions, [], real.assertions)
        assert verdict == "CONTROL_WEAK" and "not apart" in why
