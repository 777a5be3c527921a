"""Dataset: what it refuses, how its subsets are drawn, what its fingerprint sees."""

import copy
import subprocess
import sys
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


def two_of(rows: int, seed: int = 0) -> dict[str, Any]:
    random = np.random.RandomState(seed)
    return {"picture": random.randint(0, 256, (rows, 4, 4, 1)).astype(np.uint8), "age": random.rand(rows)}


def nested(**changes: Any) -> Dataset:
    x = [two_of(20), two_of(10, 1)]
    y = [(labels, labels / 7) for labels in LABELS]
    given = {"x_train": x[0], "x_val": x[1], "y_train": y[0], "y_val": y[1], "classes": 0}
    weights = {"sample_weight_train": np.arange(20), "sample_weight_val": np.ones(10)}
    return tiny(**given | weights | changes)


def test_several_inputs_outputs_and_sample_weights_stay_together() -> None:
    found = nested()
    assert found.x_train["picture"].dtype == np.uint8 and found.x_train["age"].dtype == np.float32
    assert [y.dtype for y in found.y_val] == [np.int32, np.float32] and found.classes == 0
    assert found.sample_weight_train.dtype == np.float32
    assert (found.images("train"), found.images("val")) == (20, 10) and "20+10 of 1, 4x4x1" in repr(found)
    part = found.subset(train=5, val=3, seed=1)
    rows = part.sample_weight_train.astype(int)
    assert (part.x_train["age"] == found.x_train["age"][rows]).all() and (part.y_train[0] == LABELS[0][rows]).all()
    assert (part.x_train["picture"] == found.x_train["picture"][rows]).all() and len(part.sample_weight_val) == 3
    with pytest.raises(ValueError, match="read-only"):
        found.x_train["age"][0] = 0


@pytest.mark.parametrize("label", ["x_train", "y_train", "sample_weight_train"])
def test_the_fingerprint_sees_each_part(label: str) -> None:
    whole = {"x_train": two_of(20), "y_train": (LABELS[0], LABELS[0] / 7), "sample_weight_train": np.arange(20)}
    assert nested(**whole).fingerprint == nested().fingerprint
    changed = copy.deepcopy(whole[label])
    part = {"x_train": lambda: changed["age"], "y_train": lambda: changed[1], "sample_weight_train": lambda: changed}
    part[label]()[3] += 1
    assert nested(**{label: changed}).fingerprint != nested().fingerprint
    assert nested(sample_weight_train=None).fingerprint != nested().fingerprint


def test_names_and_not_their_order_tell_inputs_apart() -> None:
    x = [dict(reversed(two_of(20).items())), two_of(10, 1)]
    assert nested(x_train=x[0]).fingerprint == nested().fingerprint
    renamed = [{"picture": each["picture"], "years": each["age"]} for each in x]
    assert nested(x_train=renamed[0], x_val=renamed[1]).fingerprint != nested().fingerprint


class Loader:
    """As tf.data, PyDataset and DataLoader: it can be gone through, and is no array."""

    def __iter__(self) -> Any:
        return iter([])

    def __getitem__(self, number: int) -> Any:
        raise IndexError


class Sparse:
    """As SciPy's."""

    shape = (20, 3)

    def toarray(self) -> Any: ...


class Ragged(Loader):
    """As TensorFlow's."""

    def to_tensor(self) -> Any: ...


