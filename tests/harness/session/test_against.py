"""`--dl-against REV`: two trees in alternating fresh processes, on a machine whose clock is ours."""

import json
import sys

import pytest
from typer.testing import CliRunner

from dlcv04 import cli
from tests.conftest import SUITE
from tests.harness.inner_runs import run_apart
from tests.harness.two_trees import LIVELY, TWO, against, verdicts

#: Tests say `fresh=True` where the interpreter is the point.
pytestmark = pytest.mark.usefixtures("light_processes")


def test_unchanged_code_passes_and_its_rounds_are_kept(committed):
    """In interpreters of their own, as at people's."""
    result, run = against(committed, fresh=True)
    assert result.ret == 0, result.stdout.str()
    assert set(verdicts(run).values()) == {"PASS"} and len(verdicts(run)) == 4
    pairs = run["against"]["pairs"]
    assert {pair["pair"] for pair in pairs} >= {0, 1} and len(pairs[0]["new_seconds"]) == 20
    result.stdout.fnmatch_lines(
        [
            "*against HEAD: 2 timing tests in 2 to 8*",
            "*process pair 1 of 2 to 8*",
            "*all 4 figures pass against HEAD in * process pairs*",
        ]
    )
    report = (committed.path / "reports/latest.html").read_text()
    assert "between processes 2.5 % on 10 degrees of freedom" in report


def test_the_working_tree_and_the_repository_are_left_as_they_were(committed):
    against(committed)
    assert len(committed.git("worktree", "list").splitlines()) == 1
    assert committed.git("status", "--short") == ""


def test_an_unknown_commit_is_a_usage_error(committed):
    result, _ = against(committed, rev="nonsense")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--dl-against nonsense: git knows no such commit*"])


def test_a_cut_self_test_is_a_usage_error_that_names_it(committed):
    folder = committed.path / "baselines/cpu-fake-2-cores/selftest"
    folder.mkdir(parents=True)
    (folder / "20261123T000000.json").write_text("{")
    result, _ = against(committed)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*20261123T000000.json can't be read*"])


def test_no_repository_is_a_usage_error(suite):
    result = run_apart(suite(), "bench", "--dl-against=HEAD")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*in no git repository*"])


def test_no_git_is_a_usage_error_in_one_sentence(committed, monkeypatch):
    monkeypatch.setenv("PATH", "")
    result, _ = against(committed)
    assert result.ret == 4
    told = "ERROR: --dl-against HEAD: git is not installed, so there is nothing to compare with."
    assert told in result.stderr.str().splitlines()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_hook_may_compare_with_the_last_commit(committed):
    hook = committed.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m pytest bench --dl-against HEAD -k again\n")
    hook.chmod(0o755)
    committed.change(LIVELY + "\n# Changed.\n")
    committed.git("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-am", "y")
    assert (committed.path / "reports/latest.html").exists(), "the hook has run"
    assert committed.git("diff", "--name-only", "HEAD~1", "HEAD") == "conftest.py"
    assert committed.git("status", "--short") == ""
    assert len(committed.git("worktree", "list").splitlines()) == 1


def test_a_worker_that_fails_ends_the_run_with_what_it_printed(committed):
    committed.change(LIVELY + "\nraise RuntimeError('broken on purpose')\n")
    committed.commit()
    committed.change(LIVELY)
    result, _ = against(committed)
    assert result.ret == 3
    assert "broken on purpose" in result.stdout.str() + result.stderr.str()
    assert "The process of the old code ended" in result.stdout.str() + result.stderr.str()


# -- what no pair timed is a row ---------------------------------------------------------------------------


def rows(run):
    return {f"{row['test'].split('::')[1]}<{row['arm']}>": row for row in comparisons(run)}


def comparisons(run):
    return [row for claim in run["claims"] for row in claim["comparisons"] if row["asserted"]] + run["missing"]


def judged(committed, *options):
    return CliRunner().invoke(cli.app, ["judge", str(committed.path / "run.json"), *options]).exit_code


