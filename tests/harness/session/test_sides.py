"""Each side of `--dl-against` times its own code, however the project is installed, or the run refuses."""

import subprocess
import sys

import pytest

from tests.conftest import Repository
from tests.harness.two_trees import LIVELY, TWO, against, verdicts

#: Tests say `fresh=True` where the interpreter is the point.
pytestmark = pytest.mark.usefixtures("light_processes")

#: A fake machine whose speed the project's own package says.
MACHINE = LIVELY.replace("SLOWDOWN = 1.0", "from mynet import SLOWDOWN")
SLOWED = {"PASS": "SLOWDOWN = 1.0\n", "REGRESSED": "SLOWDOWN = 2.0\n"}


@pytest.fixture
def project(suite, monkeypatch):
    """A committed project in src layout, whose environment imports `mynet` from its folder; `slow(...)` changes it."""
    made = Repository(suite(TWO, MACHINE))
    package = made.path / "src/mynet"
    package.mkdir(parents=True)
    made.slow = (package / "__init__.py").write_text
    made.slow("SLOWDOWN = 1.0\n")
    made.commit()
    monkeypatch.setenv("PYTHONPATH", str(made.path / "src"))
    return made


@pytest.mark.parametrize("verdict", SLOWED)
def test_a_package_that_lies_on_the_path_is_the_commits_on_the_old_side(project, verdict):
    """As a `.pth` file of an editable install puts it there."""
    project.slow(SLOWED[verdict] + "# changed\n")
    result, run = against(project, fresh=True)
    assert set(verdicts(run).values()) == {verdict}, result.stdout.str()


FINDER = """
import importlib.util, sys
MAPPING = {{"mynet": {package!r}}}

class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            return importlib.util.spec_from_file_location(name, MAPPING[name] + "/__init__.py",
                                                          submodule_search_locations=[MAPPING[name]])

sys.meta_path.append(Finder)
"""


def test_a_package_that_an_editable_finder_serves_too(project, monkeypatch, tmp_path_factory):
    environment = tmp_path_factory.mktemp("site")
    finder = FINDER.format(package=str(project.path / "src/mynet"))
    (environment / "__editable___mynet_0_finder.py").write_text(finder)
    (environment / "editable_start.py").write_text("import __editable___mynet_0_finder\n")
    monkeypatch.setenv("PYTHONPATH", str(environment))
    monkeypatch.setenv("PYTEST_PLUGINS", "editable_start")
    project.slow("SLOWDOWN = 2.0\n")
    result, run = against(project, fresh=True)
    assert set(verdicts(run).values()) == {"REGRESSED"}, result.stdout.str()


@pytest.mark.parametrize("when", ["at the start", "while it is timed"])
def test_a_side_that_imports_the_others_code_is_refused_in_one_sentence(project, monkeypatch, when):
    """A path that a conftest names in full can't be mapped."""
    monkeypatch.delenv("PYTHONPATH")
    own = f"import sys; sys.path.insert(0, {str(project.path / 'src')!r})\n"
    if when == "at the start":
        project.change(own + MACHINE)
    else:
        late = f"            {own.strip()}; import mynet\n            self.now"
        project.change(LIVELY.replace("            self.now", late, 1))
    project.commit()
    result, run = against(project, fresh=True)
    printed = result.stdout.str() + result.stderr.str()
    assert result.ret == 4 and run is None
    assert f"it imports mynet from {project.path}/src/mynet/__init__.py" in printed and "pip install -e ." in printed
    assert "Traceback" not in printed


def test_an_environment_inside_the_repository_is_nobodys_code(project, monkeypatch):
    """Nor is one that another environment sees, as `site.addsitedir` has it."""
    shared = project.path / ".venv/lib/python3/site-packages"
    shared.mkdir(parents=True)
    (shared / "elsewhere.py").write_text("")
    ignored = project.path / ".gitignore"
    ignored.write_text(ignored.read_text() + ".venv/\n")
    project.change("import elsewhere\n" + MACHINE)
    project.commit()
    monkeypatch.setenv("PYTHONPATH", f"{project.path / 'src'}:{shared}")
    result, run = against(project, fresh=True)
    assert set(verdicts(run).values()) == {"PASS"}, result.stdout.str()


READS = """
from pathlib import Path
(Path(__file__).parent / "data" / "speeds.txt").read_text()
"""


def test_data_that_git_does_not_have_is_linked_where_the_ini_file_says_so(committed):
    (committed.path / "data").mkdir()
    (committed.path / "data/speeds.txt").write_text("1")
    (committed.path / ".gitignore").write_text((committed.path / ".gitignore").read_text() + "data/\n")
    committed.change(READS + LIVELY)
    committed.commit()
    result, _ = against(committed)
    printed = result.stdout.str() + result.stderr.str()
    assert result.ret == 4 and "Traceback" not in printed
    assert "The old code looks for data, which git does not have" in printed and "dl_against_links = data" in printed
    committed.pytester.makeini("[pytest]\ndl_against_links = data\n")
    result, run = against(committed)
    assert set(verdicts(run).values()) == {"PASS"}, result.stdout.str()
    assert (committed.path / "data/speeds.txt").read_text() == "1"


@pytest.mark.parametrize("name", ["nowhere", "../elsewhere", "/etc"])
def test_a_link_to_nothing_is_refused_before_anything_runs(committed, name):
    committed.pytester.makeini(f"[pytest]\ndl_against_links = {name}\n")
    result, _ = against(committed)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*dl_against_links: there is no {name} below *"])


# -- pip install . ----------------------------------------------------------------------------------------------------

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "my.net"
version = "1"
[tool.setuptools.packages.find]
where = ["src"]
"""


@pytest.fixture
def copied(project, monkeypatch, tmp_path_factory):
    """The project, installed as a copy; `install()` does it again."""
    (project.path / "pyproject.toml").write_text(PROJECT)
    ignored = project.path / ".gitignore"
    ignored.write_text(ignored.read_text() + "build/\n*.egg-info/\n")
    project.commit()
    site = tmp_path_factory.mktemp("copy") / "site-packages"

    def install():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade", "--target", str(site)]
        subprocess.run([*pip, str(project.path)], check=True)

    project.install = install
    install()
    monkeypatch.setenv("PYTHONPATH", str(site))
    return project


@pytest.mark.end_to_end
class TestInstalledAsACopy:
    def test_the_old_code_is_built_from_the_commit(self, copied):
        copied.slow("SLOWDOWN = 2.0\n")
        copied.install()
        result, run = against(copied, fresh=True)
        assert set(verdicts(run).values()) == {"REGRESSED"}, result.stdout.str()

    def test_a_copy_that_is_older_than_the_working_tree_is_refused(self, copied):
        copied.slow("SLOWDOWN = 2.0\n")
        result, _ = against(copied, fresh=True)
        assert result.ret == 4
        printed = result.stdout.str() + result.stderr.str()
        assert "src/mynet/__init__.py has changed since: install it again" in printed

    def test_old_code_that_can_not_be_built_is_one_sentence(self, copied):
        (copied.path / "pyproject.toml").write_text(PROJECT.replace("build_meta", "no_such_backend"))
        copied.commit()
        (copied.path / "pyproject.toml").write_text(PROJECT)
        result, _ = against(copied, fresh=True)
        printed = result.stdout.str() + result.stderr.str()
        assert result.ret == 4 and "could not be built (" in printed and "Traceback" not in printed
