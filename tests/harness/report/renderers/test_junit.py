"""A claim's verdict and figures as JUnit properties."""

from __future__ import annotations

from dlcv04.harness.report.renderers import junit
from dlcv04.harness.store.schema import Claim
from tests.harness.report.sample import sample_run


def cases(root):
    return {case.get("name"): case for case in root.iter("testcase")}


def test_junit_has_verdicts_and_figures_as_properties(job):
    found = cases(job().xml)
    read = {p.get("name"): p.get("value") for p in found["test_false"].iter("property")}
    assert read["dl_verdict"] == read["dl_assertion_1_verdict"] == "VIOLATED"
    assert float(read["dl_assertion_1_high"]) < float(read["dl_assertion_1_margin"]) == 1.1
    assert read["dl_assertion_1_kind"] == "ORDER" and int(read["dl_assertion_1_n"]) >= 8
    assert found["test_false"].find("failure") is not None
    skipped = found["test_unsure"].find("skipped")
    assert "INCONCLUSIVE: Hardly slower" in skipped.get("message")
    assert found["test_longer_is_slower"].find("skipped") is None


def test_a_controls_verdict_is_a_property_too(job):
    read = {
        p.get("name"): p.get("value") for p in cases(job("--dl-controls").xml)["test_unsure[control]"].iter("property")
    }
    assert read["dl_control_verdict"] in {"BROKE", "CONTROL_WEAK"}


def test_numbers_survive_the_text():
    run = sample_run()
    for claim in run.claims:
        read = dict(junit.properties(claim))
        for number, assertion in enumerate(claim.assertions, 1):
            if assertion.effect is not None:
                assert float(read[f"dl_assertion_{number}_effect"]) == assertion.effect
            else:
                assert f"dl_assertion_{number}_effect" not in read


def test_hostile_sentences_stay_one_printable_line() -> None:
    read = dict(
        junit.properties(Claim(test="t", sentence="<script>100%::error::x\r\n::stop-commands::y, z: \u202e\x00"))
    )
    assert read["dl_sentence"].isprintable()
