"""The HTML page: whole in itself, safe with any text, the same bytes for the same run, usable by everyone."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest

from dlcv04 import plaintext
from dlcv04.harness.claims import pictures
from dlcv04.harness.report import model
from dlcv04.harness.report.model import history
from dlcv04.harness.report.renderers import html_page
from dlcv04.harness.store.selftests import SelfTest
from tests.harness.report.past_runs import stored
from tests.harness.report.sample import (
    HOSTILE,
    empty_run,
    green_run,
    hostile_baselines,
    hostile_run,
    kinds_run,
    pictured_run,
    ramp,
    sample_baselines,
    sample_run,
)

VOID = {"meta", "br", "input", "link", "hr", "img", "path", "use"}


class Page(HTMLParser):
    """Collects tags, text outside scripts and styles, and checks that tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"script", "style"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def text() -> str:
    return html_page.render(sample_run(), sample_baselines())


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_same_run_gives_the_same_bytes(text: str) -> None:
    again = html_page.render(sample_run(), sample_baselines())
    # Line by line: a difference between two whole pages takes minutes to explain.
    assert [pair for pair in zip(again.splitlines(), text.splitlines(), strict=True) if pair[0] != pair[1]] == []


def test_the_page_asks_nothing_of_any_other_place(page: Page, text: str) -> None:
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert not re.search(r"url\((?!#)|@import|https?://", text)
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "img", "base", "form"}


def test_the_page_is_small(text: str) -> None:
    assert len(text.encode()) < 600_000


def test_every_verdict_is_shown_as_words(page: Page) -> None:
    for word in model.BADGES:
        if word != "NOT RUN":
            assert word.replace("_", " ") in page.text, word


def test_everything_asked_for_is_on_the_page(page: Page) -> None:
    for expected in (
        "4 of 6 claims hold",
        "cpu-amd-epyc-7b13-2",
        "stand-in: scikit-learn's 8x8 digits enlarged to 28x28",
        "9f3c1e77ab12",
        "uncommitted changes",
        "2026-01-31 23:40 UTC",
        "3 min 21 s",
        "1.62 [1.55, 1.70]",
        "margin 1.10",
        "tensorflow 2.20.0 → 2.21.0",
        "60,000 images, GTX 970",
        "26 × 26 × 32",
        "pytest bench/test_task1_architecture.py::test_parameter_counts --dl-profile smoke",
        "import keras",
    ):
        assert expected in page.text, expected


def test_every_card_has_all_that_belongs_on_it() -> None:
    run = msgspec.structs.replace(sample_run(), claims=[c for c in sample_run().claims if "total run" in c.sentence])
    text = html_page.render(run, sample_baselines())
    card = text[text.index("<article") : text.index("</article>")] + "</article>"
    words = Page(card).text
    for expected in (
        "Adding conv layers is expensive in total run time",  # sentence
        "slide 4",
        "HOLDS",
        "1.62 [1.55, 1.70]",  # effect with its interval
        "detectable from 1.06",
        "n 10 rounds",
        "11 s < 18 s < 39 s per epoch",  # 2016
        "broke the claim. 1.00, margin 1.10",  # the control
        "1.68 s 1.41 s 1.20 [1.14, 1.25]",  # the baseline's figure
        "conv2 Conv2D 24 × 24 × 32 9,248 5,308,416",  # a layer
        "pytest bench/test_task1_architecture.py::test_more_conv_layers_take_longer --dl-profile smoke",
    ):
        assert expected in words, expected
    assert card.count("<svg") == 3 and card.count("<details>") == 3


def test_every_kind_of_assertion_reads_well() -> None:
    words, five = Page(html_page.render(kinds_run())).text, "5 seeds, none failed (excludes only rates above 45%)"
    for expected in (
        "+0.10 points [-1.00, +0.40] less than +1.00 points",
        "+0.10 points [-0.40, +0.60] margin ±1.00 points",
        f"0.9800 [0.9750, 1.0000] at least 0.9700 n {five} detectable from 0.50 points",
        f"2.10 [1.70, 2.60] margin 1.50 n {five} detectable from 1.20",
        "2e-06 tolerance 1e-05 n 4,608 values detectable from the tolerance",
        "Epochs that each seed took to the target",
    ):
        assert expected in words, expected


def test_pictures_stand_in_the_page_with_text_for_those_who_can_not_see_them() -> None:
    page = Page(html_page.render(pictured_run()))
    shown = [attributes for tag, attributes in page.tags if tag == "img"]
    stored = pictured_run().claims[0].pictures
    assert [(a["width"], a["height"], a["alt"]) for a in shown] == [
        (str(p.width), str(p.height), p.name) for p in stored
    ]
    for attributes, picture in zip(shown, stored, strict=True):
        assert base64.b64decode((attributes["src"] or "").removeprefix("data:image/png;base64,")) == picture.png
    assert page.text.count("Dark on the left") == 4 and page.text.count("2016 The same ramp.") == 4


