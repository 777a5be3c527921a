"""Where a run can be looked up: its commit and its job, from the variables that GitHub and GitLab set."""

from __future__ import annotations

from collections.abc import Mapping


def links(commit: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Addresses of "commit" and "job" by name; none outside a job.

    Sources: https://docs.github.com/actions/reference/variables-reference and
    https://docs.gitlab.com/ci/variables/predefined_variables/.
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        project = f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}"
        found = {
            "commit": f"{project}/commit/{commit}",
            "job": f"{project}/actions/runs/{environ.get('GITHUB_RUN_ID', '')}",
        }
    elif environ.get("GITLAB_CI"):
        found = {
            "commit": f"{environ.get('CI_PROJECT_URL', '')}/-/commit/{commit}",
            "job": environ.get("CI_JOB_URL", ""),
        }
    else:
        return {}
    return {name: url for name, url in found.items() if url.startswith("https://") and (commit or name != "commit")}
