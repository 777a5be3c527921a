"""The contract with pytest-benchmark: every private part that the adapter uses is there and behaves as it needs.

When a new release of pytest-benchmark breaks one of these, mend `benchmark_adapter.py`, and nothing else.
"""

import inspect
import json
import sys
from importlib.metadata import version

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from pytest_benchmark.session import BenchmarkSession

from tests.conftest import FAKE_MACHINE, SUITE
from tests.harness.inner_runs import run_apart, run_block


def test_the_pinned_release():
    assert version("pytest-benchmark").startswith("5.3.")


def test_the_session_has_the_attributes_that_are_used(request):
    session = request.config._benchmarksession
    used = ("benchmarks", "disabled", "options", "logger", "compare", "json", "save", "autosave", "save_data")
    for name in (*used, "compare_fail", "storage"):
        assert hasattr(session, name), name
    for name in ("handle_loading", "save_json", "get_machine_info"):
        assert callable(getattr(BenchmarkSession, name)), name


def test_the_fixture_is_built_from_the_sessions_options(request):
    needed = set(inspect.signature(BenchmarkFixture.__init__).parameters) - {"self", "node"}
    given = {*request.config._benchmarksession.options, "add_stats", "logger", "warner", "disabled", "group"}
    assert needed == given


def test_make_stats_registers_a_row_that_takes_seconds(request):
    rows, session = [], request.config._benchmarksession
    fixture = BenchmarkFixture(
        request.node,
        add_stats=rows.append,
        logger=session.logger,
        warner=request.node.warn,
        disabled=False,
        **session.options,
    )
    fixture.name, fixture.fullname = "a<b>", "x::a<b>"
    stats = fixture._make_stats(1)
    stats.update(0.5)
    assert rows == [stats]
    assert (stats.name, stats.fullname, stats.stats.data) == ("a<b>", "x::a<b>", [0.5])
    fixture._mode = "adopted"
    fixture._cleanup()


def test_comparison_is_hidden_before_it_is_read_and_given_back(suite):
    """Without claims `--benchmark-compare` is pytest-benchmark's; with claims it never sees the option."""
    pytester = suite("def test_plain(benchmark): benchmark(lambda: 1)\n")
    pytester.runpytest("bench", "--benchmark-autosave")
    pytester.runpytest("bench", "--benchmark-compare").stdout.fnmatch_lines(["*(NOW)*"])
    suite().runpytest("bench", "--benchmark-compare").stdout.no_fnmatch_line("*(NOW)*")


def test_the_file_has_the_fields_that_other_tools_read(suite):
    """`pytest-benchmark compare`, github-action-benchmark (tool: pytest) and Bencher (python_pytest)."""
    pytester = suite()
    pytester.runpytest("bench", "--benchmark-save=kept", "--benchmark-json=run.json")
    document = json.loads((pytester.path / "run.json").read_text())
    assert {"machine_info", "commit_info", "benchmarks", "datetime", "version", "dlcv04"} <= set(document)
    row = document["benchmarks"][0]
    assert {"group", "name", "fullname", "params", "param", "extra_info", "options", "stats"} <= set(row)
    assert {"min", "max", "mean", "stddev", "median", "iqr", "ops", "rounds", "data"} <= set(row["stats"])
    listed = pytester.run(sys.executable, "-m", "pytest_benchmark", "compare", "--columns=min,mean")
    assert listed.ret == 0
    assert "test_longer_is_slower<short>" in listed.stdout.str() + listed.stderr.str()


def test_saved_runs_hold_strict_json(suite):
    pytester = suite()
    pytester.runpytest("bench", "--benchmark-json=run.json")

    def refuse(constant):
        raise AssertionError(f"{constant} in a stored run")

    json.loads((pytester.path / "run.json").read_text(), parse_constant=refuse)


