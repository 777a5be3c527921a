"""Pages of several runs: whatever a run stores stays text, nothing is asked of the network, and the same bytes come."""

from __future__ import annotations

import re

import msgspec
import pytest

from dlcv04.harness.report.plots import beside
from dlcv04.harness.report.renderers import side_by_side, trends_page
from tests.harness.report.past_runs import stored
from tests.harness.report.sample import (
    HOSTILE,
    changed,
    empty_run,
    hostile_run,
    kinds_run,
    pictured_run,
    sample_run,
)

PAGES = {"side by side": side_by_side.render, "trends": trends_page.render}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_a_run_stores_stays_text(page: str, text: str) -> None:
    runs = [changed(hostile_run(text), id=f"{text}{number}") for number in range(3)]
    html = PAGES[page](runs)
    assert html.count("<script") == 1 and "onerror='window" not in html and "\x1b" not in html
    assert not re.search(r"<img src=[^\"]", html)


@pytest.mark.parametrize("page", PAGES)
def test_the_same_runs_give_the_same_bytes_and_ask_nobody(page: str) -> None:
    runs = [changed(run, claims=sample_run().claims) for run in stored(4)]
    html = PAGES[page](runs)
    assert html == PAGES[page](runs)
    assert "default-src 'none'" in html and "http" not in html.replace("http-equiv", "")


@pytest.mark.parametrize("page", PAGES)
def test_runs_that_have_nothing_are_a_page(page: str) -> None:
    assert "</html>" in PAGES[page]([empty_run(), changed(empty_run(), id="b")])


def test_every_kind_of_claim_has_its_line() -> None:
    html = side_by_side.render([kinds_run(), changed(kinds_run(), id="b")])
    assert html.count('class="bar"') == 2  # the line's own; the others stand inside
    assert html.count('<td><span class="badge') >= 2 * (len(kinds_run().claims[0].assertions) - 1)


def test_equal_pictures_are_shown_once_and_others_beside_each_other() -> None:
    run = pictured_run()
    assert (
        side_by_side.render([run, changed(run, id="b")]).count("data:image/png") == 3
    )  # two of the four have one name
    other = [msgspec.structs.replace(p, png=run.claims[0].pictures[2].png) for p in run.claims[0].pictures[:1]]
    claims = [msgspec.structs.replace(run.claims[0], pictures=other)]
    html = side_by_side.render([run, changed(run, id="b", claims=claims)])
    assert html.count("data:image/png") == 4 and "none of this name" in html


def test_bars_of_one_line_share_their_scale() -> None:
    claim = next(c for c in sample_run().claims if c.assertions and c.assertions[0].kind == "ORDER")
    near = claim.assertions[0]
    far = msgspec.structs.replace(near, effect=9.0, low=8.0, high=10.0)
    first, second, none = beside.bars([near, far, None])
    assert none == ""
    margins = [re.search(r'd="(M[\d.]+ 4L[\d.]+ 52)"', svg).group(1) for svg in (first, second)]  # type: ignore[union-attr]
    assert margins[0] == margins[1]


def test_curves_of_several_runs_share_one_frame() -> None:
    arm = next(a for a in sample_run().arms if a.curves)
    drawn = beside.curves([("A", arm), ("B", arm), ("C", None)])
    assert len(drawn) == 2 and "Validation accuracy" in drawn[0] and "A ends at" in drawn[0] and "B ends at" in drawn[0]


def test_a_lines_moved_figures_name_the_runs_and_how_far() -> None:
    run = sample_run()
    arms = [msgspec.structs.replace(a, parameters=a.parameters + 10) if a.name == "base" else a for a in run.arms]
    html = side_by_side.render([run, *(changed(run, id=name, arms=arms) for name in "bc")])
    assert "base, parameters: B +10, C +10</span>" in html
