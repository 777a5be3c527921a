"""``dlcv04 style``: any two pictures, a strip, a state that a stopped run goes on from, one sentence for the rest."""

import numpy as np
from PIL import Image

from dlcv04 import style
from tests.commands.asking import Command

refused = Command("style").refused
painted = Command("style").asked
QUICK = ["--weights", "random", "--layers", "conv1_1", "--iterations", "1"]


def draw(name, size, mode="RGB", **options):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(name, **options)
    return name


def test_two_pictures_of_any_size_and_kind(folder):
    grey, clear = draw("grey.jpg", (90, 60), "L"), draw("clear.png", (50, 70), "RGBA")
    result = painted(grey, clear, "--size", "48", *QUICK, "--out", "a.png")
    assert result.exit_code == 0, result.output
    assert "48 x 32 pixels" in result.output and "iteration 1 of 1: loss" in result.output
    with Image.open("a.png") as picture, Image.open("a-strip.png") as strip:
        assert picture.size == (48, 32) and picture.mode == "RGB"
        assert strip.width == 3 * 96 + 4 * 6
    cyan, large = draw("cyan.jpg", (64, 64), "CMYK"), "large.png"
    Image.new("RGB", (5000, 4000), "orange").save(large)
    result = painted(large, cyan, "--size", "40", *QUICK, "--out", "b.png")
    assert result.exit_code == 0 and "40 x 32 pixels" in result.output, result.output


def test_stopped_it_says_what_is_kept_and_goes_on(folder, monkeypatch):
    command = ["--size", "48", *QUICK[:-1], "2", "--stages", "1", "--out", "a.png"]
    real = style._iterate

    def stop_in_the_second(stylist, progress, on_evaluation):
        if progress.iterations:
            raise KeyboardInterrupt
        real(stylist, progress, on_evaluation)

    monkeypatch.setattr(style, "_iterate", stop_in_the_second)
    result = painted(*command)
    assert result.exit_code == 130 and "kept in a-state.npz. The same command continues from there." in result.stderr
    assert not (folder / "a.png").exists()
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    result = painted(*command)
    assert result.exit_code == 0 and "iteration 2 of 2" in result.output and "iteration 1 of 2" not in result.output
    with Image.open("a-strip.png") as strip:  # the stage asked for, and the last
        assert strip.width == 4 * 96 + 5 * 6
    assert "stored with another loss_weights" in refused(*command, "--content-weight", "5")


def test_one_sentence_for_what_cannot_be_painted(folder):
    (folder / "text.jpg").write_text("a letter")
    assert "text.jpg is not a JPEG or PNG picture" in refused("text.jpg")
    assert "one.png has 1 x 1 pixels, too few" in refused(draw("one.png", (1, 1)))
    assert "gone.jpg can't be read" in refused("gone.jpg")
    assert "at least 32x32" in refused(draw("long.png", (400, 20)), "--size", "400", "--weights", "random")
    assert "no layer 'conv9_1'; the nearest are" in refused("--layers", "conv9_1", "--weights", "random")
    assert "Style layers must be one or more" in refused("--layers", ",", "--weights", "random", "--size", "48")
    assert "Stages are numbers of iterations" in refused("--stages", "1,five")
    assert "There are no weights 'mine'" in refused("--weights", "mine", "--size", "48")
    assert "no folder gone" in refused("--out", "gone/a.png")
    assert "8 to 1024 pixels" in refused("--size", "5000")
