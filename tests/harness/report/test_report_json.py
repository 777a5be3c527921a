"""The report as JSON: strict, complete, in agreement with what people see, and the command that writes it."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from dlcv04.cli import app
from dlcv04.harness.report import json as renderer
from dlcv04.harness.report import markdown, model
from dlcv04.harness.schema import Run, read_run, to_builtins
from tests.harness.report.sample import empty_run, pictured_run, sample_baselines, sample_run
from tests.harness.report.test_report_history import stored
from tests.harness.test_selftest import a_test

KEYS = [
    "format", "version", "headline", "run", "counts", "suspects", "claims", "comparisons", "history", "environment",
    "clocks", "self_test",
]  # fmt: skip


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def parsed(run: Run, *others: object) -> dict:
    return json.loads(renderer.render(run, *others), parse_constant=refuse)


def test_the_documented_keys_are_there_in_this_order_for_any_run() -> None:
    assert list(parsed(sample_run(), sample_baselines())) == KEYS
    assert list(parsed(empty_run())) == KEYS
    assert all(f"\n    {key}" in (renderer.__doc__ or "") or f", {key}" in (renderer.__doc__ or "") for key in KEYS)


def test_it_says_what_the_page_says() -> None:
    view, found = model.build(sample_run(), sample_baselines()), parsed(sample_run(), sample_baselines())
    assert found["headline"]["text"] == view.headline.text
    assert [(c["card"], c["verdict"]) for c in found["claims"]] == [(c.anchor, c.badge.word) for c in view.cards]
    assert found["counts"]["claims"] == {"VIOLATED": 1, "INCONCLUSIVE": 1, "HOLDS": 4}
    assert found["counts"]["comparisons"]["REGRESSED"] == 1 and found["counts"]["controls"]["SURVIVED"] == 1
    assert [s["verdict"] for s in found["suspects"]] == [s.badge.word for s in view.suspects]
    assert [r["name"] for r in found["environment"] if r["differs"]] == ["tensorflow"]


def test_pictures_are_named_and_their_bytes_left_in_the_run() -> None:
    (claim,), text = parsed(pictured_run())["claims"], renderer.render(pictured_run())
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
    one = next(s for s in found["history"] if s["changes"])
    assert len(one["values"]) == len(one["runs"]) == 17
    assert one["runs"][0] == "run-0" and one["runs"][-1] is None
    assert one["changes"][0]["index"] == 9


def test_the_self_test_is_there_or_null() -> None:
    assert parsed(sample_run())["self_test"] is None
    assert parsed(sample_run(), [], a_test(0.01))["self_test"]["process_df"] == 19


def test_what_json_has_no_word_for_is_null() -> None:
    run = sample_run()
    odd = [msgspec.structs.replace(run.arms[0], facts={"x": [math.nan, {"y": math.inf}]}), *run.arms[1:]]
    text = json.dumps(parsed(msgspec.structs.replace(run, arms=odd)))
    assert '{"x": [null, {"y": null}]}' in text


def test_the_same_run_gives_the_same_bytes() -> None:
    first, second = (renderer.render(sample_run(), sample_baselines()) for _ in range(2))
    assert first == second


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("run.json").write_text(json.dumps({"dlcv04": to_builtins(sample_run())}))
    return tmp_path


def test_the_command_prints_json_and_markdown_or_writes_them(saved: Path) -> None:
    runner, run = CliRunner(), read_run("run.json")
    printed = runner.invoke(app, ["report", "run.json", "--format", "json"])
    assert printed.exit_code == 0 and printed.stdout == renderer.render(run)
    assert runner.invoke(app, ["report", "run.json", "--format", "markdown"]).stdout == markdown.render(run)
    done = runner.invoke(app, ["report", "run.json", "--format", "json", "--out", "new/report.json"])
    assert done.output == "report: new/report.json\n"
    assert Path("new/report.json").read_text() == renderer.render(run)
    assert not Path("reports").exists()


def test_the_command_writes_html_by_default(saved: Path) -> None:
    assert CliRunner().invoke(app, ["report", "run.json"]).exit_code == 0
    assert Path("reports/latest.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "jsno"], "did you mean 'json'?"),
        (["--format", "json", "--out", "run.json/x"], "name another file"),
        (["--out", "run.json"], "name another folder"),
    ],
)
def test_a_wrong_format_or_place_is_one_sentence(saved: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["report", "run.json", *arguments])
    assert done.exit_code == 2 and said in done.output


def test_a_cut_self_test_is_named(saved: Path) -> None:
    folder = saved / "baselines" / sample_run().environment.machine_class / "selftest"
    folder.mkdir(parents=True)
    (folder / "x.json").write_text("{")
    done = CliRunner().invoke(app, ["report", "run.json"])
    assert done.exit_code == 2 and "x.json can't be read" in done.output
