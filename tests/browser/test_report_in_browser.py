"""The HTML report in a real browser, opened from disk: it asks nobody for anything, and everyone can use it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dlcv04.harness.policy import Policy
from dlcv04.harness.report.renderers import html_page, side_by_side, trends_page
from dlcv04.harness.selftest import replaying
from dlcv04.harness.store.schema import Commit, Run
from tests.harness.report.large import full_green_run, large_run, stored_runs
from tests.harness.report.past_runs import accepted, stored
from tests.harness.report.sample import (
    HOSTILE,
    empty_run,
    hostile_baselines,
    hostile_run,
    kinds_run,
    pictured_run,
    sample_baselines,
    sample_run,
)
from tests.harness.selftest.made import a_test

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDTHS = (1280, 390)


def unavailable(reason: str) -> Any:
    """Skip with a reason to read; where the browser is required (CI) its absence is a failure."""
    if os.environ.get("DLCV04_BROWSER") == "required":
        pytest.fail(f"DLCV04_BROWSER=required, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        unavailable("playwright is not installed: pip install dlcv04[browser]")
    if CHROMIUM is None:
        unavailable("no chromium was found: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="module")
def axe() -> Any:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ModuleNotFoundError:
        unavailable("axe-playwright-python is not installed: pip install dlcv04[browser]")
    return Axe()


def sample_page() -> str:
    runs = stored(22, slower_from=14, ratio=1.08)
    runs[14] = msgspec.structs.replace(runs[14], acceptance=accepted("every picture is checked now", pins=True))
    return html_page.render(sample_run(), runs, replaying.with_replays(a_test(0.01), Policy()))


def past() -> list[Run]:
    """Twelve runs with claims, slower from the eighth on, where each has a commit of its own."""
    return [
        msgspec.structs.replace(run, claims=sample_run().claims, commit=Commit(id=f"{number:x}" * 40))
        for number, run in enumerate(stored(12, slower_from=7, ratio=1.3))
    ]


def sides(count: int) -> list[Run]:
    """Runs with other verdicts, other times and a claim less."""
    first = sample_run()
    slow = [msgspec.structs.replace(a, round_seconds=[s * 1.5 for s in a.round_seconds]) for a in first.arms]
    claims = [msgspec.structs.replace(c, verdict="VIOLATED") if n == 4 else c for n, c in enumerate(first.claims[1:])]
    other = msgspec.structs.replace(first, arms=slow, claims=claims)
    return [
        first,
        *(
            msgspec.structs.replace(other, id=f"run-{n}", key={**first.key, "backend": f"b{n}"})
            for n in range(1, count)
        ),
    ]


PAGES: dict[str, Callable[[], str]] = {
    "sample": sample_page,
    "full and green": lambda: html_page.render(full_green_run(), sample_baselines()),
    "every kind": lambda: html_page.render(kinds_run()),
    "pictures": lambda: html_page.render(pictured_run()),
    "empty": lambda: html_page.render(empty_run()),
    "200 claims": lambda: html_page.render(large_run(200)),
    "two sides": lambda: side_by_side.render(sides(2)),
    "four sides": lambda: side_by_side.render(sides(4)),
    "pictures of two": lambda: side_by_side.render([pictured_run(), pictured_run()]),
    "trends": lambda: trends_page.render(past()),
    "trends of 50": lambda: trends_page.render(stored_runs(large_run(8), 50)),
    "history of 50": lambda: html_page.render(large_run(8), stored_runs(large_run(8), 50)),
    **{
        f"hostile: {name}": lambda text=text: html_page.render(hostile_run(text), hostile_baselines(text))  # type: ignore[misc]
        for name, text in HOSTILE.items()
    },
    **{
        f"hostile sides: {name}": lambda text=text: side_by_side.render([hostile_run(text), hostile_run(text)])  # type: ignore[misc]
        for name, text in HOSTILE.items()
    },
    **{
        f"hostile trends: {name}": lambda text=text: trends_page.render(  # type: ignore[misc]
            [msgspec.structs.replace(hostile_run(text), id=f"{text}{number}") for number in range(2)]
        )
        for name, text in HOSTILE.items()
    },
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file of one of PAGES, written when it is first asked for."""
    folder, files = tmp_path_factory.mktemp("pages"), {}

    def write(name: str) -> Path:
        if name not in files:
            files[name] = folder / f"{len(files)}.html"
            files[name].write_bytes(PAGES[name]().encode("utf-8", "replace"))
        return files[name]

    return write