def edit(committed, *replacements):
    path = committed.path / "bench/test_it.py"
    text = path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def test_a_renamed_test_is_missing_and_its_new_name_has_no_baseline(committed):
    edit(committed, ("def test_again", "def test_new"))
    result, run = against(committed)
    assert result.ret == judged(committed) == 1
    found = rows(run)
    assert found["test_again<>"]["verdict"] == "MISSING"
    assert "HEAD" in found["test_again<>"]["reason"] and "times this test" in found["test_again<>"]["reason"]
    assert found["test_new<>"]["verdict"] == "NO_BASELINE"
    assert "has no such test" in found["test_new<>"]["reason"]
    assert found["test_longer_is_slower<long>"]["verdict"] == "PASS"
    result.stdout.fnmatch_lines(["*MISSING*"])


def test_a_selection_takes_the_missing_test_away(committed):
    edit(committed, ("def test_again", "def test_new"))
    result, run = against(committed, "-k", "longer")
    assert result.ret == judged(committed) == 0
    assert set(rows(run)) == {"test_longer_is_slower<short>", "test_longer_is_slower<long>"}
    result, run = against(committed, "-k", "new")
    assert result.ret == judged(committed) == 7, "nothing was paired"
    assert [row["verdict"] for row in comparisons(run)] == ["NO_BASELINE"]


def test_a_removed_test_is_missing_also_where_its_file_is_named(committed):
    committed.change(LIVELY)
    path = committed.path / "bench/test_it.py"
    path.write_text(SUITE)
    arguments = ("bench/test_it.py", "--dl-against=HEAD", "--benchmark-json=run.json")
    result = run_apart(committed.pytester, *arguments)
    assert result.ret == judged(committed) == 1
    result.assert_outcomes(passed=1, failed=1)


def test_one_test_by_its_id_is_paired_alone(committed):
    edit(committed, ("def test_again", "def test_new"))
    arguments = ("bench/test_it.py::test_longer_is_slower", "--dl-against=HEAD", "--benchmark-json=run.json")
    assert run_apart(committed.pytester, *arguments).ret == 0


def test_a_file_that_the_commit_lacks_is_new(committed):
    (committed.path / "bench/test_other.py").write_text(SUITE.replace("def test_longer", "def test_other"))
    arguments = ("bench/test_other.py", "--dl-against=HEAD", "--benchmark-json=run.json")
    result = run_apart(committed.pytester, *arguments)
    assert result.ret == judged(committed) == 7
    run = json.loads((committed.path / "run.json").read_text())["dlcv04"]
    assert ["has no such test" in row["reason"] for row in comparisons(run)] == [True]
    result, run = against(committed)
    assert result.ret == 0 and rows(run)["test_other_is_slower<>"]["verdict"] == "NO_BASELINE"


def test_a_commit_without_any_claim_has_nothing_to_pair_with(committed):
    (committed.path / "bench/test_it.py").write_text("def test_ordinary():\n    pass\n")
    committed.commit()
    (committed.path / "bench/test_it.py").write_text(TWO)
    result, run = against(committed)
    assert result.ret == judged(committed) == 7
    assert {row["verdict"] for row in comparisons(run)} == {"NO_BASELINE"}


def test_a_suite_that_has_lost_its_claims_is_red(committed):
    (committed.path / "bench/test_it.py").write_text("def test_ordinary():\n    pass\n")
    result, run = against(committed)
    assert result.ret == judged(committed) == 1
    assert {name: row["verdict"] for name, row in rows(run).items()} == {
        "test_again<>": "MISSING", "test_longer_is_slower<>": "MISSING",
    }  # fmt: skip


def test_an_arm_more_leaves_the_others_timed(committed):
    edit(committed, ("short=machine.arm(0.1), long=machine.arm(0.2)",
                     "short=machine.arm(0.1), tall=machine.arm(0.3), long=machine.arm(0.2)"),
         ("    claim.slower(times.long, than=times.short, by=1.10)\n\n",
          "    claim.slower(times.tall, than=times.short, by=1.10)\n"
          "    claim.slower(times.long, than=times.short, by=1.10)\n\n"))  # fmt: skip
    result, run = against(committed)
    found = {name: row["verdict"] for name, row in rows(run).items()}
    assert found.pop("test_longer_is_slower<tall>") == "NO_BASELINE"
    assert set(found.values()) == {"PASS"} and len(found) == 4
    assert result.ret == judged(committed) == 0


