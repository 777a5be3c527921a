"""The report as JSON: strict, complete, in agreement with what people see."""

from __future__ import annotations

import hashlib
import json
import math
import re

import msgspec
import pytest

from dlcv04.harness.report import model
from dlcv04.harness.report.renderers import json_document
from dlcv04.harness.store.schema import Run
from tests.harness.report.past_runs import stored
from tests.harness.report.sample import (
    HOSTILE,
    empty_run,
    hostile_baselines,
    hostile_run,
    pictured_run,
    sample_baselines,
    sample_run,
)
from tests.harness.selftest.made import a_test

KEYS = [
    "format", "version", "headline", "run", "counts", "suspects", "claims", "waiting", "comparisons", "history",
    "environment", "clocks", "self_test",
]  # fmt: skip


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def parsed(run: Run, *others: object) -> dict:
    return json.loads(json_document.render(run, *others), parse_constant=refuse)


def test_the_documented_keys_are_there_in_this_order_for_any_run() -> None:
    assert list(parsed(sample_run(), sample_baselines())) == KEYS
    assert list(parsed(empty_run())) == KEYS
    assert all(
        f"\n    {key}" in (json_document.__doc__ or "") or f", {key}" in (json_document.__doc__ or "") for key in KEYS
    )


def test_it_says_what_the_page_says() -> None:
    view, found = model.build(sample_run(), sample_baselines()), parsed(sample_run(), sample_baselines())
    assert found["headline"]["text"] == view.headline.text
    assert [(c["card"], c["verdict"]) for c in found["claims"]] == [(c.anchor, c.badge.word) for c in view.cards]
    assert found["counts"]["claims"] == {"VIOLATED": 1, "INCONCLUSIVE": 1, "HOLDS": 4}
    assert found["counts"]["comparisons"]["REGRESSED"] == 1 and found["counts"]["controls"]["SURVIVED"] == 1
    assert [s["verdict"] for s in found["suspects"]] == [s.badge.word for s in view.concerns]
    assert [r["name"] for r in found["environment"] if r["differs"]] == ["tensorflow"]


def test_pictures_are_named_and_their_bytes_left_in_the_run() -> None:
    (claim,), text = parsed(pictured_run())["claims"], json_document.render(pictured_run())
    first = pictured_run().claims[0].pictures[0]
    assert claim["pictures"][0] == {
        "name": first.name, "caption": first.caption, "published": first.published, "width": 1600, "height": 120,
        "sha256": hashlib.sha256(first.png).hexdigest(),
    }  # fmt: skip
    assert "iVBOR" not in text


def test_figures_are_numbers() -> None:
    found = parsed(sample_run(), sample_baselines())
    claim = next(c for c in found["claims"] if "expensive in total" in c["sentence"])
    assert claim["assertions"][0]["effect"] == 1.6234 and claim["assertions"][0]["low"] == 1.5512
    assert claim["slide"] == 4 and claim["published"]["epoch_seconds"]["base"] == 18
    arm = next(a for a in claim["arms"] if a["name"] == "base")
    assert arm["layers"][0]["output_shape"] == [26, 26, 32]
    assert 0.5 < arm["median_epoch_seconds"] < 0.9 and 0.5 < arm["stored_median_epoch_seconds"] < 0.9


def test_the_history_names_the_run_of_every_value() -> None:
    found = parsed(sample_run(), stored(16, slower_from=9))
    trend = next(s for s in found["history"] if s["changes"])
    assert len(trend["values"]) == len(trend["runs"]) == 17
    assert trend["runs"][0] == "run-0" and trend["runs"][-1] is None
    assert trend["changes"][0]["index"] == 9


def test_the_self_test_is_there_or_null() -> None:
    assert parsed(sample_run())["self_test"] is None
    assert parsed(sample_run(), [], a_test(0.01))["self_test"]["process_df"] == 19


def test_what_json_has_no_word_for_is_null() -> None:
    run = sample_run()
    odd = [msgspec.structs.replace(run.arms[0], facts={"x": [math.nan, {"y": math.inf}]}), *run.arms[1:]]
    text = json.dumps(parsed(msgspec.structs.replace(run, arms=odd)))
    assert '{"x": [null, {"y": null}]}' in text


def test_the_same_run_gives_the_same_bytes() -> None:
    first, second = (json_document.render(sample_run(), sample_baselines()) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", HOSTILE)
def test_json_keeps_hostile_text_exactly_and_escaped(name: str) -> None:
    run = hostile_run(HOSTILE[name])
    text = json_document.render(run, hostile_baselines(HOSTILE[name]))
    assert text.isascii() and not re.search("[\x00-\x09\x0b-\x1f\x7f]", text)
    found = json.loads(text)
    assert found["claims"][0]["sentence"] == found["run"]["commit"]["branch"] == HOSTILE[name]
