"""The site's pages quote what their figures show, and the figures show what the package computes."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parent.parent / "docs"
SHOWN = json.loads((DOCS / "figures/figures.json").read_text())
JUDGING = (DOCS / "judging.md").read_text()


@pytest.fixture(scope="module")
def figures():
    sys.path.insert(0, str(DOCS))
    try:
        import figures

        return figures
    finally:
        sys.path.remove(str(DOCS))


def test_the_bounds_shown_are_those_of_the_package(figures):
    for ratio in figures.TRUE_RATIOS:
        found = figures.closing_in(ratio)
        assert found["verdict"] == SHOWN["bounds"][f"{ratio:.2f}"]["verdict"]
        for name in ("effect", "low", "high"):
            shown = SHOWN["bounds"][f"{ratio:.2f}"][name]
            assert np.array(found[name], float) == pytest.approx(np.array(shown, float), rel=1e-6, nan_ok=True)


def test_all_three_verdicts_are_shown():
    assert {path["verdict"][0] for path in SHOWN["bounds"].values()} == {"HOLDS", "VIOLATED", "INCONCLUSIVE"}


def test_points_of_the_gates_figure_simulated_anew(figures):
    """Same seeds, same rule, same count: a change of the gate that the page does not show yet is seen here."""
    prior = figures.PRIOR_PROCESS_SD, figures.PRIOR_PROCESS_SD, figures.PRIOR_PROCESS_DF
    at = SHOWN["slowdowns"].index(0.06)
    assert figures.simulated(0.06, *prior) == pytest.approx(SHOWN["prior"][at], abs=0.002)
    _, single = figures.replayed(0.06, figures.recorded())
    assert single == pytest.approx(SHOWN["replayed"][at], abs=0.002)


def test_the_page_quotes_what_the_figure_shows():
    points = [SHOWN["slowdowns"].index(slowdown) for slowdown in (0.04, 0.10, 0.20)]
    shown = [f"{100 * SHOWN[curve][point]:.1f} %" for curve in ("prior", "measured", "replayed") for point in points]
    assert re.findall(r"\*\*([\d.]+ %)\*\*", JUDGING) == shown


def test_unchanged_code_was_never_red_as_the_page_says():
    assert "red in none of the 1,000 runs of any of the three" in JUDGING and SHOWN["runs"] == 1000
    assert SHOWN["slowdowns"][0] == SHOWN["prior"][0] == SHOWN["measured"][0] == SHOWN["replayed_whole"][0] == 0


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_to_a_file_of_the_docs_leads_somewhere(page):
    made = {DOCS / "reference/options.md", DOCS / "reference/command.md"}  # by docs/hooks.py
    targets = [(page.parent / link).resolve() for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())]
    assert not [target for target in targets if not target.exists() and target not in made]
