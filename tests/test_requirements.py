"""The requirements beside pyproject.toml ask for what it asks for, and it forbids no newer framework."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def asked(name):
    """The requirements of a file, with those of the files it names."""
    found = set()
    for line in (ROOT / "requirements" / name).read_text().splitlines():
        if line.startswith("-r "):
            found |= asked(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            found.add(line)
    return found


@pytest.mark.parametrize("framework", ["jax", "torch"])
def test_an_environment_without_tensorflow_has_all_else(framework):
    needed = {need for need in PROJECT["dependencies"] if Requirement(need).name != "tensorflow"}
    mine = asked(f"{framework}.txt")
    assert mine >= needed and {Requirement(need).name for need in mine - needed} == {framework}


@pytest.mark.parametrize("package", ["tensorflow", "keras", "numpy", "pytest", "jax", "torch"])
def test_a_framework_has_a_lower_bound_and_no_upper_one(package):
    everything = [*PROJECT["dependencies"], *asked("jax.txt"), *asked("torch.txt")]
    bounds = [
        each.operator
        for need in everything
        for each in Requirement(need).specifier
        if Requirement(need).name == package
    ]
    assert set(bounds) == {">="}


def test_the_card_asks_for_the_same_tensorflow():
    on_cpu = next(need for need in PROJECT["dependencies"] if need.startswith("tensorflow"))
    assert PROJECT["optional-dependencies"]["gpu"] == [on_cpu.replace("tensorflow", "tensorflow[and-cuda]")]
