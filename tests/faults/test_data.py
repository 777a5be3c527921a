"""Data and weights that are not what they say.

Sizes that are only declared, numbers that lie in other files, code in pickles, flipped bits: one sentence each, before
anything large is read and without anything being run.
"""

import io
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from dlcv04 import hdf5
from dlcv04.datasets import DataError, annotation, cifar_batches, folders, npz, pictures, terrassa
from tests.faults.rows import Row
from tests.faults.running import rows

KEPT = "the file as it is; nothing was run or written"

ROWS = [
    Row("npz-header", "an npz header that declares 2^40 pictures", "its x_train.npy declares (1099511627776, 28, 28), 862,017,116,176,512 bytes, and has", 2, KEPT),
    Row("npz-expansion", "an npz member that unpacks to 3 GB from 3 MB", "its x_train.npy unpacks to 3,221,225,472 bytes", 2, KEPT),
    Row("npz-labels-wrap", "labels of 2^40 + 3, which as int32 are 3", "its labels run from 1 to 1099511627779, beyond any class", 2, KEPT),
    Row("npz-pickle", "an npz of pickled objects", "Object arrays cannot be loaded", 2, KEPT),
    Row("npz-cut", "a cut npz", "is not a usable mnist.npz", 2, KEPT),
    Row("npz-no-zip", "text named npz", "is not a usable mnist.npz", 2, KEPT),
    Row("npz-lfs", "a pointer of Git LFS named npz", "git lfs pull", 2, KEPT),
    Row("npz-version", "an npz of an unknown version of the format", "is of version (9, 0) of the format", 2, KEPT),
    Row("cifar-code", "a CIFAR-10 batch whose pickle runs a command", "the batch holds 0 labels and", 2, KEPT),
    Row("cifar-folder", "a folder of CIFAR-10 with changed batches", "cut or changed", 2, KEPT),
    Row("cifar-archive", "a tar archive that is not CIFAR-10's", "its sha256 is not", 2, KEPT),
    Row("png-bomb", "a PNG that declares 50,000 x 50,000 pixels", "make it smaller", 2, KEPT),
    Row("png-text", "a PNG with a text of 100 MB in 100 kB", "can't be decoded", 2, KEPT),
    Row("png-cut", "a cut PNG", "cut or damaged", 2, KEPT),
    Row("picture-lfs", "a pointer of Git LFS named jpg", "git lfs pull", 2, KEPT),
    Row("picture-pipe", "a pipe among the pictures", "holds no picture", 2, KEPT),
    Row("picture-device", "a link to /dev/zero among the pictures", "holds no picture", 2, KEPT),
    Row("picture-huge", "a picture's file of 3 GB", "a picture has less", 2, KEPT),
    Row("annotation-bytes", "an annotation file that is no text", "not UTF-8", 2, KEPT),
    Row("annotation-path", "an annotation that names a path outside", "is a path", 2, KEPT),
    Row("annotation-huge", "an annotation file of 3 GB", "a picture has less", 2, KEPT),
    Row("zip-bomb", "a zip file whose annotation unpacks to 3 GB", "a picture has less", 2, KEPT),
    Row("zip-outside", "a zip file with a name outside of it", "outside of the archive", 2, KEPT),
    Row("h5-external-link", "weights that are a link to another file", "a link to elsewhere (ExternalLink)", 2, KEPT),
    Row("h5-soft-link", "weights that are a soft link", "a link to elsewhere (SoftLink)", 2, KEPT),
    Row("h5-external-storage", "weights whose numbers lie in /etc/passwd", "lie in another file", 2, KEPT),
    Row("h5-virtual", "weights that are a virtual data set over another file", "lie in another file", 2, KEPT),
    Row("h5-shape", "weights of a shape of 16 TiB", "declares the shape", 2, KEPT),
    Row("h5-nothing-stored", "a shape of which no number is stored", "none of its numbers", 2, KEPT),
    Row("h5-array-for-group", "a data set where a group should be", "is not a group", 2, KEPT),
    Row("h5-group-for-array", "a group where a data set should be", "of the weights has 0 arrays, not a kernel and a bias", 2, KEPT),
    Row("h5-cycle", "a group that holds itself", "holds itself", 2, KEPT),
    Row("h5-objects", "texts where numbers should be", "not an array of numbers", 2, KEPT),
    Row("h5-lfs", "a pointer of Git LFS named h5", "git lfs pull", 2, KEPT),
    Row("h5-cut", "a cut weights file", "not a readable HDF5 file", 2, KEPT),
    Row("h5-nan", "weights with a NaN", "no finite numbers", 2, KEPT),
    Row("h5-flipped", "weights with a flipped bit of an exponent", "which no training gives", 2, KEPT),
]  # fmt: skip
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


