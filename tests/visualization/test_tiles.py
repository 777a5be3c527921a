"""Grids, strips and sizes for a page."""

import numpy as np
import pytest
from PIL import Image

from dlcv04.visualization import tiles


def numbered(count, height=4, width=6, channels=3):
    return np.stack([np.full((height, width, channels), number + 1, np.uint8) for number in range(count)])


@pytest.mark.parametrize(("count", "columns", "shape"), [(7, 3, (3, 3)), (1, None, (1, 1)), (5, None, (2, 3))])
def test_a_grid_has_every_tile_in_its_place_on_black(count, columns, shape):
    whole = tiles.grid(numbered(count), columns, margin=5)
    rows, columns = shape
    assert whole.shape == (rows * 9 - 5, columns * 11 - 5, 3)
    found = [
        whole[row * 9 : row * 9 + 4, column * 11 : column * 11 + 6] for row in range(rows) for column in range(columns)
    ]
    assert [int(tile.min()) for tile in found[:count]] == list(range(1, count + 1))
    whole = whole.copy()
    for tile in (whole[r * 9 : r * 9 + 4, c * 11 : c * 11 + 6] for r in range(rows) for c in range(columns)):
        tile[:] = 0
    assert not whole.any()


def test_a_grid_without_margin():
    assert tiles.grid(numbered(4), 2, margin=0).shape == (8, 12, 3)


def test_a_strip_shows_each_picture_whole_below_its_label():
    pictures = [("one", np.full((40, 30, 3), 7, np.uint8)), ("two", np.full((40, 50, 3), 9, np.uint8))]
    whole = tiles.strip(pictures, margin=6)
    assert whole.shape[1] == 30 + 50 + 3 * 6
    assert (whole[-46:-6, 6:36] == 7).all() and (whole[-46:-6, 42:92] == 9).all()
    assert (whole[:-46] < 128).any()  # there is ink above


def test_a_strip_of_small_pictures_is_enlarged_until_labels_do_not_meet():
    label, side, margin = "10 iterations", 32, 6
    whole = tiles.strip([(label, np.full((side, side, 3), 7, np.uint8))] * 3, margin)
    scale = (whole.shape[1] - 4 * margin) // (3 * side)
    assert scale > 1 and whole.shape[1] == 3 * scale * side + 4 * margin
    above = whole[: -scale * side - margin]
    for number in (1, 2):
        between = number * (scale * side + margin)
        assert (above[:, between : between + margin] == 255).all()  # no ink between two labels


def test_a_strip_without_a_label_still_shows_its_picture():
    whole = tiles.strip([("", np.full((40, 30, 3), 7, np.uint8))], margin=6)
    assert (whole[-46:-6, 6:36] == 7).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_page_enlarges_by_whole_numbers_and_shrinks_to_its_area(channels):
    small, large = (np.zeros((side, 2 * side, channels), np.uint8) for side in (10, 1000))
    assert tiles.page_sized(small, area=2000).shape == (30, 60, channels)
    shrunk = tiles.page_sized(large, area=2000)
    assert shrunk.shape[2] == channels and 1800 <= shrunk.shape[0] * shrunk.shape[1] <= 2000


def test_png(tmp_path):
    for channels, mode in ((1, "L"), (3, "RGB")):
        tiles.write_png(tmp_path / "a.png", numbered(1, channels=channels)[0])
        with Image.open(tmp_path / "a.png") as read:
            assert read.mode == mode and read.size == (6, 4)
    with pytest.raises(FileNotFoundError, match=r"no folder .*gone: make it, or choose another place for a\.png"):
        tiles.require_folder(tmp_path / "gone" / "a.png")
