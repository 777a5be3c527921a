"""Pictures of claims: what is taken, what is refused, and what becomes of them in a run and in a baseline."""

import io
import json
import struct
import zlib

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, PngImagePlugin

from dlcv04.harness.claims import pictures
from dlcv04.harness.claims.pictures import PictureError, make
from dlcv04.harness.store.baselines import Store
from dlcv04.harness.store.reading import decode_run, read_run
from dlcv04.harness.store.schema import Claim, Commit, to_builtins
from tests.harness.report.sample import sample_run

NOISE = np.random.RandomState(0).randint(0, 256, (300, 500, 3)).astype(np.uint8)


def pixels(picture):
    with Image.open(io.BytesIO(picture.png)) as found:
        return np.asarray(found)


def png(array, mode=None, **options):
    file = io.BytesIO()
    Image.fromarray(array).convert(mode).save(file, "PNG", **options)
    return file.getvalue()


# -- what is taken -----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)) | st.tuples(
    st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3]))))  # fmt: skip
def test_an_array_comes_back_bit_for_bit(array):
    made = make("noise", array)
    assert (made.height, made.width) == array.shape[:2]
    assert (
        pixels(made) == array.squeeze(2) if array.ndim == 3 and array.shape[2] == 1 else pixels(made) == array
    ).all()


def test_equal_pixels_are_equal_bytes_whatever_their_file_said():
    said = PngImagePlugin.PngInfo()
    said.add_text("Software", "one")
    plain, talking = png(NOISE), png(NOISE, pnginfo=said, dpi=(300, 300))
    assert plain != talking
    assert make("x", plain).png == make("x", talking).png == make("x", NOISE[::1]).png


def test_a_view_of_an_array_and_a_memoryview_of_a_png():
    assert (pixels(make("x", NOISE[::2, ::3])) == NOISE[::2, ::3]).all()
    assert (pixels(make("x", memoryview(png(NOISE[:50])))) == NOISE[:50]).all()


def test_what_is_transparent_becomes_white():
    array = np.zeros((4, 4, 4), np.uint8)
    array[:2, :, 3] = 255
    found = pixels(make("x", png(array)))
    assert (found[:2] == 0).all() and (found[2:] == 255).all()


def test_too_many_bytes_become_256_colours():
    made = make("noise", NOISE)
    assert len(png(NOISE)) > pictures.MOST_BYTES >= len(made.png)
    with Image.open(io.BytesIO(made.png)) as found:
        assert found.mode == "P" and found.size == (500, 300)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (NOISE.astype(np.float32), "float32 of shape .*give uint8"),
        (NOISE[..., :2], "uint8 of shape .*height, width, 3"),
        (NOISE[None], "height, width, 3"),
        (np.zeros((0, 4), np.uint8), "give uint8"),
        ("a.png", "is a str: give a uint8 array or the bytes of a PNG"),
        (None, "is a NoneType"),
        (b"", "is not a whole PNG"),
        (b"hello", "is not a whole PNG"),
        (png(NOISE)[:2000], "is not a whole PNG"),
        (np.random.RandomState(1).randint(0, 256, (900, 900, 3)).astype(np.uint8), "as a PNG of 256 colours.*smaller"),
        (np.zeros((4001, 4000), np.uint8), "4000 x 4001 pixels"),
    ],
    ids=range(11),
)
def test_what_is_no_picture_or_too_large_is_one_sentence(content, told):
    with pytest.raises(PictureError, match=told) as error:
        make("mine", content)
    assert "\n" not in str(error.value) and "'mine'" in str(error.value)


def test_a_jpeg_is_not_taken_for_a_png():
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, "JPEG")
    with pytest.raises(PictureError, match="is not a whole PNG"):
        make("x", file.getvalue())


def test_a_png_that_claims_to_be_huge_is_refused_before_it_is_unpacked():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    with pytest.raises(PictureError):
        make("x", bomb)


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_a_picture_has_a_name(name):
    with pytest.raises(PictureError, match="needs a name"):
        make(name, NOISE)


def test_a_runs_pictures_have_a_limit_together():
    one = make("noise", NOISE)
    most = pictures.MOST_BYTES_A_RUN // len(one.png)
    pictures.check_total([one] * (most - 1), one)
    with pytest.raises(PictureError, match="show fewer or smaller"):
        pictures.check_total([one] * most, one)


# -- in a run and in a baseline ----------------------------------------------------------------------------------------


def pictured_run():
    shown = [make("noise", NOISE[:20, :20], caption="c", published="p")]
    return msgspec.structs.replace(sample_run(), claims=[Claim(test="t", sentence="s", pictures=shown)])


def test_a_run_is_read_back_with_its_pictures():
    run = pictured_run()
    document = json.loads(json.dumps(to_builtins(run)))
    assert decode_run(document, "here").claims[0].pictures == run.claims[0].pictures


@pytest.mark.parametrize("part", ["timing", "portable"])
def test_a_baseline_keeps_no_picture(tmp_path, part):
    run, asserting = pictured_run(), sample_run().claims[0].assertions
    claims = [msgspec.structs.replace(claim, assertions=asserting) for claim in run.claims]
    document = {"benchmarks": [], "dlcv04": to_builtins(msgspec.structs.replace(run, claims=claims))}
    path = Store(tmp_path).accept(document, part=part, reason="test", commit=Commit())
    assert read_run(path).claims[0].pictures == [] and "png" not in path.read_text()


# -- the fixture -------------------------------------------------------------------------------------------------------

CLAIM = """
import numpy as np
from dlcv04 import claim, reference_everywhere

@claim("Two is more than one", control=reference_everywhere("one"))
def test_more(computed, picture, claim):
    values = computed(one=lambda seed: [1.0, 1.1, 0.9], two=lambda seed: [2.0, 2.1, 1.9])
    picture("a <b>square</b>", {content}, caption="grey", published="a grey square")
    claim.higher(values.two, than=values.one, by=0.5)
"""
GREY = "np.full((8, 8), 128, np.uint8)"


def run(suite, content, *options):
    pytester = suite(CLAIM.format(content=content))
    result = pytester.runpytest("bench", "--benchmark-json=run.json", *options)
    return result, read_run(pytester.path / "run.json"), pytester.path


def test_a_claim_shows_its_picture_in_the_run_the_report_and_the_terminal(suite):
    result, block, path = run(suite, GREY)
    assert result.ret == 0
    (shown,) = block.claims[0].pictures
    assert (shown.name, shown.caption, shown.published) == ("a <b>square</b>", "grey", "a grey square")
    assert (pixels(shown) == 128).all()
    assert 'alt="a &lt;b&gt;square&lt;/b&gt;"' in (path / "reports" / "latest.html").read_text()
    result.stdout.fnmatch_lines(["1 picture in the report: a <b>square</b>."])


def test_what_is_no_picture_fails_the_claim_with_the_sentence(suite):
    result, block, _ = run(suite, "'grey'")
    assert result.ret == 1 and not block.claims
    result.stdout.fnmatch_lines(["*is a str: give a uint8 array*"])


def test_a_control_shows_none_and_is_still_checked(suite):
    result, block, _ = run(suite, GREY, "--dl-controls")
    assert result.ret == 0
    assert [len(one.pictures) for one in block.claims] == [1, 0] and block.claims[1].is_control


def test_the_same_report_from_the_saved_run_alone(suite):
    from dlcv04.harness import report

    _, block, path = run(suite, GREY)
    again = report.write(block, [], path / "again")
    assert again.read_bytes() == (path / "reports" / "latest.html").read_bytes()
