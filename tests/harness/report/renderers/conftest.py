"""A run of three claims as a CI job has it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import pytest

from tests.conftest import THREE_VERDICTS

CLAIMS = THREE_VERDICTS.replace("The long arm is not slower", "The long arm: 50 % faster, really")


@dataclass
class Job:
    """A run of three claims as a GitHub job has it."""

    lines: list
    summary: object
    xml: ElementTree.Element


@pytest.fixture
def job(suite, monkeypatch):
    def run(*options, summary=None):
        pytester = suite(CLAIMS)
        path = summary or pytester.path / "summary.md"
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
        monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
        result = pytester.runpytest("bench", "--junitxml=junit.xml", *options)
        return Job(result.outlines, path, ElementTree.parse(pytester.path / "junit.xml").getroot())

    return run
