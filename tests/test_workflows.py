"""The GitHub workflows keep their promises: what a schema and a linter can't know of them."""

import re
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parent.parent / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))


def jobs(path):
    return yaml.safe_load(path.read_text())["jobs"]


def commands(path):
    return [" ".join(step["run"].split()) for job in jobs(path).values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_by_hash_and_rights_are_least(path):
    text = path.read_text()
    used = re.findall(r"uses: (\S+)", text)
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one) for one in used)
    assert yaml.safe_load(text)["permissions"] == {}
    assert all(job["timeout-minutes"] and "permissions" in job for job in jobs(path).values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_expression_stands_in_a_command(path):
    assert not [command for command in commands(path) if "${{" in command]


def test_the_gpu_job_runs_the_documented_command_on_one_card_and_never_for_a_fork():
    job = jobs(FOLDER / "gpu.yml")["claims"]
    wanted = "pytest bench/ --dl-device gpu --dl-profile paper --dl-data real --benchmark-compare --benchmark-autosave"
    assert any(wanted in command for command in commands(FOLDER / "gpu.yml"))
    assert job["runs-on"] == ["self-hosted", "gpu"] and job["concurrency"]["cancel-in-progress"] is False
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]
    assert job["steps"][0]["with"]["fetch-depth"] == 0
    uploads = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    assert uploads[0]["if"] == "always()" and uploads[0]["with"]["include-hidden-files"]


def test_both_gpu_jobs_share_the_card():
    both = [*jobs(FOLDER / "gpu.yml").values(), *jobs(FOLDER / "propose-baseline.yml").values()]
    groups = {job["concurrency"]["group"] for job in both}
    assert groups == {"gpu-card"}


def test_a_baseline_is_only_ever_proposed_by_hand():
    document = yaml.safe_load((FOLDER / "propose-baseline.yml").read_text())
    # YAML reads the key `on` as true.
    assert list(document[True]) == ["workflow_dispatch"]
    assert any("gh pr create" in command for command in commands(FOLDER / "propose-baseline.yml"))