@dataclass
class Seen:
    """A page, and what it did on its own."""

    page: Any
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def shown(self) -> list[str]:
        """Titles of the cards that are visible, from top to bottom."""
        return self.page.evaluate(
            "[...document.querySelectorAll('article')].filter(c => c.checkVisibility())"
            ".map(c => c.querySelector('h3').textContent)"
        )

    def choose(self, label: str, option: str) -> float:
        """Choose from the list that a screen reader calls `label`; return the seconds until all is laid out again."""
        chosen = self.page.get_by_role("combobox", name=label, exact=True)
        return chosen.evaluate(
            """(list, option) => {
                const start = performance.now();
                list.value = option;
                list.dispatchEvent(new Event('change', {bubbles: true}));
                document.body.getBoundingClientRect();
                return (performance.now() - start) / 1000;
            }""",
            option,
        )

    def no_wider_than_the_window(self) -> bool:
        return self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.fixture
def opened(browser: Any, written: Callable[[str], Path]) -> Callable[..., Any]:
    @contextmanager
    def open_page(name: str, *, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Iterator[Seen]:
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, java_script_enabled=scripts)
        page = context.new_page()
        seen = Seen(page)
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("console", lambda message: seen.problems.append(message.text))
        page.on("pageerror", lambda error: seen.problems.append(str(error)))
        page.on("dialog", lambda dialog: (seen.problems.append(dialog.message), dialog.dismiss()))
        page.goto(written(name).as_uri())
        yield seen
        context.close()

    return open_page


# -- any page ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_it_loads_from_disk_says_nothing_asks_nobody_and_is_not_too_wide(
    opened: Any, written: Any, name: str, width: int
) -> None:
    with opened(name, width=width) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert seen.no_wider_than_the_window()
        assert seen.requests == [written(name).as_uri()]
        assert seen.problems == []


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("sample", "light"),
        ("sample", "dark"),
        ("every kind", "dark"),
        ("pictures", "light"),
        ("pictures", "dark"),
        ("empty", "dark"),
        ("history of 50", "light"),
        ("two sides", "light"),
        ("two sides", "dark"),
        ("four sides", "light"),
        ("pictures of two", "dark"),
        ("trends", "light"),
        ("trends", "dark"),
        ("hostile: quotes", "light"),
    ],
)
def test_axe_finds_nothing_serious(opened: Any, axe: Any, name: str, scheme: str) -> None:
    with opened(name, scheme=scheme) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        found = axe.run(seen.page).response["violations"]
    told = [(v["id"], v["impact"], [node["target"] for node in v["nodes"]][:3]) for v in found]
    assert [one for one in told if one[1] in {"serious", "critical"}] == []


def test_axe_would_find_something_serious(opened: Any, axe: Any) -> None:
    with opened("sample") as seen:
        seen.page.evaluate("document.querySelector('article svg').removeAttribute('aria-label')")
        seen.page.evaluate("document.querySelector('article h3').style.color = '#eee'")
        found = {v["id"] for v in axe.run(seen.page).response["violations"]}
    assert found >= {"svg-img-alt", "color-contrast"}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_stored_text_becomes_a_script_an_element_or_a_handler(opened: Any, name: str) -> None:
    with opened(f"hostile: {name}") as seen:
        seen.page.mouse.move(200, 300)
        assert seen.page.evaluate("window.hit") is None
        assert seen.page.locator("script").count() == 1
        assert seen.page.locator("img:not([src^='data:image/png;base64,']), a[href^='http']").count() == 0
        handlers = "[...document.all].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"
        assert seen.page.evaluate(handlers) == 0
        assert seen.problems == []
        title = seen.page.locator("article h3").inner_text()
        assert title == " ".join("".join(c if c.isprintable() else " " for c in HOSTILE[name]).split())


# -- what is on it -------------------------------------------------------------------------------------------


