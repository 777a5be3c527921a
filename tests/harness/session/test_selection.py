"""What leaves tests out on purpose, and what only looks like it: who asked, and for what."""

import pytest

from tests.harness.inner_runs import TWO_CLAIMS, run_block, store
from tests.harness.session.test_losses import IN_TWO, LONGEST, ONE_CLAIM, compared, missing

LONGER = "bench/test_it.py::test_longer_is_slower"
MARKED = "import pytest\n" + TWO_CLAIMS.replace('@claim("The longest', '@pytest.mark.slow\n@claim("The longest')


def configure(pytester, addopts="", **values):
    lines = ["[pytest]", "markers = slow", f"addopts = {addopts}", *(f"{n} = {v}" for n, v in values.items())]
    (pytester.path / "tox.ini").write_text("\n".join(lines) + "\n")


@pytest.fixture
def stored(suite):
    """Two claims of one file, the second marked, stored."""
    pytester = suite(MARKED)
    configure(pytester)
    store(pytester)
    return pytester


@pytest.fixture
def apart(suite):
    """A claim a file, stored."""
    pytester = suite(ONE_CLAIM)
    (pytester.path / "bench/test_two.py").write_text(TWO_CLAIMS.replace(ONE_CLAIM[ONE_CLAIM.index("@claim") :], ""))
    configure(pytester)
    store(pytester)
    return pytester


def rename(pytester):
    path = pytester.path / "bench/test_it.py"
    path.write_text(path.read_text().replace("def test_longest", "def test_renamed"))


#: What takes tests away without telling pytest.
SILENT_HOOKS = [
    "def pytest_collection_modifyitems(items):\n    del items[1:]\n",
    "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_collection_modifyitems(items):\n    del items[1:]\n",
    "import pytest\n@pytest.hookimpl(wrapper=True)\ndef pytest_collection_modifyitems(items):\n"
    "    yield\n    del items[1:]\n",
    "collect_ignore = ['test_it.py']\n",
    "def pytest_ignore_collect(collection_path):\n    return True if 'test_it' in str(collection_path) else None\n",
]
SHARD = """
import pytest
{how}
def pytest_collection_modifyitems(config, items):
    config.hook.pytest_deselected(items=items[1:])
    del items[1:]
"""
#: What a file begins with, so that nothing of it is collected.
NOT_COLLECTED = [
    "raise ImportError\n",
    "import pytest\npytest.skip('x', allow_module_level=True)\n",
    "import pytest\npytest.importorskip('no_such_module')\n",
    "__test__ = False\n",
]
JUDGED_LATER = 'control=reference_everywhere("short"))\ndef test_longest'


class TestTwoThatDeselect:
    """Each test is left out by what took it, not by what else was asked."""

    @pytest.mark.parametrize(
        ("ini", "own"),
        [
            ("-m 'not slow'", ["-k", "slower"]),
            ("-k 'not longest'", ["-m", "claim"]),
            (f"--deselect={LONGEST}", ["--deselect", "bench/test_other.py"]),
            (f"--deselect={LONGEST}", ["-k", "slower"]),
            ("-m 'not slow'", ["--deselect", "bench/test_other.py"]),
        ],
    )
    def test_what_an_ini_file_took_is_missing_beside_what_the_command_asks(self, stored, ini, own):
        configure(stored, ini)
        result, block = compared(stored, *own)
        assert result.ret == 1 and missing(block) == [LONGEST]
        result.stdout.fnmatch_lines(["*MISSING*was taken away by none of the command's own arguments*"])

    def test_the_commands_k_stands_in_the_place_of_the_ini_files(self, stored):
        configure(stored, "-k nothing")
        result, block = compared(stored, "-k", "longer")
        assert result.ret == 0 and missing(block) == []

    def test_an_ignored_file_beside_another(self, apart):
        (apart.path / "bench/test_x.py").write_text("")
        configure(apart, "--ignore=bench/test_two.py")
        result, block = compared(apart, "--ignore=bench/test_x.py")
        assert result.ret == 1 and missing(block) == [IN_TWO]

    @pytest.mark.parametrize(
        "own", ["--ignore=bench/test_two.py", "--ignore-glob=*two*", "--ignore-glob=bench/*two.py"]
    )
    def test_a_file_that_the_command_ignores(self, apart, own):
        result, block = compared(apart, own)
        assert result.ret == 0 and missing(block) == []
        result.stdout.fnmatch_lines([f"dlcv04: 1 stored test left out by {own.partition('=')[0]}"])


