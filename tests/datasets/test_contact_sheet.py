"""The committed contact sheets show the frozen stand-ins."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv04.datasets import contact_sheet

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def sheets():
    return contact_sheet.sheets()


@pytest.mark.parametrize("name", ["contact-sheet-cifar10.png", "contact-sheet-buildings.png"])
def test_the_committed_sheet_is_of_the_generator_that_is_here(name: str, sheets) -> None:
    path = DOCS / name
    assert path.stat().st_size <= 300_000
    committed = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert committed.shape == sheets[name].shape
    assert np.abs(committed - sheets[name]).mean() < 12  # 256 colours


def test_a_row_shows_its_class() -> None:
    from dlcv04.datasets import drawn_things

    things = drawn_things.things()
    pixels = contact_sheet.sheet(things, columns=3)
    assert pixels.shape == (10 * 34, 3 * 34, 3)
    assert (pixels[34:66, :32] == things.x_train[things.y_train == 1][0]).all()
