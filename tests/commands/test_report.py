"""``dlcv04 report``: wrong input is one sentence; tests/harness/report/test_writing.py has what is written."""

from pathlib import Path

import msgspec

from tests.commands.asking import Command
from tests.harness.report.past_runs import accepted
from tests.harness.report.sample import changed, sample_run

report = Command("report")


def test_a_cut_run_is_named():
    Path("cut.json").write_text('{"dlcv04": {"schema"')
    assert "cut.json" in report.refused("cut.json")


def test_a_form_that_there_is_not():
    sentence = report.refused("run.json", "--format", "jsno")
    assert (
        sentence == "Invalid value for '--format': 'jsno' is not one of 'html', 'markdown', 'json', "
        "'github-action-benchmark', 'bencher'.\n"
    )


def saved(name, **changes):
    """The sample as a file."""
    Path(name).write_bytes(msgspec.json.encode({"dlcv04": changed(sample_run(), **changes)}))


def test_two_saved_runs_stand_side_by_side():
    saved("a.json")
    saved("b.json", id="b")
    assert report("a.json", "b.json") == ["side-by-side: reports/side-by-side.html"]
    page = Path("reports/side-by-side.html").read_text()
    assert page.startswith("<!doctype html>") and "2 runs side by side" in page
    assert not Path("reports/latest.html").exists()


def test_a_saved_run_before_baselines_is_reported_beside_them():
    saved("a.json")
    saved("b.json", id="b", acceptance=accepted())
    [line] = report("a.json", "b.json")
    assert line.startswith("report: ") and Path("reports/latest.html").exists()


def test_baselines_are_equals_and_many_are_trends():
    for number in range(5):
        saved(f"{number}.json", id=f"run-{number}", acceptance=accepted())
    assert report("0.json", "1.json") == ["side-by-side: reports/side-by-side.html"]
    assert report(*(f"{number}.json" for number in range(5))) == ["trends: reports/trends.html"]


def test_another_page_than_the_files_mean():
    saved("a.json")
    saved("b.json", id="b")
    [line] = report("a.json", "b.json", "--page", "run")
    assert line.startswith("report: ")
    assert report("a.json", "b.json", "--page", "trends") == ["trends: reports/trends.html"]
    assert "2 to 4 can" in report.refused("a.json", "--page", "side-by-side")
    assert "2 to 4 can" in report.refused(*["a.json"] * 5, "--page", "side-by-side")


def test_a_text_of_runs_side_by_side_is_refused():
    saved("a.json")
    saved("b.json", id="b")
    assert "--page run" in report.refused("a.json", "b.json", "--format", "json")
    assert report("a.json", "b.json", "--format", "json", "--page", "run")[0] == "{"


def test_the_help_says_which_files_make_which_page():
    text = " ".join(" ".join(report("--help")).split())
    for word in ("side-by-side", "trends", "baselines", "Two to four", "Five or more"):
        assert word in text


def test_a_name_of_a_page_is_a_file_and_any_other_a_folder():
    saved("a.json")
    saved("b.json", id="b")
    assert report("a.json", "--out", "pages/a.html") == ["report: pages/a.html"]
    assert report("a.json", "b.json", "--out", "pages/two.html") == ["side-by-side: pages/two.html"]
    assert sorted(path.name for path in Path("pages").iterdir() if path.is_file()) == ["a.html", "two.html"]
    report("a.json", "--out", "folder")
    assert Path("folder/latest.html").is_file()


def test_an_export_of_several_files_is_refused_and_not_cut_to_the_first():
    saved("a.json")
    saved("b.json", id="b", acceptance=accepted())
    for form in ("bencher", "github-action-benchmark"):
        assert "2 files were given: give one" in report.refused("a.json", "b.json", "--format", form)
        assert report("a.json", "--format", form)