def test_a_page_with_all_the_pictures_that_a_run_may_have_stays_below_5_megabytes() -> None:
    full = msgspec.structs.replace(ramp(4, 4), png=bytes(pictures.MOST_BYTES))
    many = [full] * (pictures.MOST_BYTES_A_RUN // pictures.MOST_BYTES)
    claims = [msgspec.structs.replace(sample_run().claims[0], pictures=many), *sample_run().claims[1:]]
    assert len(html_page.render(msgspec.structs.replace(sample_run(), claims=claims), sample_baselines())) < 5_000_000


def test_headings_landmarks_and_names_for_a_screen_reader(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == 1 and {"header", "nav", "main", "footer"} <= set(tags)
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    for tag, attributes in page.tags:
        if tag == "svg" and attributes.get("aria-hidden") != "true":
            assert attributes.get("role") == "img" and attributes.get("aria-label")
        if tag == "div" and "scroll" in (attributes.get("class") or ""):
            assert attributes.get("aria-label") and attributes.get("tabindex") == "0"


def test_anchors_and_ids_fit(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len([i for i in ids if i and not re.match(r"f[0-9a-f]{8}-", i)]) == len(
        {i for i in ids if i and not re.match(r"f[0-9a-f]{8}-", i)}
    )
    targets = {(a.get("href") or "#")[1:] for tag, a in page.tags if tag == "a"}
    assert targets <= set(ids)


def test_without_scripts_everything_is_there(page: Page) -> None:
    hidden = [(tag, a.get("id")) for tag, a in page.tags if "hidden" in a]
    assert hidden == [("div", "claim-filter"), ("p", "no-card"), ("fieldset", "filter")]


def test_claims_can_be_found_by_every_verdict_on_them(page: Page) -> None:
    cards = {a["data-name"]: (a["data-verdicts"], a["data-task"]) for tag, a in page.tags if tag == "article"}
    assert cards["Adding conv layers is expensive in total run time"] == ("HOLDS,REGRESSED", "Task 1: architecture")
    chips = {a["value"] for tag, a in page.tags if tag == "input" and a["name"] == "claim-verdict"}
    assert chips == {"", *(word for verdicts, _ in cards.values() for word in (verdicts or "").split(","))}


def test_dark_light_print_and_focus_are_styled(text: str) -> None:
    for rule in ("prefers-color-scheme: dark", "@media print", ":focus-visible", "overflow-wrap: anywhere"):
        assert rule in text
    assert "var(--c1" in text


def test_only_the_pages_own_script_may_run(page: Page) -> None:
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv"))
    assert policy and "default-src 'none'" in policy and "script-src 'sha256-" in policy
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name: str) -> None:
    text = HOSTILE[name]
    page = Page(html_page.render(hostile_run(text), hostile_baselines(text)))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [a for _, a in page.tags if any(attribute.startswith("on") for attribute in a)]
    shown = " ".join(plaintext.printable(text).split())
    # As a name, a sentence, a machine class, a stored run's reason, ...
    assert page.text.count(shown) > 30 and not set(page.text) & set("\x00\x1b\u202e\u2066")


def test_ten_thousand_characters_everywhere_fit() -> None:
    long = HOSTILE["10,000 characters"]
    text = html_page.render(hostile_run(long), hostile_baselines(long))
    assert len(text) < 5_000_000
    Page(text)


def test_an_empty_run_and_one_with_failures_only() -> None:
    assert "No claim was run." in Page(html_page.render(empty_run())).text
    run = msgspec.structs.replace(empty_run(), failures=["bench/a.py::test_a: ValueError: <no>"])
    page = Page(html_page.render(run))
    assert "1 test ended with an error" in page.text and "ValueError: <no>" in page.text


def test_a_green_run_has_no_suspects() -> None:
    assert "Nothing: no claim and no figure is red" in Page(html_page.render(green_run())).text


def test_many_exact_figures_stand_in_one_table() -> None:
    page = Page(html_page.render(sample_run(), sample_baselines()))
    tables = [attributes for tag, attributes in page.tags if tag == "table" and attributes.get("class") == "counted"]
    assert len(tables) == 1
    assert "base has 600,810 parameters 600,810 parameters expected 600,810" in page.text


def test_each_picture_has_a_sentence_for_those_who_can_not_see_it() -> None:
    text = html_page.render(sample_run(), stored(16, slower_from=9))
    labels = re.findall(r'<svg class="spark[^>]*aria-label="([^"]*)"', text)
    assert len(labels) == len(history.build(sample_run(), stored(16, slower_from=9)).trends)
    assert all("16 stored runs from 2026-01-01 to 2026-01-16" in label for label in labels)
    assert any("since the run of 2026-01-10" in label for label in labels)


def test_the_page_shows_the_self_test_or_how_to_get_one(measured: SelfTest) -> None:
    page = html_page.render(sample_run(), [], measured)
    assert 'class="detection"' in page and "Smallest slowdown seen" in page
    without = html_page.render(sample_run())
    assert "run <code>dlcv04 selftest</code>" in without and 'class="detection"' not in without
    assert "2.5% with 10 degrees of freedom" in without


def test_cards_are_closed_but_for_what_needs_a_person() -> None:
    assert "<details open" not in html_page.render(green_run())
    text = html_page.render(sample_run())
    cards = re.findall(r'data-verdicts="([^"]*)"[^>]*>\n<details( open)?>', text)
    assert len(cards) == 6
    assert ("HOLDS,REGRESSED", " open") in cards and ("HOLDS", "") in cards


def test_figures_without_a_baseline_are_one_line() -> None:
    run = sample_run()
    fresh = [msgspec.structs.replace(c, verdict="NO_BASELINE", asserted=True) for c in run.comparisons]
    claims = [msgspec.structs.replace(c, comparisons=[]) for c in run.claims]
    claims[0] = msgspec.structs.replace(claims[0], comparisons=fresh)
    text = Page(html_page.render(msgspec.structs.replace(run, claims=claims, missing=[]))).text
    assert f"{len(fresh)} figures have no baseline to compare with: dlcv04 baseline stores one" in text


def test_links_of_a_job_are_there_to_be_clicked_only() -> None:
    run = msgspec.structs.replace(sample_run(), links={"commit": "https://x.test/c/1", "job": "https://x.test/j/2"})
    page = Page(html_page.render(run))
    assert [a["href"] for tag, a in page.tags if tag == "a" and "https" in (a.get("href") or "")] == [
        "https://x.test/c/1",
        "https://x.test/j/2",
    ]