RAGGED = [np.arange(3.0), np.arange(5.0)] * 10


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x_train": Loader()}, r"x_train is not an array but Loader: .*trained_by\(function\).*model\.fit\(loader\)"),
        ({"x_train": Sparse()}, r"not Sparse: hand in x_train\.toarray\(\)"),
        ({"x_train": {"words": Sparse()}}, r"hand in x_train\['words'\]\.toarray\(\)"),
        ({"x_train": Ragged()}, r"not Ragged: hand in x_train\.to_tensor\(\)"),
        ({"x_train": [[1, 2], [3]] * 10}, r"rows of different lengths: .*pad_sequences\(x_train"),
        ({"x_train": np.array(RAGGED, dtype=object)}, r"rows of different lengths: .*pad_sequences\(x_train"),
        ({"x_train": {"words": np.array(RAGGED, dtype=object)}}, r"pad_sequences\(x_train\['words'\]"),
        ({"x_train": RAGGED}, r"x_train\[0\] has 3 rows and x_train\[1\] 5; .* np\.stack"),
        ({"x_train": [np.zeros((5, 2))] * 20}, r"x_train\[0\] has 5 rows and y_train\[0\] 20"),
        ({"x_train": {}}, "x_train is empty"),
        ({"y_train": {}, "y_val": {}}, "y_train is empty"),
        ({"x_train": {"a": np.zeros(20, [("b", "f4")])}}, r"columns: .* for each in x_train\['a'\]\.dtype\.names"),
        ({"x_train": {"a": np.full((20, 2), "a")}}, r"x_train\['a'\]\.astype\('float32'\).*StringLookup"),
        ({"x_train": {"a": np.full((20, 2), np.nan)}}, r"np\.nan_to_num\(x_train\['a'\]\)"),
        ({"x_train": np.ma.masked_array(np.zeros((20, 2)))}, r"x_train\.filled\(0\)"),
        ({"x_train": two_of(19)}, r"x_train\['age'\] has 19 rows and y_train\[0\] 20"),
        ({"x_val": two_of(10)["picture"]}, r"\['age'\] \(\), \['picture'\] \(4, 4, 1\) .* must be alike"),
        ({"y_val": LABELS[1]}, "training targets are .* must be alike"),
        ({"y_train": ([1, 2], LABELS[0])}, r"y_train\[0\] must be a NumPy array, not list"),
        ({"y_train": (np.full(20, "a"), LABELS[0])}, r"y_train\[0\] has texts: .*return_inverse"),
        ({"y_train": (np.full(20, 2**40), LABELS[0])}, r"y_train\[0\] has values that int32 does not hold"),
        ({"classes": 3}, "`classes` is for one output"),
        ({"sample_weight_train": [1, 2]}, r"sample_weight_train must be a NumPy array, not list"),
        ({"sample_weight_train": np.full(20, np.inf)}, "sample_weight_train is float64 .* a finite number a row"),
        ({"sample_weight_train": np.ones(19)}, r"has 20 rows and sample_weight_train 19"),
    ],
)
def test_what_no_training_takes_is_one_sentence(changes: dict, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as caught:
        nested(**changes)
    assert "\n" not in str(caught.value)


def test_one_array_of_pictures_is_asked_for_in_one_sentence() -> None:
    with pytest.raises(DataError, match=r"several inputs \(\['age'\] \(\), \['picture'\] \(4, 4, 1\)\) where one"):
        _ = nested().input_shape
    with pytest.raises(DataError, match="several outputs, and no classes"):
        nested().labels("val")


def test_a_column_of_values_stays_one() -> None:
    """A loss of one's own, `mean(square(y_pred - y))`, would make a square of (n, 1) and (n,), and `fit` does not."""
    values = [labels[:, None] / 7 for labels in LABELS]
    assert tiny(y_train=values[0], y_val=values[1], classes=0).y_train.shape == (20, 1)
    assert tiny(y_train=values[0] * 0 + 1, y_val=values[1], classes=0).classes == 0


def test_permuted_labels_of_several_outputs_go_together() -> None:
    permuted = datasets.permuted_labels(nested(), 3)
    assert (permuted.y_train[0] != LABELS[0]).any() and len(permuted.y_val[1]) == 10
    assert np.allclose(permuted.y_train[0] / 7, permuted.y_train[1])


FAULTY = """
import numpy as np
import dlcv04.faults.{fault}
from dlcv04 import Dataset

y = {{"kind": np.arange(40) % 3, "size": np.arange(40) / 7}}
val = {{"kind": np.arange(30) % 3, "size": -np.arange(30) / 7}}
x = {{"a": np.arange(40.0)}}, {{"a": -np.arange(30.0)}}
given = Dataset("mine", x[0], y, x[1], val)
found = given.subset()
{holds}
"""


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        ("shuffled_labels", "assert 2 < (found.y_train['size'] != given.y_train['size']).sum() < 16"),
        ("leaking_validation", "assert (found.x_train['a'][30:] == given.x_val['a'][:10]).all()"),
    ],
)
def test_faults_are_planted_into_several_inputs_and_values_too(fault: str, holds: str) -> None:
    subprocess.run([sys.executable, "-c", FAULTY.format(fault=fault, holds=holds)], check=True)


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
