"""Pictures of any size and mode; the cache gives the same as decoding, to two processes at once as well."""

import io
import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv04.datasets import DataError, pictures
from dlcv04.datasets.tree import File
from tests.datasets.buildings import jpeg


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DLCV04_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return pictures.cache_folder()


def held(content: bytes, name: str = "a.jpg") -> File:
    return File(name, lambda: content)


def saved(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("side", [5, 20, 300])
def test_jpeg_modes_and_sizes(mode: str, side: int) -> None:
    assert pictures.decode(jpeg(1, side, mode), 16, "a.jpg").shape == (16, 16, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "L", "I;16"])
def test_png_modes(mode: str) -> None:
    white = Image.new("L", (20, 30), 255)
    picture = Image.fromarray(np.full((30, 20), 65535, np.uint16)) if mode == "I;16" else white.convert(mode)
    assert (pictures.decode(saved(picture), 16, "a.png") == 255).all()


def test_cmyk_keeps_its_colours() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.allclose(pictures.decode(saved(red, "JPEG", quality=100), 8, "a.jpg"), [255, 0, 0], atol=6)


def test_transparent_parts_become_white_whatever_colour_they_hide() -> None:
    clear = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    assert (pictures.decode(saved(clear), 8, "a.png") == 255).all()
    palette = Image.new("P", (16, 16), 3)
    palette.putpalette([0, 0, 0] * 3 + [255, 0, 0])
    assert (pictures.decode(saved(palette, transparency=3), 8, "a.png") == 255).all()


def test_sixteen_bits_of_grey_keep_their_upper_half() -> None:
    grey = Image.fromarray(np.full((16, 16), 0x40FF, np.uint16))
    assert (pictures.decode(saved(grey), 8, "a.png") == 0x40).all()


def test_exif_orientation_is_followed() -> None:
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    stored = Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90)
    seen = pictures.decode(saved(stored, "JPEG", quality=100, exif=exif), 16, "a.jpg")
    assert np.abs(seen.astype(int) - upright).mean() < 3


def test_large_pictures_are_averaged_not_sampled() -> None:
    stripes = np.zeros((160, 160), np.uint8)
    stripes[:, ::2] = 254
    # The filter is cut at the border, which leaves half a stripe over; a sampled picture would be black or white.
    assert np.abs(pictures.decode(saved(Image.fromarray(stripes)), 16, "a.png").astype(int) - 127).max() <= 5


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is not a JPEG or PNG"),
        (b"a text file", "is not a JPEG or PNG"),
        (saved(Image.new("RGB", (9, 9)), "GIF"), "is not a JPEG or PNG"),
        (jpeg(0, 60)[:-600], "cut or damaged"),
        (jpeg(0, 60)[:150], "cut or damaged|not a JPEG"),
        (saved(Image.new("RGB", (60, 60), "red"))[:60], "cut or damaged|not a JPEG"),
        (saved(Image.new("RGB", (1, 1))), "has 1 x 1 pixels"),
        (saved(Image.new("RGB", (300, 3))), "has 300 x 3 pixels"),
    ],
    ids=["empty", "text", "gif", "cut", "cut early", "cut png", "one pixel", "a line"],
)
def test_broken_pictures_are_named(content: bytes, word: str) -> None:
    with pytest.raises(DataError, match=f"^the.jpg .*({word})") as caught:
        pictures.decode(content, 16, "the.jpg")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side", [9_500, 14_000])
def test_a_picture_that_would_fill_the_memory_is_refused(side: int, recwarn) -> None:
    bomb = saved(Image.new("1", (side, side)))
    with pytest.raises(DataError, match="pixels"):
        pictures.decode(bomb, 16, "bomb.png")


@pytest.mark.parametrize("size", [7, 1025, 0])
def test_impossible_sizes(size: int) -> None:
    with pytest.raises(DataError, match="8 to 1024"):
        pictures.decode_cached([held(jpeg())], size)


# -- the cache -----------------------------------------------------------------------------------------------------


def large(count: int = 4) -> list[File]:
    return [held(jpeg(seed, 120), f"{seed}.jpg") for seed in range(count)]


def test_the_cache_gives_what_decoding_gives(cache: Path, monkeypatch) -> None:
    files = large()
    plain = pictures.decoded(files, 16)
    first = pictures.decode_cached(files, 16)
    monkeypatch.setattr(pictures.Image, "open", lambda *_, **__: pytest.fail("decoded again"))
    second = pictures.decode_cached(files, 16)
    assert (first.pictures == plain).all() and (second.pictures == plain).all()
    assert first.digests == second.digests
    assert len(list(cache.glob("*.npz"))) == 1


def test_what_a_patched_decoder_made_is_not_found_without_the_patch(cache: Path, monkeypatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(pictures, "decode", lambda content, size, name: np.zeros((size, size, 3), np.uint8))
        assert not pictures.decode_cached(large(), 16).pictures.any()
    assert pictures.decode_cached(large(), 16).pictures.any()


def test_small_files_are_not_cached(cache: Path) -> None:
    pictures.decode_cached([held(jpeg(1, 20))], 64)
    assert not cache.exists()


def test_the_cache_sees_bytes_order_and_size(cache: Path) -> None:
    files = large()
    for changed, size in ((files, 16), (files[::-1], 16), (files, 17), ([*files[:3], held(jpeg(9, 120))], 16)):
        assert (pictures.decode_cached(changed, size).pictures == pictures.decoded(changed, size)).all()
    assert len(list(cache.glob("*.npz"))) == 4


@pytest.mark.parametrize("damage", ["cut", "text", "shape", "flipped"])
def test_a_damaged_cache_is_made_anew(damage: str, cache: Path) -> None:
    files = large()
    plain = pictures.decode_cached(files, 16).pictures
    (path,) = cache.glob("*.npz")
    whole = path.read_bytes()
    if damage == "shape":
        np.savez(path, pictures=np.zeros((1, 2), np.uint8))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        path.write_bytes({"cut": whole[:500], "text": b"no", "flipped": flipped}[damage])
    assert (pictures.decode_cached(files, 16).pictures == plain).all()
    assert (np.load(path)["pictures"] == plain).all()


def test_without_a_place_for_the_cache_pictures_are_decoded(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert (pictures.decode_cached(large(), 16).pictures == pictures.decoded(large(), 16)).all()


def test_a_broken_picture_leaves_nothing_in_the_cache(cache: Path) -> None:
    with pytest.raises(DataError, match="cut or damaged"):
        pictures.decode_cached([*large(), held(jpeg(9, 120)[:-2000])], 16)
    assert not list(cache.glob("*.npz")) and not list(cache.glob(".*.partial"))


def _race(number: int, start, done) -> None:
    opened = pictures.Image.open

    def slow(*arguments, **options):
        done.put(("opened", number))
        time.sleep(0.1)
        return opened(*arguments, **options)

    pictures.Image.open = slow
    start.wait()
    done.put(("sum", int(pictures.decode_cached(large(), 16).pictures.sum())))


def test_two_processes_at_once_decode_once_and_agree(cache: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, done = context.Barrier(3), context.Queue()
    racers = [context.Process(target=_race, args=(number, start, done)) for number in range(3)]
    for racer in racers:
        racer.start()
    said = [done.get(timeout=60) for _ in range(3 + len(large()))]
    for racer in racers:
        racer.join(10)
    sums = [value for word, value in said if word == "sum"]
    assert len(sums) == 3 and set(sums) == {int(pictures.decoded(large(), 16).sum())}
    assert len({number for word, number in said if word == "opened"}) == 1