class TestGone:
    """A test that is not there is missed wherever the command would have run it."""

    @pytest.mark.parametrize(
        "own",
        [
            ["--ff"],
            ["--nf"],
            ["-k", "longest or longer"],
            ["-k", "not nothing"],
            ["-m", "not nothing"],
            ["--deselect", "bench/test_other.py"],
            ["--ignore", "bench/test_other.py"],
            ["--ignore-glob", "*other*"],
            ["--lf"],
        ],
    )
    def test_a_renamed_test(self, stored, own):
        rename(stored)
        result, block = compared(stored, *own)
        assert result.ret == 1 and missing(block) == [LONGEST]

    def test_a_renamed_test_where_the_session_stops_at_it(self, stored):
        rename(stored)
        result, block = compared(stored, "--stepwise")
        assert result.ret == pytest.ExitCode.INTERRUPTED and missing(block) == [LONGEST]

    @pytest.mark.parametrize("own", [["-k", "longer"], ["--deselect", LONGEST]])
    def test_unless_the_command_would_not_have(self, stored, own):
        rename(stored)
        result, block = compared(stored, *own)
        assert result.ret == 0 and missing(block) == []
        result.stdout.fnmatch_lines([f"dlcv04: 1 stored test left out by {own[0]}"])

    def test_a_claim_that_is_an_ordinary_test_now(self, stored):
        path = stored.path / "bench/test_it.py"
        head, _, _ = path.read_text().partition("@pytest.mark.slow")
        path.write_text(head + "def test_longest_is_slower():\n    pass\n")
        result, block = compared(stored)
        assert result.ret == 1 and missing(block) == [LONGEST]
        result.stdout.fnmatch_lines(["*MISSING*is no longer a claim*"])

    @pytest.mark.parametrize("hook", SILENT_HOOKS)
    def test_a_hook_that_takes_a_test_without_saying_so(self, stored, hook):
        (stored.path / "bench/test_other.py").write_text(
            TWO_CLAIMS.split("@claim")[0] + "@claim" + TWO_CLAIMS.split("@claim")[1]
        )
        (stored.path / "bench/conftest.py").write_text(hook)
        result, block = compared(stored)
        assert result.ret == 1 and LONGEST in missing(block)

    @pytest.mark.parametrize("how", ["", "@pytest.hookimpl(trylast=True)"])
    def test_a_shard_says_so_whenever_its_hook_runs(self, stored, how):
        (stored.path / "bench/conftest.py").write_text(SHARD.format(how=how))
        result, block = compared(stored)
        assert result.ret == 0 and missing(block) == []
        result.stdout.fnmatch_lines(["dlcv04: 1 stored test left out by a plugin or conftest"])

    @pytest.mark.parametrize("content", NOT_COLLECTED)
    def test_a_file_that_is_not_collected(self, apart, content):
        (apart.path / "bench/test_two.py").write_text(content)
        result, block = compared(apart, "--continue-on-collection-errors")
        assert result.ret == 1 and missing(block) == [IN_TWO]


