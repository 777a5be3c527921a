"""Controls and the claims they belong to."""

from __future__ import annotations

import pytest

from dlcv04.harness.claims.controls import real_id
from dlcv04.harness.report.model.claims import short_name


@pytest.mark.parametrize(
    ("control", "real"),
    [
        ("t.py::test_a[control]", "t.py::test_a"),
        ("t.py::test_a[x-control]", "t.py::test_a[x]"),
        ("t.py::test_a[x]",) * 2,
        ("t.py::test_a[-control]", "t.py::test_a[]"),
        ("t.py::test_a[control-control]", "t.py::test_a[control]"),
        ("a[b/t.py::test_a[control]", "a[b/t.py::test_a"),
    ],
)
def test_a_control_belongs_to_the_test_without_its_suffix(control: str, real: str) -> None:
    assert real_id(control) == real


def test_a_test_is_called_by_its_own_name() -> None:
    assert short_name("bench/test_a.py::test_b[x]") == "test_b[x]"
    assert short_name("a[b/test_a.py::TestC::test_b[x::y]") == "test_b[x::y]"
