"""Nothing is green by loss: what is stored and was not measured is red, unless the command chose to leave it out."""

import json
import shutil
import xml.etree.ElementTree as ElementTree

import pytest

from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.schema import Commit
from tests.harness.inner_runs import TWO_CLAIMS, run_block, store

FOLDER = "cpu-fake-2-cores"
LONGEST = "bench/test_it.py::test_longest_is_slower"
IN_TWO = "bench/test_two.py::test_longest_is_slower"
ONE_CLAIM = TWO_CLAIMS.split('@claim("The longest')[0]
COUNTED = """
import pytest
from dlcv04 import claim, planted

@claim("A count", control=planted("one more", lambda arm: arm, only="a"))
def test_count(claim):
    claim.exactly(3, 3, of="a")

def test_ordinary():
    pass
"""
SKIPPED = """
@pytest.mark.skip(reason="not yet")
@claim("It is new", control=reference_everywhere("short"))
def test_new(epoch_time, machine, claim):
    pass
"""


@pytest.fixture
def stored(suite):
    """Two claims, stored."""
    pytester = suite(TWO_CLAIMS)
    store(pytester)
    return pytester


def missing(block):
    return [row["test"] for row in block["missing"] if row["verdict"] == "MISSING"]


def compared(pytester, *arguments):
    return run_block(pytester, "--benchmark-compare", *arguments)


class TestFiles:
    """Each listed file that can't be used is a failed test of its own."""

    @pytest.mark.parametrize("how", ["deleted", "cut", "emptied", "pointer", "edited", "another"])
    def test_a_file(self, stored, how):
        files = sorted((stored.path / "baselines" / FOLDER).glob("*.json"))
        file, text = files[0], files[0].read_text()
        if how == "deleted":
            file.unlink()
        else:
            file.write_text(
                {
                    "cut": text[:1000],
                    "emptied": "",
                    "pointer": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
                    "edited": text.replace('"smoke"', '"paper"'),
                    "another": files[-1].read_text(),
                }[how]
            )
        result, block = compared(stored)
        assert result.ret == 1 and any(file.name in test for test in missing(block))
        if how == "pointer":
            result.stdout.fnmatch_lines(["*is a pointer of Git LFS*git lfs pull*"])

    def test_the_whole_folder_of_this_machine(self, stored):
        shutil.rmtree(stored.path / "baselines" / FOLDER)
        result, block = compared(stored)
        assert result.ret == 1 and len(missing(block)) == 5

    def test_the_folder_under_another_name(self, stored):
        (stored.path / "baselines" / FOLDER).rename(stored.path / "baselines" / "cpu-other")
        result, block = compared(stored)
        assert result.ret == 1 and len(missing(block)) == 5

    def test_the_manifest(self, stored):
        (stored.path / "baselines/manifest.json").unlink()
        result, block = compared(stored)
        assert result.ret == 1 and "manifest.json" in " ".join(missing(block))
        (stored.path / "baselines/manifest.json").write_text("<<<<<<< HEAD\n")
        assert compared(stored)[0].ret == 1

    def test_what_another_machine_lost_is_its_own_affair(self, stored):
        manifest = stored.path / "baselines/manifest.json"
        listed = json.loads(manifest.read_text())
        listed["files"]["cpu-elsewhere/0001_run.json"] = "0" * 64
        manifest.write_text(json.dumps(listed))
        assert compared(stored)[0].ret == 0

    def test_a_store_of_an_earlier_version_has_no_manifest_and_loads(self, stored):
        """Its files don't say that there is one."""
        for file in (stored.path / "baselines").glob("*/*.json"):
            document = json.loads(file.read_text())
            document["dlcv04"]["acceptance"]["listed"] = False
            from dlcv04.harness.store.reading import content_hash

            document["dlcv04"]["acceptance"]["sha256"] = content_hash(document)
            file.write_text(json.dumps(document))
        (stored.path / "baselines/manifest.json").unlink()
        assert compared(stored)[0].ret == 0