THREE_ARMS = """
from dlcv04 import claim, reference_everywhere

@claim("Each is slower", control=reference_everywhere("short"))
def test_three(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.2), longest=machine.arm(0.4))
    {}
    {}
"""


def test_arms_in_another_order_are_all_timed(committed):
    asserted = (
        "claim.slower(times.long, than=times.short, by=1.10)",
        "claim.slower(times.longest, than=times.long, by=1.10)",
    )
    path = committed.path / "bench/test_it.py"
    path.write_text(THREE_ARMS.format(*asserted))
    committed.commit()
    path.write_text(THREE_ARMS.format(*reversed(asserted)))
    result, run = against(committed)
    assert {name: row["verdict"] for name, row in rows(run).items()} == {
        f"test_three<{arm}>": "PASS" for arm in ("short", "long", "longest")
    }
    assert result.ret == judged(committed) == 0


def test_an_arm_that_no_pair_timed_is_a_row(committed):
    edit(committed, ("short=machine.arm(0.1), long=machine.arm(0.3)",
                     "short=machine.arm(0.1), long=machine.arm(0.3), shown=machine.arm(0.2)"))  # fmt: skip
    result, run = against(committed)
    assert rows(run)["test_again<shown>"]["verdict"] == "NO_BASELINE"
    assert result.ret == judged(committed) == 0


def test_an_arm_that_is_gone_is_missing_and_fails_its_test(committed):
    edit(committed, ("short=machine.arm(0.1), long=machine.arm(0.2)", "short=machine.arm(0.1), tall=machine.arm(0.2)"),
         ("times.long, than=times.short, by=1.10)\n\n", "times.tall, than=times.short, by=1.10)\n\n"))  # fmt: skip
    result, run = against(committed)
    found = {name: row["verdict"] for name, row in rows(run).items()}
    assert found["test_longer_is_slower<long>"] == "MISSING"
    assert found["test_longer_is_slower<tall>"] == "NO_BASELINE"
    assert found["test_longer_is_slower<short>"] == found["test_again<long>"] == "PASS"
    assert result.ret == judged(committed) == 1
    result.assert_outcomes(passed=1, failed=1)


def in_a_worker(what, of="test_again"):
    """A claim that does something in a process of a pair alone."""
    head = f"def {of}(epoch_time, machine, claim):\n"
    inside = "    import os, sys, pytest\n    if any('round-server' in word for word in sys.argv):\n        "
    return head, f"{head}{inside}{what}\n"


def test_a_test_that_skips_itself_in_the_new_process_is_missing(committed):
    edit(committed, in_a_worker("pytest.skip('not here')"))
    result, run = against(committed)
    found = rows(run)
    assert {found[f"test_again<{arm}>"]["verdict"] for arm in ("short", "long")} == {"MISSING"}
    assert "skips itself" in found["test_again<long>"]["reason"]
    assert result.ret == judged(committed) == 1


def test_a_test_that_the_commit_skips_is_new(committed):
    original = (committed.path / "bench/test_it.py").read_text()
    edit(
        committed,
        ("\ndef test_again", "\n@pytest.mark.skip\ndef test_again"),
        ("from dlcv04", "import pytest\nfrom dlcv04"),
    )
    committed.commit()
    (committed.path / "bench/test_it.py").write_text(original)
    result, run = against(committed)
    assert {rows(run)[f"test_again<{arm}>"]["verdict"] for arm in ("short", "long")} == {"NO_BASELINE"}
    assert result.ret == judged(committed) == 0


def test_a_test_that_nobody_times_is_a_row_too(committed):
    edit(committed, in_a_worker("pytest.skip('not here')"))
    committed.commit()
    result, run = against(committed)
    assert result.ret == judged(committed) == 0
    assert rows(run)["test_again<>"]["verdict"] == "NO_BASELINE"
    assert "no process pair timed this test" in rows(run)["test_again<>"]["reason"]


