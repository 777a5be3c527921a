"""Dataset: what it refuses, how its subsets are drawn, what its fingerprint sees."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04 import datasets
from dlcv04.datasets import DataError, Dataset


def arrays(train: int = 20, val: int = 10) -> dict[str, Any]:
    random = np.random.RandomState(0)
    return {
        "x_train": random.randint(0, 256, (train, 4, 4, 1)).astype(np.uint8),
        "y_train": (np.arange(train) % 3).astype(np.int32),
        "x_val": random.randint(0, 256, (val, 4, 4, 1)).astype(np.uint8),
        "y_val": (np.arange(val) % 3).astype(np.int32),
    }


def tiny(**changes: Any) -> Dataset:
    return Dataset(**{"name": "tiny", "classes": 3, **arrays(), **changes})


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"x_val": np.zeros((10, 4, 4), np.uint8)}, "must be alike"),
        ({"x_train": [[1]]}, r"not list: hand in np\.asarray\(x_train\)"),
        ({"x_train": np.zeros(20, np.uint8)}, r"x_train\.reshape\(-1, 1\)"),
        ({"x_train": np.full((20, 4, 4, 1), "a")}, r"x_train\.astype\('float32'\)"),
        ({"x_train": np.full((20, 4, 4, 1), np.nan)}, r"np\.nan_to_num\(x_train\)"),
        ({"y_val": np.zeros((10, 3), np.int32)}, "y_train is int32 of shape .* they must be alike"),
        ({"y_train": np.zeros((20, 4), int), "y_val": np.zeros((10, 4), int)}, "one-hot rows of 3 columns"),
        ({"y_train": np.full(20, 0.5), "y_val": np.full(10, 0.5)}, "whole numbers; for values leave"),
        ({"y_train": np.full(20, np.nan), "y_val": np.full(10, 0.5)}, "not finite: leave these rows out"),
        ({"y_train": np.full(20, None)}, "give numbers or texts"),
        ({"y_train": np.full(20, "a")}, "they must be alike"),
        ({"y_val": np.zeros(9, np.int32)}, "10 pictures and y_val 9 labels"),
        ({"y_val": np.full(10, 3, np.int32)}, r"0\.\.2"),
        ({"y_train": np.full(20, -1, np.int32)}, "labels from -1"),
        ({"x_val": np.zeros((10, 5, 4, 1), np.uint8)}, "must be alike"),
        ({"x_train": np.zeros((0, 4, 4, 1), np.uint8), "y_train": np.zeros(0, np.int32)}, "0 pictures"),
        ({"classes": 1}, "classes"),
        ({"class_names": ("a", "b")}, "2 class names for 3 classes"),
        ({"boxes_train": np.zeros((20, 4), np.int64)}, "boxes_train must be int32"),
        ({"boxes_val": np.zeros((9, 4), np.int32)}, r"of shape \(10, 4\)"),
    ],
)
def test_wrong_arrays_are_named(changes: dict, word: str) -> None:
    with pytest.raises(DataError, match=word):
        tiny(**changes)


LABELS = arrays()["y_train"], arrays()["y_val"]


@pytest.mark.parametrize(
    "form",
    [
        *(lambda y, kind=kind: y.astype(kind) for kind in (np.int8, np.uint16, np.int64, float)),
        lambda y: y[:, None],
        lambda y: y[:, None].astype(np.int64),
    ],
)
def test_labels_of_every_form_are_the_same_labels(form: Any) -> None:
    found = tiny(y_train=form(LABELS[0]), y_val=form(LABELS[1]))
    assert found.fingerprint == tiny().fingerprint and found.y_val.dtype == np.int32
    assert (found.labels("train") == LABELS[0]).all()


def test_one_hot_rows_stay_rows_and_are_known_as_classes() -> None:
    rows = [np.eye(3, dtype=np.int64)[y] for y in LABELS]
    found = tiny(y_train=rows[0], y_val=rows[1], classes=0)
    assert found.classes == 3 and found.y_train.shape == (20, 3) and found.y_train.dtype == np.float32
    assert (found.labels("val") == LABELS[1]).all() and found.subset(train=5, seed=1).y_train.shape == (5, 3)


@pytest.mark.parametrize("kind", [str, object])
def test_texts_are_numbered_in_their_order(kind: Any) -> None:
    words = [np.array(["dog", "cat", "owl"])[y].astype(kind) for y in LABELS]
    found = tiny(y_train=words[0], y_val=words[1], classes=0)
    assert found.class_names == ("cat", "dog", "owl") and found.classes == 3
    assert (found.y_train == np.array([1, 0, 2])[LABELS[0]]).all()


def test_truth_values_are_two_classes_and_floats_are_values() -> None:
    assert tiny(y_train=LABELS[0] > 0, y_val=LABELS[1] > 0, classes=0).classes == 2
    values = tiny(y_train=LABELS[0] / 7, y_val=LABELS[1] / 7, classes=0)
    assert values.classes == 0 and values.y_train.dtype == np.float32 and values.subset(val=3).classes == 0
    with pytest.raises(DataError, match="values to predict, and no classes"):
        values.labels("val")


def test_features_of_any_shape_are_taken_as_they_are() -> None:
    table = np.random.RandomState(0).rand(30, 5)
    found = tiny(x_train=table[:20], x_val=table[20:])
    assert found.input_shape == (5,) and found.x_train.dtype == np.float32
    tokens = (table * 100).astype(np.int64)
    assert tiny(x_train=tokens[:20], x_val=tokens[20:]).x_train.dtype == np.int64
    unscaled = tiny(scale=False)
    assert unscaled.x_train.dtype == np.float32 and unscaled.x_train.max() > 1
    assert unscaled.fingerprint != tiny().fingerprint


def test_own_arrays_are_the_default_kind() -> None:
    assert (tiny().kind, tiny().provenance, tiny().input_shape) == ("own", "your own arrays", (4, 4, 1))


@pytest.mark.parametrize("label", ["x_train", "y_train", "x_val", "y_val"])
def test_fingerprint_sees_each_array(label: str) -> None:
    changed = arrays()[label].copy()
    changed.flat[0] = (changed.flat[0] + 1) % 3
    assert tiny(**{label: changed}).fingerprint != tiny().fingerprint


def test_fingerprint_is_of_the_values_not_of_name_or_memory() -> None:
    turned = np.asfortranarray(arrays()["x_train"])
    assert tiny(x_train=turned, name="other", provenance="elsewhere").fingerprint == tiny().fingerprint
    assert tiny(classes=4).fingerprint != tiny().fingerprint


def test_arrays_are_read_only_but_the_callers_stay_writable() -> None:
    own = arrays()
    dataset = Dataset("tiny", **own, classes=3)
    with pytest.raises(ValueError, match="read-only"):
        dataset.x_train[0] = 0
    own["x_train"][0] = 0


def test_seeds_draw_the_training_subset_and_share_the_validation_subset() -> None:
    one, other = (tiny().subset(train=8, val=5, seed=seed) for seed in (1, 2))
    assert (one.x_train != other.x_train).any()
    assert (one.x_val == other.x_val).all()
    assert tiny().subset(train=8, val=5, seed=1).fingerprint == one.fingerprint


def test_the_smaller_validation_subset_begins_the_larger() -> None:
    assert (tiny().subset(val=7).x_val[:3] == tiny().subset(val=3).x_val).all()


def test_labels_stay_with_their_pictures() -> None:
    marked = np.zeros((20, 4, 4, 1), np.uint8)
    marked[:, 0, 0, 0] = arrays()["y_train"]
    part = tiny(x_train=marked).subset(train=20, seed=3)
    assert (part.x_train[:, 0, 0, 0] == part.y_train).all()
    assert (part.y_train != arrays()["y_train"]).any()


def test_boxes_stay_with_their_pictures_and_are_in_the_fingerprint() -> None:
    marked = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((4, 4, 1), np.uint8)
    boxes = np.arange(20, dtype=np.int32)[:, None] * np.ones(4, np.int32)
    whole = tiny(x_train=marked, boxes_train=boxes)
    part = whole.subset(train=5, seed=1)
    assert part.boxes_train is not None and part.boxes_val is None
    assert (part.boxes_train[:, 0] == part.x_train[:, 0, 0, 0]).all()
    assert whole.fingerprint != tiny(x_train=marked).fingerprint
    assert whole.fingerprint != tiny(x_train=marked, boxes_train=boxes + 1).fingerprint


@given(train=st.integers(1, 20), val=st.integers(1, 10), seed=st.integers(0, 2**32 - 1))
def test_subset_sizes(train: int, val: int, seed: int) -> None:
    part = tiny().subset(train, val, seed)
    assert (len(part.x_train), len(part.y_train), len(part.x_val), len(part.y_val)) == (
        train,
        train,
        val,
        val,
    )


@pytest.mark.parametrize("count", [0, -1, 21])
def test_impossible_subsets(count: int) -> None:
    with pytest.raises(DataError, match="20 train pictures"):
        tiny().subset(train=count)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(DataError, match="did you mean 'mnist'"):
        datasets.load("minst")
    with pytest.raises(DataError, match=r"choose one of .*mnist"):
        datasets.where("zzz")
    with pytest.raises(DataError, match="auto, real, embedded"):
        datasets.load("mnist", "genuine")  # type: ignore[arg-type]