class TestPaths:
    def test_a_folder_of_the_ini_file_is_no_selection(self, apart):
        configure(apart, testpaths="bench/test_it.py")
        result = apart.runpytest("--benchmark-compare")
        assert result.ret == 1
        result.stdout.fnmatch_lines([f"*{IN_TWO}*"])

    def test_nor_is_one_of_the_environment(self, apart, monkeypatch):
        monkeypatch.setenv("PYTEST_ADDOPTS", "bench/test_it.py")
        assert apart.runpytest("--benchmark-compare").ret == 1

    def test_another_path_is(self, apart):
        result = apart.runpytest("bench/test_it.py", "--benchmark-compare")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["dlcv04: 1 stored test left out by the paths of the command"])

    @pytest.mark.parametrize(
        "argument", ["bench/test_it.py::TestBoth", "bench/test_it.py::TestBoth::test_with_parameter"]
    )
    def test_a_class_or_function_that_is_named_is_asked_for_whole(self, suite, argument):
        claims = """
import pytest
from dlcv04 import claim, reference_everywhere

class TestBoth:
    @pytest.mark.parametrize("factor", [2, 3])
    @claim("It is slower", control=reference_everywhere("short"))
    def test_with_parameter(self, epoch_time, machine, claim, factor):
        times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.1 * factor))
        claim.slower(times.long, than=times.short, by=1.10)
"""
        pytester = suite(claims)
        store(pytester)
        suite(claims.replace("[2, 3]", "[2]"))
        result = pytester.runpytest(argument, "--benchmark-compare")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*MISSING*test_with_parameter?3?*"])


class TestLastFailed:
    """`--lf` selects only where it has failures to run."""

    @pytest.fixture
    def failed(self, apart):
        path = apart.path / "bench/test_two.py"
        text = path.read_text()
        path.write_text(text.replace("by=1.10", "by=9.0"))
        assert compared(apart)[0].ret == 1
        path.write_text(text)
        return apart

    def test_the_others_are_left_out(self, failed):
        result, block = compared(failed, "--lf")
        assert result.ret == 0 and missing(block) == []
        result.stdout.fnmatch_lines(["dlcv04: 1 stored test left out by --lf"])

    def test_one_that_failed_and_is_gone_is_missing(self, failed):
        (failed.path / "bench/test_two.py").unlink()
        result, block = compared(failed, "--lf")
        assert result.ret == 1 and missing(block) == [IN_TWO]

    def test_an_ini_file_selects_nothing_by_it(self, failed):
        configure(failed, "--lf")
        result, block = compared(failed)
        assert result.ret == 1 and missing(block) == [LONGER]


class TestWithoutClaims:
    ORDINARY = "def test_ordinary():\n    pass\n"

    def test_a_shard_without_a_claim_is_an_ordinary_session(self, stored):
        (stored.path / "bench/test_a.py").write_text(self.ORDINARY)
        (stored.path / "bench/conftest.py").write_text(SHARD.format(how=""))
        result = stored.runpytest("bench", "--benchmark-compare")
        assert result.ret == 0
        result.stdout.fnmatch_lines(["dlcv04: 2 stored tests left out by a plugin or conftest"])

    def test_all_claims_gone_where_an_ini_file_asks_to_compare(self, stored):
        configure(stored, "--benchmark-compare -q")
        (stored.path / "bench/test_it.py").write_text(self.ORDINARY)
        assert stored.runpytest("bench").ret == 1

    @pytest.mark.parametrize("beside", ["-q", "--benchmark-disable"])
    def test_an_ordinary_folder_where_an_ini_file_asks_to_compare(self, stored, beside):
        """pytest-xdist disables benchmarks too, which only claims mind."""
        configure(stored, f"--benchmark-compare {beside}")
        stored.mkdir("tests")
        (stored.path / "tests/test_a.py").write_text(self.ORDINARY)
        assert stored.runpytest("tests").ret == 0
        (stored.path / "bench/test_it.py").write_text(self.ORDINARY)
        assert stored.runpytest("bench").ret == 1

    def test_none_is_stored_for_this_profile(self, stored):
        (stored.path / "bench/test_it.py").write_text(self.ORDINARY)
        assert stored.runpytest("bench", "--benchmark-compare", "--dl-profile=paper").ret == 7


def test_a_run_of_which_a_hook_left_claims_out_is_not_whole(stored):
    (stored.path / "bench/conftest.py").write_text(SHARD.format(how=""))
    assert not run_block(stored)[1]["whole_suite"]


def test_a_run_of_which_only_idle_controls_were_left_out_is_whole(suite):
    later = JUDGED_LATER.replace('"))', '"), judged_from="paper")')
    assert run_block(suite(TWO_CLAIMS.replace(JUDGED_LATER, later)), "--dl-controls")[1]["whole_suite"]