def test_a_test_skipped_in_the_working_tree_alone_is_red(committed):
    edit(
        committed,
        ('\n@claim("The same', "\n@pytest.mark.skip(reason='slow')\n@claim(\"The same"),
        ("from dlcv04", "import pytest\nfrom dlcv04"),
    )
    result, run = against(committed)
    assert {rows(run)[f"test_again<{arm}>"]["verdict"] for arm in ("short", "long")} == {"MISSING"}
    assert result.ret == judged(committed) == 1


@pytest.mark.parametrize("code", [0, 1, 5])
def test_a_process_that_ends_in_the_midst_of_its_tests_is_an_error(committed, code):
    edit(committed, in_a_worker(f"os._exit({code})"))
    result, run = against(committed, fresh=code == 0)
    said = result.stdout.str() + result.stderr.str()
    assert f"The process of the new code ended with exit status {code} before its tests had ended" in said
    assert "test_longer_is_slower" in said
    assert result.ret == run["exit_status"] == judged(committed) == 3
    assert any("process of the new code" in text for text in run["failures"])
    assert run["interrupted"].startswith("The process of the new code ended")
    assert len(run["not_run"]) == 2


def test_a_process_that_ends_in_the_midst_of_a_round_is_an_error(committed):
    dies = LIVELY.replace("            self.now += seconds", "            self.calls = getattr(self, 'calls', 0) + 1\n"
        "            if self.calls == 30 and any('round-server' in w for w in __import__('sys').argv): os._exit(0)\n"
        "            self.now += seconds")  # fmt: skip
    committed.change(dies)
    result, run = against(committed)
    assert "The process of the new code ended with exit status 0" in result.stdout.str() + result.stderr.str()
    assert result.ret == run["exit_status"] == judged(committed) == 3


def test_a_claim_that_is_expected_to_fail_is_paired_like_any_other(committed):
    edit(
        committed,
        ('\n@claim("The same', '\n@pytest.mark.xfail(strict=True, reason="known")\n@claim("The same'),
        ("times.long, than=times.short, by=1.10)\n", "times.short, than=times.long, by=1.10)\n"),
        ("from dlcv04", "import pytest\nfrom dlcv04"),
    )
    text = (committed.path / "bench/test_it.py").read_text()
    first, second = text.split("@pytest.mark.xfail")
    restored = first.replace("times.short, than=times.long", "times.long, than=times.short")
    (committed.path / "bench/test_it.py").write_text(f"{restored}@pytest.mark.xfail{second}")
    committed.commit()
    result, run = against(committed)
    assert result.ret == judged(committed) == 0
    assert {row["verdict"] for row in comparisons(run)} == {"PASS"} and len(comparisons(run)) == 4
    result.assert_outcomes(passed=1, xfailed=1)
    committed.change(LIVELY.replace("SLOWDOWN = 1.0", "SLOWDOWN = 1.4"))
    result, run = against(committed)
    assert result.ret == judged(committed) == 1
    result.assert_outcomes(failed=2)


def test_ctrl_c_while_pairs_run_leaves_the_last_report(committed):
    edit(committed, in_a_worker("import signal; os.kill(os.getppid(), signal.SIGINT); __import__('time').sleep(2)"))
    result, run = against(committed)
    assert (result.ret, run) == (2, None)
    assert "report:" not in result.stdout.str()
    assert len(committed.git("worktree", "list").splitlines()) == 1


def test_a_test_that_skips_itself_in_one_process_of_many_is_judged_by_the_others(committed):
    once = "pytest.skip('once') if not os.path.exists('seen.json') and not open('seen.json', 'w').close() else None"
    edit(committed, in_a_worker(once))
    result, run = against(committed)
    assert "MISSING" not in {row["verdict"] for row in comparisons(run)}
    assert result.ret == judged(committed) == 0
    assert len(comparisons(run)) == 4
