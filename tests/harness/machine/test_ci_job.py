"""Addresses of a run's commit and job from what GitHub and GitLab say."""

from __future__ import annotations

import pytest

from dlcv04.harness.machine.ci_job import links

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "me/nets",
    "GITHUB_RUN_ID": "17",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_URL": "https://gitlab.com/me/nets",
    "CI_JOB_URL": "https://gitlab.com/me/nets/-/jobs/5",
}


@pytest.mark.parametrize(
    ("commit", "environ", "found"),
    [
        (
            "abc",
            GITHUB,
            {
                "commit": "https://github.com/me/nets/commit/abc",
                "job": "https://github.com/me/nets/actions/runs/17",
            },
        ),
        ("abc", GITLAB, {"commit": "https://gitlab.com/me/nets/-/commit/abc", "job": GITLAB["CI_JOB_URL"]}),
        ("", GITLAB, {"job": GITLAB["CI_JOB_URL"]}),
        ("abc", {}, {}),
        ("abc", {"GITHUB_ACTIONS": "true"}, {}),
        ("abc", GITLAB | {"CI_JOB_URL": "javascript:x", "CI_PROJECT_URL": "http://a"}, {}),
    ],
)
def test_links(commit: str, environ: dict[str, str], found: dict[str, str]) -> None:
    assert links(commit, environ) == found
