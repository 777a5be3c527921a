"""Every kind of claim about learning or values in a run: it holds, and its control breaks it."""

import json

from tests.harness.learner import KINDS


def test_every_kind_holds_and_every_control_breaks_it(kinds):
    result, run = kinds("--dl-controls", "--dl-strict")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*8 of 8 controls broke their claim*"])
    assert {a.kind for c in run.claims for a in c.assertions} == {"PAIRED", "EQUIVALENT", "LEVEL", "REACH", "IDENTITY"}


def test_a_control_that_changes_nothing_survives_or_is_weak(kinds):
    idle = KINDS.replace("level - 0.06", "level").replace("+ 1e-2", "+ 0")
    result, run = kinds("--dl-controls", "-k", "equivalent or identity", claims=idle)
    assert result.ret == 1
    assert {c.control_verdict for c in run.claims if c.is_control} == {"SURVIVED"}


def test_a_weak_control_is_red_under_strict_alone(kinds):
    """Permuted labels that still learn nearly as well: broken, but nothing could have told."""
    near = KINDS.replace("[0.1] * len(levels)", "[level - 0.001 for level in levels]").replace("0.65)", "0.69)")
    result, run = kinds("--dl-controls", "-k", "level", claims=near)
    assert [c.control_verdict for c in run.claims if c.is_control] == ["CONTROL_WEAK"] and result.ret == 0
    strict, _ = kinds("--dl-controls", "--dl-strict", "-k", "level", claims=near)
    assert strict.ret == 1


def test_values_are_stored_as_strict_json(kinds):
    _, run = kinds("-k", "units")
    assert [len(arm.values) for arm in run.arms] == [64, 64]
    json.dumps([arm.values for arm in run.arms], allow_nan=False)
