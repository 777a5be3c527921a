"""Controls: what they may change, and in which arms."""

import pytest

from dlcv04.harness.claims.controls import ControlError, planted, reference_everywhere


class TestControls:
    def test_a_control_must_keep_the_arms(self):
        with pytest.raises(ControlError, match="never which arms"):
            planted("drops", lambda arm: arm).__class__("x", "x", lambda arms: {}).apply({"a": 1})

    def test_an_unknown_reference_is_named(self):
        with pytest.raises(ControlError, match=r"'base'.*'a', 'b'"):
            reference_everywhere("base").apply({"a": 1, "b": 2})

    def test_a_planted_difference_in_one_arm_only(self):
        control = planted("worse", lambda arm: arm + 1, only="b")
        assert control.apply({"a": 1, "b": 1}) == {"a": 1, "b": 2}
        assert "in the arm `b`" in control.describes
        with pytest.raises(ControlError, match="'c'"):
            planted("worse", lambda arm: arm, only="c").apply({"a": 1})