class TestTests:
    def test_a_test_that_is_gone_beside_an_ordinary_one(self, stored):
        (stored.path / "bench/test_it.py").write_text("def test_ordinary():\n    pass\n")
        result, block = compared(stored)
        assert result.ret == 1 and len(missing(block)) == 2

    def test_somebody_elses_folder_of_that_name_is_left_alone(self, pytester):
        """No claim, no manifest: pytest-benchmark compares as it does without us."""
        (pytester.path / "baselines/theirs").mkdir(parents=True)
        (pytester.path / "baselines/theirs/0001_x.json").write_text("{}")
        (pytester.path / "baselines/manifest.json").write_text("{}")
        pytester.makepyfile("def test_plain():\n    pass\n")
        result = pytester.runpytest("--benchmark-compare")
        assert result.ret == 0 and "MISSING" not in result.stdout.str()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("def test_longest", "def test_renamed"),
            ('@claim("The longest', '@pytest.mark.skip(reason="later")\n@claim("The longest'),
            (
                "    times = epoch_time(short=machine.arm(0.1), longest",
                '    pytest.skip("later")\n    times = epoch_time(short=machine.arm(0.1), longest',
            ),
            ('@claim("The longest', '@pytest.mark.skipif(True, reason="later")\n@claim("The longest'),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("option", ["--benchmark-compare", "--ff", "--dl-strict"])
    def test_a_claim_that_was_taken_out(self, stored, old, new, option):
        path = stored.path / "bench/test_it.py"
        path.write_text("import pytest\n" + path.read_text().replace(old, new))
        result, block = compared(stored, option)
        rows = [row for claim in block["claims"] for row in claim["comparisons"]] + block["missing"]
        assert result.ret == 1
        assert any(row["verdict"] == "MISSING" and row["test"] == LONGEST for row in rows)

    @pytest.mark.parametrize("mark", ["skip", "skipif(True, reason='later')", "xfail(run=False)"])
    @pytest.mark.parametrize("option", ["--benchmark-compare", "--dl-strict"])
    def test_a_claim_without_arms_that_was_taken_out(self, suite, mark, option):
        pytester = suite(COUNTED)
        store(pytester, part="portable")
        suite(COUNTED.replace("@claim", f"@pytest.mark.{mark}\n@claim"))
        result, block = compared(pytester, option)
        (row,) = block["claims"][0]["comparisons"]
        assert result.ret == 1 and row["verdict"] == "MISSING"

    def test_a_claim_that_is_new_may_skip_itself(self, stored):
        path = stored.path / "bench/test_it.py"
        path.write_text("import pytest\n" + path.read_text() + SKIPPED)
        result, block = compared(stored)
        assert result.ret == 0 and block["claims"][-1]["comparisons"] == []

    @pytest.mark.parametrize("where", ["    pytest.exit('all is well', returncode=0)\n", ""])
    def test_a_session_that_is_ended_as_if_all_were_well(self, stored, where):
        (stored.path / "bench/test_a.py").write_text(f"import pytest\n\ndef test_first():\n    pass\n{where}")
        result, block = compared(stored)
        assert result.ret == bool(where) and len(missing(block)) == 2 * bool(where)

    def test_a_file_that_is_named_is_asked_for_whole(self, stored):
        (stored.path / "bench/test_it.py").write_text(ONE_CLAIM)
        result = stored.runpytest("bench/test_it.py", "--benchmark-compare")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["*MISSING*test_longest_is_slower*accept --retire*"])
        (stored.path / "bench/test_other.py").write_text("def test_x():\n    pass\n")
        assert stored.runpytest("bench/test_other.py", "--benchmark-compare").ret in (0, 7)