# -- making the faults ------------------------------------------------------------------------------------------------


def good_npz(path, **changed):
    arrays = {
        "x_train": np.zeros((2, 28, 28), np.uint8), "y_train": np.zeros(2, np.int64),
        "x_test": np.zeros((2, 28, 28), np.uint8), "y_test": np.zeros(2, np.int64),
    }  # fmt: skip
    np.savez_compressed(path, **{**arrays, **changed})
    return path


def with_member(path, member, content):
    """The npz with other bytes for one of its arrays."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, old in {**kept, member: content}.items():
            archive.writestr(name, old)


def header(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


def zeros_in_zip(path, name, size):
    """A zip file with a member of so many zero bytes, of which a thousandth lies in it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, block * (size // 2**24) + packer.flush())
        archive.filelist[-1].compress_type, archive.filelist[-1].file_size = zipfile.ZIP_DEFLATED, size


def png(width, height, chunks=()):
    """A PNG of one pixel that declares another size."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    middle = b"".join(chunk(*each) for each in chunks)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * (min(height, 64) * (min(width, 64) + 1))))
    return b"\x89PNG\r\n\x1a\n" + head + middle + pixels + chunk(b"IEND", b"")


class Runs:
    """Pickled, it runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch was-run",)


def of_npz(name, folder):
    path = good_npz(folder / "mnist.npz")
    match name:
        case "npz-header":
            with_member(path, "x_train.npy", header((2**40, 28, 28)) + b"\0")
        case "npz-expansion":
            with zipfile.ZipFile(path) as archive:
                kept = {each: archive.read(each) for each in archive.namelist() if each != "x_train.npy"}
            path.unlink()
            zeros_in_zip(path, "x_train.npy", 3 * 2**30)
            with zipfile.ZipFile(path, "a") as archive:
                for each, content in kept.items():
                    archive.writestr(each, content)
        case "npz-labels-wrap":
            good_npz(path, y_train=np.array([2**40 + 3, 1]))
        case "npz-pickle":
            good_npz(path, y_train=np.array([Runs(), 1], object))
        case "npz-cut":
            path.write_bytes(path.read_bytes()[:-40])
        case "npz-no-zip":
            path.write_text("hello")
        case "npz-lfs":
            path.write_bytes(POINTER)
        case "npz-version":
            with_member(path, "x_test.npy", b"\x93NUMPY\x09\x00" + b"\0" * 200)
    npz.read(path, (28, 28), "mnist")


def of_cifar(name, folder):
    if name == "cifar-code":
        cifar_batches.unpack(pickle.dumps({b"labels": Runs(), b"data": b"x"}))
    elif name == "cifar-folder":
        for each in ("data_batch_1", "data_batch_2"):
            (folder / each).write_bytes(pickle.dumps(Runs()))
        cifar_batches.read_folder(folder)
    else:
        with tarfile.open(folder / "x.tar.gz", "w:gz") as archive:
            archive.add(__file__, "../../x")
        cifar_batches.read_archive(folder / "x.tar.gz")


def of_picture(name, folder):
    for label in ("a", "b"):
        (folder / label).mkdir()
    bad = folder / "a" / "x.png"
    good = png(8, 8)
    (folder / "b" / "y.png").write_bytes(good)
    match name:
        case "png-bomb":
            bad.write_bytes(png(50_000, 50_000))
        case "png-text":
            bad.write_bytes(png(8, 8, [(b"zTXt", b"x\0\0" + zlib.compress(bytes(10**8)))]))
        case "png-cut":
            bad.write_bytes(good[:44])
        case "picture-lfs":
            bad.write_bytes(POINTER)
        case "picture-pipe":
            os.mkfifo(bad)
        case "picture-device":
            bad.symlink_to("/dev/zero")
        case "picture-huge":
            with bad.open("wb") as file:
                file.truncate(3 * 2**30)
    folders.read(folder, 16)


def of_annotation(name, folder):
    train = folder / "train"
    train.mkdir()
    table = train / "annotation.txt"
    match name:
        case "annotation-bytes":
            table.write_bytes(b"ImageID\tClassID\n\xff\xfe\tx\n")
            annotation.parse(table.read_bytes(), table.name)
        case "annotation-path":
            annotation.parse(b"ImageID\tClassID\n../../etc/passwd\tx\n", table.name)
        case "annotation-huge":
            with table.open("wb") as file:
                file.truncate(3 * 2**30)
            terrassa.read(folder, 16)
        case "zip-bomb":
            zeros_in_zip(folder / "x.zip", "train/annotation.txt", 3 * 2**30)
            terrassa.read(folder / "x.zip", 16)
        case "zip-outside":
            with zipfile.ZipFile(folder / "x.zip", "w") as archive:
                archive.writestr("../train/annotation.txt", "x")
            terrassa.read(folder / "x.zip", 16)


def small_vgg16():
    from dlcv04 import networks

    return networks.vgg16(weights="random", until="conv1_2", input_shape=(32, 32, 3))


def weights_file(path):
    """A file of the first two layers in Keras's layout of a group a layer."""
    random = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for layer, depth in (("block1_conv1", 3), ("block1_conv2", 64)):
            file[f"{layer}/kernel"] = random.normal(0, 0.1, (3, 3, depth, 64)).astype(np.float32)
            file[f"{layer}/bias"] = np.zeros(64, np.float32)
    return path


def of_weights(name, folder):
    path = weights_file(folder / "mine.h5")
    other = weights_file(folder / "other.h5")
    kernel, shape = "block1_conv1/kernel", (3, 3, 3, 64)
    with h5py.File(path, "a") as file:
        values = file[kernel][()]
        if name not in ("h5-external-link", "h5-soft-link", "h5-array-for-group", "h5-cycle", "h5-lfs", "h5-cut"):
            del file[kernel]
        match name:
            case "h5-external-link":
                del file["block1_conv1"]
                file["block1_conv1"] = h5py.ExternalLink(str(other), "block1_conv1")
            case "h5-soft-link":
                del file[kernel]
                file[kernel] = h5py.SoftLink("/block1_conv2/kernel")
            case "h5-external-storage":
                file.create_dataset(kernel, shape, np.float32, external=[("/etc/passwd", 0, 3 * 3 * 3 * 64 * 4)])
            case "h5-virtual":
                layout = h5py.VirtualLayout(shape, np.float32)
                layout[:] = h5py.VirtualSource(str(other), kernel, shape)
                file.create_virtual_dataset(kernel, layout)
            case "h5-shape":
                file.create_dataset(kernel, (2**20, 2**10, 2**10, 4), np.float32, chunks=(1, 2, 2, 4))
            case "h5-nothing-stored":
                file.create_dataset(kernel, shape, np.float32, chunks=(3, 3, 3, 64))
            case "h5-array-for-group":
                del file["block1_conv1"]
                file["block1_conv1"] = np.zeros(3)
            case "h5-group-for-array":
                file.create_group(kernel)
                del file["block1_conv1/bias"]
            case "h5-cycle":
                file["block1_conv1/again"] = file["block1_conv1"]
            case "h5-objects":
                file.create_dataset(kernel, data=["a", "b"], dtype=h5py.string_dtype())
            case "h5-nan":
                values[1, 1, 1, 1] = np.nan
                file[kernel] = values
            case "h5-flipped":
                values.view(np.uint32)[1, 1, 1, 1] ^= 1 << 30
                file[kernel] = values
    if name == "h5-cut":
        path.write_bytes(path.read_bytes()[:2000])
    if name == "h5-lfs":
        path.write_bytes(POINTER)
    from dlcv04.weights import load_vgg16

    load_vgg16(small_vgg16(), path)


MAKERS = {"npz": of_npz, "cifar": of_cifar, "png": of_picture, "picture": of_picture, "annotation": of_annotation}
MAKERS |= {"zip": of_annotation, "h5": of_weights}


@pytest.mark.parametrize("row", rows(ROWS))
def test_bad_data_is_one_sentence(row, empty_folder, request):
    import resource

    make = MAKERS[row.name.partition("-")[0]]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError) as raised:
        make(row.name, empty_folder)
    assert type(raised.value).__name__ in ("DataError", "BatchError", "WeightsError"), raised.value
    said = str(raised.value)
    assert row.sentence in said and "\n" not in said, said
    assert not Path("was-run").exists()
    if not row.name.startswith("h5"):  # there TensorFlow is loaded
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # kB