def test_every_plot_has_a_size_and_colours(opened: Any) -> None:
    with opened("sample") as seen:
        drawn = seen.page.evaluate(
            """[...document.querySelectorAll('figure svg, svg.spark')].map(svg => {
                const box = svg.getBoundingClientRect(), outer = svg.parentElement.getBoundingClientRect();
                const line = getComputedStyle(svg.querySelector('path[stroke], .line'));
                return [box.width, box.height, box.right <= outer.right + 1, line.stroke];
            })"""
        )
    assert len(drawn) >= 20
    assert all(width > 100 and height > 20 and inside for width, height, inside, _ in drawn)
    assert all(stroke.startswith("rgb") for *_, stroke in drawn)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_keep_their_shape_and_stay_in_their_card(opened: Any, width: int, scheme: str) -> None:
    with opened("pictures", width=width, scheme=scheme) as seen:
        drawn = seen.page.evaluate(
            """[...document.querySelectorAll('.pictures img')].map(img => {
                const box = img.getBoundingClientRect(), card = img.closest('article').getBoundingClientRect();
                const text = img.nextElementSibling.getBoundingClientRect();
                return [img.complete && img.naturalWidth, img.naturalHeight, box.width, box.height,
                        box.left >= card.left && box.right <= card.right, text.width, text.top >= box.bottom];
            })"""
        )
    assert [tuple(one[:2]) for one in drawn] == [(1600, 120), (90, 900), (64, 64), (64, 64)]
    for natural_width, natural_height, across, down, inside, text_width, below in drawn:
        assert abs(across / down - natural_width / natural_height) < 0.05 * natural_width / natural_height
        assert inside and below and text_width >= 290 and across <= natural_width


def test_light_and_dark_differ_in_page_and_plots(opened: Any) -> None:
    def colours(scheme: str) -> list[str]:
        with opened("sample", scheme=scheme) as seen:
            return seen.page.evaluate(
                """[getComputedStyle(document.body).backgroundColor,
                    getComputedStyle(document.querySelector('figure svg text')).fill]"""
            )

    light, dark = colours("light"), colours("dark")
    assert light[0] != dark[0] and light[1] != dark[1]


def test_without_scripts_all_cards_are_there_and_no_dead_controls(opened: Any) -> None:
    with opened("sample", scripts=False) as seen:
        assert seen.page.locator("article:visible").count() == 6
        assert not seen.page.locator("#claim-filter").is_visible() and not seen.page.locator("#filter").is_visible()


def test_it_prints_on_pages_without_controls(opened: Any) -> None:
    with opened("sample") as seen:
        seen.page.emulate_media(media="print")
        assert not seen.page.locator("#claim-filter").is_visible() and not seen.page.locator("nav").is_visible()
        assert seen.page.locator("article:visible").count() == 6
        closed = seen.page.locator("article details:not([open]) .body")
        assert closed.count() > 0
        # Whoever reads paper can open nothing: without a script too.
        assert all(one.is_visible() for one in closed.all())
        assert seen.page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.parametrize("name", ["two sides", "trends"])
def test_pages_of_several_runs_print_with_everything_open(opened: Any, name: str) -> None:
    with opened(name) as seen:
        assert seen.page.locator("details:not([open])").count() > 1
        seen.page.emulate_media(media="print")
        hidden = "[...document.querySelectorAll('details > :not(summary)')].filter(e => !e.checkVisibility()).length"
        assert seen.page.evaluate(hidden) == 0
        # Browsers that can't do that in the style sheet have the script.
        seen.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert seen.page.locator("details:not([open])").count() == 0
        assert seen.problems == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_run_with_reds_has_a_short_heading_and_its_counts(opened: Any, width: int) -> None:
    with opened("sample", width=width) as seen:
        assert seen.page.locator(".tiles li").all_inner_texts()[1] == "1 violated"
        assert seen.page.locator(".tiles").is_visible()
        assert len(seen.page.locator("h1").inner_text()) < 120
        assert seen.page.locator("#suspects li").first.bounding_box()["y"] < 844


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_whole_run_is_short_and_its_first_screen_has_the_verdict(opened: Any, width: int, scheme: str) -> None:
    with opened("full and green", width=width, scheme=scheme) as seen:
        assert seen.page.evaluate("document.documentElement.scrollHeight") <= 6000
        places = seen.page.evaluate(
            "['h1', '#suspects', '#claims'].map(one => document.querySelector(one).getBoundingClientRect().top)"
        )
    assert places == sorted(places) and places[2] < 900