def test_the_adapter_is_the_only_module_that_names_private_parts():
    from pathlib import Path

    package = Path(__file__).parents[3] / "dlcv04"
    private = ("_benchmarksession", "_make_stats", "BenchmarkFixture")
    guilty = [
        file.name
        for file in package.rglob("*.py")
        if file.name != "benchmark_adapter.py" and any(name in file.read_text() for name in private)
    ]
    assert guilty == []


@pytest.mark.parametrize("option", ["--benchmark-save=x", "--benchmark-autosave"])
def test_runs_never_go_into_baselines(suite, option):
    pytester = suite()
    pytester.runpytest("bench", option)
    assert not (pytester.path / "baselines").exists()
    assert list((pytester.path / ".benchmarks").rglob("*.json"))


def test_a_run_that_only_counts_is_saved_too(suite):
    pytester = suite("""
from dlcv04 import claim, reference_everywhere

@claim("Two is two", control=reference_everywhere("one"))
def test_two(claim):
    claim.exactly(2, 2, of="two")
""")
    result, block = run_block(pytester, "--benchmark-autosave")
    assert result.ret == 0 and block["claims"][0]["verdict"] == "HOLDS"
    assert list((pytester.path / ".benchmarks").rglob("*.json"))


def test_a_saved_run_without_rows_warns_of_nothing(suite):
    """pytest-benchmark would say that it saved nothing, which `-W error` makes the end of the run."""
    counts = """
from dlcv04 import claim, planted

@claim("Two", control=planted("one more", lambda arm: arm))
def test_two(claim):
    claim.exactly(2, 2, of="a")
"""
    result = suite(counts).runpytest_subprocess("bench", "--benchmark-save=x", "-W", "error")
    assert result.ret == 0 and "Not saving anything" not in result.stdout.str() + result.stderr.str()


def test_rows_of_the_arms_stand_in_pytest_benchmarks_table_and_file(suite):
    pytester = suite()
    result = pytester.runpytest("bench", "--benchmark-json=run.json")
    result.stdout.fnmatch_lines(["*test_longer_is_slower<short>*", "*test_longer_is_slower<long>*"])
    rows = json.loads((pytester.path / "run.json").read_text())["benchmarks"]
    assert [row["fullname"].split("<")[1] for row in rows] == ["short>", "long>"]
    assert all(len(row["stats"]["data"]) == row["stats"]["rounds"] >= 8 for row in rows)


def rows_of(pytester, machine, file):
    (pytester.path / "conftest.py").write_text(machine)
    assert run_apart(pytester, "bench", f"--benchmark-json={file}").ret == 0
    return json.loads((pytester.path / file).read_text())


def test_a_row_has_the_seconds_of_an_epoch_however_many_images_its_rounds_had(suite):
    """Equal code read as twice as fast to other tools, since the number of steps a round is found anew by each run."""
    pytester = suite(SUITE.replace("0.1", "0.001").replace("0.2", "0.002"))
    runs = [
        rows_of(pytester, FAKE_MACHINE, "short.json"),
        rows_of(pytester, FAKE_MACHINE + "\nfrom dlcv04.harness.measuring import blocks\n"
                "blocks.SHORTEST_ROUND_SECONDS *= 2\n", "long.json"),
    ]  # fmt: skip
    rounds = [run["dlcv04"]["arms"][0]["images_per_round"] for run in runs]
    assert rounds[1] > 1.5 * rounds[0] > 15, "the rounds differ"
    for run in runs:
        for row, arm, seconds in zip(run["benchmarks"], run["dlcv04"]["arms"], (0.001, 0.002), strict=True):
            assert row["stats"]["median"] == pytest.approx(seconds, rel=0.05)
            assert row["extra_info"]["seconds_of_images"] == arm["images_per_epoch"] == 10
            assert len(row["stats"]["data"]) == len(arm["round_seconds"])
    listed = pytester.run(sys.executable, "-m", "pytest_benchmark", "compare", "short.json", "long.json")
    assert listed.ret == 0 and "short>" in listed.stdout.str() + listed.stderr.str()
