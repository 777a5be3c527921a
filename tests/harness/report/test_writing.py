"""Reports as files: their names, whole or not at all, and the command that writes them."""

from __future__ import annotations

import filecmp
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from dlcv04.cli import app
from dlcv04.harness import report
from dlcv04.harness.report.renderers import json_document, markdown
from dlcv04.harness.store.reading import read_run
from dlcv04.harness.store.schema import to_builtins
from tests.harness.report.sample import empty_run, sample_baselines, sample_run


def test_importing_the_report_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "import dlcv04.harness.report, dlcv04.harness.report.renderers.terminal\n"
        "print([m for m in ('matplotlib', 'jinja2.environment', 'numpy', 'keras', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_write_makes_the_page_and_its_latest_copy(tmp_path: Path) -> None:
    path = report.write(sample_run(), sample_baselines(), tmp_path / "new" / "reports")
    assert path.name == "20260131-234012-smoke-1a2b3c.html"
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, "latest.html"]
    assert filecmp.cmp(path, path.parent / "latest.html", shallow=False)
    assert path.stat().st_mode & 0o044


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "...", "a/b\\c:d", "é" * 300, "\ud800"])
def test_a_runs_name_never_leaves_the_folder(name: str, tmp_path: Path) -> None:
    path = report.write(msgspec.structs.replace(empty_run(), id=name), [], tmp_path)
    assert path.parent == tmp_path and path.is_file()


def test_a_folder_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(report.ReportError, match="--dl-report-dir"):
        report.write(empty_run(), [], tmp_path / "file")


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("run.json").write_text(json.dumps({"dlcv04": to_builtins(sample_run())}))
    return tmp_path


def test_the_command_prints_json_and_markdown_or_writes_them(saved: Path) -> None:
    runner, run = CliRunner(), read_run("run.json")
    printed = runner.invoke(app, ["report", "run.json", "--format", "json"])
    assert printed.exit_code == 0 and printed.stdout == json_document.render(run)
    assert runner.invoke(app, ["report", "run.json", "--format", "markdown"]).stdout == markdown.render(run)
    done = runner.invoke(app, ["report", "run.json", "--format", "json", "--out", "new/report.json"])
    assert done.output == "report: new/report.json\n"
    assert Path("new/report.json").read_text() == json_document.render(run)
    assert not Path("reports").exists()


def test_the_command_writes_html_by_default(saved: Path) -> None:
    assert CliRunner().invoke(app, ["report", "run.json"]).exit_code == 0
    assert Path("reports/latest.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--format", "jsno"],
            "'jsno' is not one of 'html', 'markdown', 'json', 'github-action-benchmark', 'bencher'.",
        ),
        (["--format", "json", "--out", "run.json/x"], "name another file"),
        (["--out", "run.json"], "name another folder"),
    ],
)
def test_a_wrong_format_or_place_is_one_sentence(saved: Path, arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(app, ["report", "run.json", *arguments])
    assert done.exit_code == 2 and sentence in done.output


def test_a_cut_self_test_is_named(saved: Path) -> None:
    folder = saved / "baselines" / sample_run().environment.machine_class / "selftest"
    folder.mkdir(parents=True)
    (folder / "x.json").write_text("{")
    done = CliRunner().invoke(app, ["report", "run.json"])
    assert done.exit_code == 2 and "x.json can't be read" in done.output