def test_what_is_whole_is_read(empty_folder):
    from dlcv04.weights import load_vgg16

    model = small_vgg16()
    load_vgg16(model, weights_file(empty_folder / "mine.h5"))
    with h5py.File("mine.h5") as file:
        assert (model.get_layer("block1_conv1").get_weights()[0] == file["block1_conv1/kernel"][()]).all()
        assert len(list(hdf5.datasets(file))) == 4
    assert len(npz.read(good_npz(empty_folder / "mnist.npz"), (28, 28), "mnist")[0]) == 2


def test_a_report_names_the_hash_of_a_file_of_ones_own(empty_folder):
    from dlcv04.bases import vgg16_base

    def name():
        return vgg16_base(empty_folder / "mine.h5", input_shape=(32, 32, 3), until="conv1_2").name

    weights_file(empty_folder / "mine.h5")
    first = name()
    with h5py.File("mine.h5", "a") as file:
        file["block1_conv1/bias"][3] = 1e-3
    assert "sha256 " in first and name() != first
    with pytest.raises(DataError, match="JPEG or PNG"):
        pictures.decode(b"x", 16, "x.png")


@pytest.mark.parametrize("fault", ["link", "flipped", "declared", "cut", "pickle"])
def test_a_keras_file_is_read_from_itself_alone(fault, empty_folder):
    """Its weights are HDF5 inside a zip file."""
    from dlcv04.backends import keras
    from dlcv04.visualization import classifiers

    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    model.save("mine.keras")
    with zipfile.ZipFile("mine.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    inner = io.BytesIO(members["model.weights.h5"])
    with h5py.File(inner, "a") as file:
        (name,) = [each for each, item in hdf5.items(file) if getattr(item, "shape", None) == (16, 2)]
        values = file[name][()]
        if fault == "link":
            weights_file(empty_folder / "other.h5")
            del file[name]
            file[name] = h5py.ExternalLink(str(empty_folder / "other.h5"), "block1_conv1/kernel")
        elif fault == "flipped":
            values.view(np.uint32)[1, 1] = (values.view(np.uint32)[1, 1] | 1 << 30) & ~np.uint32(1 << 23)
            file[name][...] = values
    members["model.weights.h5"] = inner.getvalue()
    if fault == "pickle":
        members["config.json"] = pickle.dumps(Runs())
    with zipfile.ZipFile("mine.keras", "w") as archive:
        for each, content in members.items():
            archive.writestr(each, content)
        if fault == "declared":
            archive.filelist[-1].file_size = 2**40
    if fault == "cut":
        Path("mine.keras").write_bytes(Path("mine.keras").read_bytes()[:-30])
    with pytest.raises(classifiers.ClassifierError) as raised:
        classifiers.from_file("mine.keras")
    assert "mine.keras" in str(raised.value) and "\n" not in str(raised.value)
    assert not Path("was-run").exists()