def test_a_link_opens_its_card(opened: Any) -> None:
    with opened("full and green") as seen:
        body = seen.page.locator("article .body").nth(20)
        assert not body.is_visible()
        seen.page.evaluate("location.hash = document.querySelectorAll('article')[20].id")
        body.wait_for(state="visible", timeout=3000)


def test_a_section_opens_from_the_list_of_sections(opened: Any) -> None:
    with opened("full and green") as seen:
        assert not seen.page.locator("#all-comparisons").is_visible()
        seen.page.locator("nav a", has_text="Comparisons").click()
        assert seen.page.locator("#all-comparisons").is_visible()


# -- filters and sorting -------------------------------------------------------------------------------------


def test_claims_are_filtered_by_verdict_with_the_keyboard(opened: Any) -> None:
    with opened("sample") as seen:
        chosen = seen.page.locator("#claim-filter input:checked")
        seen.page.locator("#claim-filter input").first.focus()
        seen.page.keyboard.press("ArrowRight")
        assert chosen.input_value() == "VIOLATED"
        assert seen.shown() == ["Half the filters learn as well and train faster"]
        assert seen.page.locator("#claim-status").inner_text() == "1 of 6 claims shown"
        seen.page.keyboard.press("ArrowLeft")
        assert len(seen.shown()) == 6


def test_a_chip_shows_as_many_cards_as_it_says(opened: Any) -> None:
    with opened("sample") as seen:
        for chip in seen.page.locator("#claim-filter fieldset label").all():
            chip.click()
            assert len(seen.shown()) == int(chip.inner_text().split()[-1])


def test_task_and_verdict_together_and_what_nothing_matches(opened: Any) -> None:
    with opened("200 claims") as seen:
        seen.choose("Task", "Task 2")
        assert seen.page.locator("#claim-status").inner_text() == "40 of 200 claims shown"
        seen.page.locator("#claim-filter label", has_text="violated").click()
        assert seen.page.locator("#claim-status").inner_text() == "10 of 200 claims shown"
        assert not seen.page.locator("#no-card").is_visible()
        seen.page.evaluate("document.querySelectorAll('article').forEach(card => { card.dataset.task = ''; })")
        seen.choose("Task", "Task 3")
        assert seen.page.locator("#no-card").is_visible()


def test_200_claims_are_sorted_by_name_task_and_verdict_at_once(opened: Any) -> None:
    with opened("200 claims") as seen:
        before = seen.shown()
        assert seen.choose("Sort by", "name") < 2
        assert seen.shown() == sorted(before)
        seen.choose("Sort by", "task")
        tasks = seen.page.evaluate("[...document.querySelectorAll('article')].map(card => card.dataset.task)")
        assert tasks == sorted(tasks)
        seen.choose("Sort by", "verdict")
        assert seen.shown() == before


def test_a_list_is_chosen_from_as_people_do(opened: Any) -> None:
    with opened("sample") as seen:
        before = seen.shown()
        seen.page.locator("#claim-sort").select_option("name")
        assert seen.shown() == sorted(before) != before


def test_a_link_reaches_its_card_whatever_is_filtered_away(opened: Any) -> None:
    with opened("sample") as seen:
        seen.page.locator("#claim-filter label", has_text="inconclusive").click()
        link = seen.page.locator("#suspects a", has_text="Half the filters")
        link.click()
        card = seen.page.locator(link.get_attribute("href"))
        # Scrolling is smooth, so it takes a moment.
        card.evaluate(
            "c => new Promise(done => new IntersectionObserver(e => e[0].isIntersecting && done()).observe(c))"
        )
        assert len(seen.shown()) == 6


def test_comparisons_are_filtered_by_verdict(opened: Any) -> None:
    with opened("sample") as seen:
        seen.page.locator("#comparisons > .fold > summary").click()
        seen.page.locator("#all-comparisons details > summary").click()
        rows = seen.page.locator("#all-comparisons tbody:visible")
        assert rows.count() == 14
        seen.page.locator("#filter label", has_text="regressed").click()
        assert rows.count() == 1
        assert seen.page.locator("#filter-status").text_content() == "1 shown"
