"""Claims on values: identity, and more by unit or cluster of units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcv04.harness.claims.claim import ClaimError
from dlcv04.harness.judging.assertions import cluster_means
from dlcv04.harness.measuring.values import ArmValues
from tests.harness.arms import recorder, verdict


class TestIdentity:
    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(0, 1), st.data())
    @settings(max_examples=60)
    def test_the_largest_deviation_decides(self, values, within, data):
        slow = np.array(values)
        fast = slow + np.array(data.draw(st.lists(st.floats(-2, 2), min_size=len(values), max_size=len(values))))
        made = recorder()
        made.identical(ArmValues("fast", fast), ArmValues("slow", slow), within=within)
        assert (verdict(made) == "HOLDS") == bool((np.abs(fast - slow) <= within).all())

    def test_nan_on_one_side_violates_and_on_both_is_alike(self):
        both, one = np.array([1.0, np.nan]), np.array([1.0, 2.0])
        made = recorder()
        made.identical(ArmValues("f", both), ArmValues("s", both), within=0)
        made.identical(ArmValues("f", both), ArmValues("s", one), within=9)
        assert [a.verdict for a in made.assertions] == ["HOLDS", "VIOLATED"]
        assert "1 values are NaN on one side" in made.assertions[1].reason

    def test_infinities_of_opposite_sign_violate(self):
        made = recorder()
        made.identical(ArmValues("f", np.array([np.inf])), ArmValues("s", np.array([-np.inf])), within=9)
        assert verdict(made) == "VIOLATED"

    def test_the_place_is_named_and_shapes_must_agree(self):
        made, zeros = recorder(), np.zeros((2, 3))
        changed = zeros.copy()
        changed[1, 2] = 1
        made.identical(ArmValues("f", changed), ArmValues("s", zeros), within=0.5)
        assert "index (1, 2)" in made.assertions[0].reason
        with pytest.raises(ClaimError, match=r"\(2, 3\).*\(3,\)"):
            made.identical(ArmValues("f", zeros), ArmValues("s", zeros[0]), within=0)


class TestHigher:
    def test_over_units(self):
        rng = np.random.default_rng(0)
        base = rng.normal(size=64)
        arms = [ArmValues(n, base + d + rng.normal(0, 0.2, 64)) for n, d in (("after", 1.0), ("same", 0.0))]
        before, made = ArmValues("before", base), recorder()
        for one in arms:
            made.higher(one, than=before, by=0.5, over="filters", what="activation")
        assert [a.verdict for a in made.assertions] == ["HOLDS", "VIOLATED"]
        assert made.assertions[0].n == 64 and made.assertions[0].n_unit == "filters"

    def test_pictures_of_one_building_are_one_observation(self):
        """144 pictures of 12 buildings that vary as buildings do: by picture it seems clear, by building it is open."""
        rng = np.random.default_rng(1)
        clusters = np.repeat(np.arange(12), 12)
        buildings = np.array([0.1] * 8 + [0.0] * 4)
        gain = ArmValues("object", buildings[clusters] + rng.normal(0, 0.01, 144))
        none = ArmValues("background", np.zeros(144))
        by_picture, by_building = recorder(), recorder()
        by_picture.higher(gain, than=none, by=0.05, over="pictures")
        by_building.higher(gain, than=none, by=0.05, over="buildings", clusters=clusters)
        assert verdict(by_picture) == "HOLDS"
        assert by_building.assertions[0].n == 12 and verdict(by_building) == "INCONCLUSIVE"
        assert by_building.assertions[0].low < 0.05 < by_picture.assertions[0].low

    def test_four_starts_are_too_few_and_five_are_judged(self):
        for n, expected in ((4, "INCONCLUSIVE"), (5, "HOLDS")):
            made = recorder()
            made.higher(
                ArmValues("after", np.linspace(1, 2, n)), than=ArmValues("before", np.zeros(n)), by=0.1, over="starts"
            )
            assert verdict(made) == expected
        made = recorder()
        made.higher(ArmValues("a", np.ones(4)), than=ArmValues("b", np.zeros(4)), by=0.1, over="starts")
        assert made.assertions[0].reason == "4 starts are too few to judge: 5 at least"

    def test_right_or_wrong_has_no_median_below_its_step(self):
        """0 or 1 a picture: that most differ by nothing does not show that the typical one falls short of .1."""
        made, zeros = recorder(), np.zeros(40)
        some = np.array([1.0] * 8 + [0.0] * 32)
        made.higher(ArmValues("a", some), than=ArmValues("b", zeros), by=0.1, over="pictures")
        assert verdict(made) == "INCONCLUSIVE"

    @given(st.lists(st.tuples(st.integers(0, 3), st.floats(-9, 9)), min_size=1))
    @settings(max_examples=50)
    def test_means_of_clusters(self, units):
        labels = [label for label, _ in units]
        means = cluster_means(np.array([value for _, value in units]), labels)
        for label, mean in zip(dict.fromkeys(labels), means, strict=True):
            assert mean == pytest.approx(np.mean([value for other, value in units if other == label]), abs=1e-9)

    def test_one_value_a_unit(self):
        both = ArmValues("a", np.zeros((4, 2)))
        with pytest.raises(ClaimError, match="one a unit"):
            recorder().higher(both, than=both, by=1)