class TestSelection:
    @pytest.mark.parametrize(
        "arguments", [("-k", "longer"), ("-m", "not slow"), ("--deselect", IN_TWO), ("--ignore", "bench/test_two.py")]
    )
    def test_the_commands_own_arguments_leave_tests_out_and_it_is_said(self, suite, arguments):
        pytester = self.two_files(suite)
        result, block = compared(pytester, *arguments)
        assert result.ret == 0 and missing(block) == []
        result.stdout.fnmatch_lines([f"dlcv04: 1 stored test left out by {arguments[0]}"])

    @staticmethod
    def two_files(suite):
        """A claim a file, the second marked."""
        pytester = suite(ONE_CLAIM)
        head, _, body = TWO_CLAIMS.partition("@claim")
        marked = (
            "import pytest\n"
            + head
            + '@pytest.mark.slow\n@claim("The longest'
            + body.partition('@claim("The longest')[2]
        )
        (pytester.path / "bench/test_two.py").write_text(marked)
        (pytester.path / "tox.ini").write_text("[pytest]\nmarkers = slow\n")
        store(pytester)
        return pytester

    @pytest.mark.parametrize("addopts", ["-k longer", "-m 'not slow'", f"--deselect={IN_TWO}"])
    def test_an_ini_file_selects_nothing(self, suite, addopts):
        pytester = self.two_files(suite)
        ini = pytester.path / "tox.ini"
        ini.write_text(ini.read_text().replace("[pytest]", f"[pytest]\naddopts = {addopts}"))
        result, block = compared(pytester)
        assert result.ret == 1 and missing(block) == [IN_TWO]

    @pytest.mark.parametrize("addopts", ["-k longer", "--ignore=bench/test_two.py"])
    def test_nor_does_the_environment(self, suite, addopts, monkeypatch):
        pytester = self.two_files(suite)
        (pytester.path / "bench/test_x.py").write_text("def test_longer():\n    pass\n")
        monkeypatch.setenv("PYTEST_ADDOPTS", addopts)
        result, block = compared(pytester)
        assert result.ret == 1 and IN_TWO in missing(block)

    def test_what_a_conftest_deselects_is_a_shard(self, stored):
        (stored.path / "bench/conftest.py").write_text(
            "def pytest_collection_modifyitems(config, items):\n"
            "    config.hook.pytest_deselected(items=items[1:])\n"
            "    del items[1:]\n"
        )
        result, block = compared(stored)
        assert result.ret == 0 and missing(block) == []
        result.stdout.fnmatch_lines(["dlcv04: 1 stored test left out by a plugin or conftest"])

    def test_a_node_id_asks_for_no_other(self, stored):
        result = stored.runpytest("bench/test_it.py::test_longer_is_slower", "--benchmark-compare")
        assert result.ret == 0


class TestRetire:
    def test_a_retired_test_is_missed_no_more_until_it_is_accepted_again(self, suite):
        pytester = suite(TWO_CLAIMS)
        store(pytester)
        shorter = suite(ONE_CLAIM)
        assert compared(shorter)[0].ret == 1
        count = Store(pytester.path / "baselines").retire(LONGEST, reason="renamed", commit=Commit())
        assert count == 5
        result, block = compared(shorter)
        assert result.ret == 0 and missing(block) == []
        again = suite(TWO_CLAIMS)
        _, block = compared(again)
        assert {row["verdict"] for row in block["claims"][1]["comparisons"]} == {"NO_BASELINE"}
        store(again)
        assert compared(suite(ONE_CLAIM))[0].ret == 1


class TestKinds:
    """A kind of figure that was gated and of which nothing is comparable is never a green tick."""

    @pytest.fixture
    def elsewhere(self, suite, monkeypatch):
        pytester = suite(TWO_CLAIMS)
        store(pytester)
        conftest = pytester.path / "bench/conftest.py"
        return pytester, conftest

    def test_new_hardware_is_yellow_and_seven_where_it_is_strict(self, elsewhere):
        pytester, _ = elsewhere
        root = pytester.path / "baselines"
        (root / FOLDER).rename(root / "cpu-other-2-cores")
        for file in (root / "cpu-other-2-cores").glob("*.json"):
            from dlcv04.harness.store.reading import content_hash

            document = json.loads(file.read_text())
            document["dlcv04"]["environment"]["machine_class"] = "cpu-other-2-cores"
            document["dlcv04"]["acceptance"]["sha256"] = content_hash(document)
            file.write_text(json.dumps(document))
        (root / "manifest.json").write_text(json.dumps({"manifest": 1, "files": {}, "retired": []}))
        result, block = compared(pytester, "--junitxml=junit.xml")
        told = result.stdout.str()
        if any(arm["parameters"] for arm in block["arms"]):
            assert result.ret == 0
        assert result.ret in (0, 7) and "No time could be compared" in told
        page = (pytester.path / "reports/latest.html").read_text()
        assert "No time could be compared" in page
        names = [p.get("name") for p in ElementTree.parse(pytester.path / "junit.xml").iter("property")]
        assert "dl_not_comparable" in names
        assert compared(pytester, "--dl-strict")[0].ret == 7
