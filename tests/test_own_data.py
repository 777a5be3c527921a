"""Other people's data through the fixtures: several inputs and outputs, loaders, and what is refused in a sentence."""

import os
import subprocess
import sys

import numpy as np
import pytest

from dlcv04 import timed_call
from dlcv04.backends import keras
from dlcv04.harness.claims import own_training

NESTED = """
import keras
import numpy as np

from dlcv04 import Dataset, Recipe, claim, datasets, planted, reference_everywhere, timed_fit, trained

RECIPE = Recipe("nested", optimizer="SGD", learning_rate=0.1, batch_size=16, epochs=4)


def draw(rows, seed):
    random = np.random.RandomState(seed)
    kind = random.randint(0, 3, rows)
    picture = random.randint(0, 50, (rows, 4, 4, 1)).astype(np.uint8)
    picture[:, :, 0] += (60 * kind).astype(np.uint8)[:, None, None]
    weights = np.array([1, 2, 1])[kind]  # as class_weight
    return {"age": kind / 2 + random.rand(rows), "picture": picture}, {"kind": kind, "size": kind / 3}, weights


(x, y, w), (x_val, y_val, _) = draw(128, 0), draw(64, 1)
DATA = Dataset("nested", x, y, x_val, y_val, sample_weight_train=w)


def net(units=8):
    layers = keras.layers
    inputs = {"picture": keras.Input((4, 4, 1), name="picture"), "age": keras.Input((1,), name="age")}
    x = layers.Concatenate()([layers.Flatten()(inputs["picture"]), inputs["age"]])
    x = layers.Dense(units, "relu")(x)
    model = keras.Model(inputs, {"kind": layers.Dense(3, name="kind")(x), "size": layers.Dense(1, name="size")(x)})
    losses = {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"}
    model.compile(keras.optimizers.SGD(0.3), losses, metrics={"kind": ["accuracy"], "size": ["mae"]})
    return model


@claim("Shuffled targets teach less", control=planted("the same", lambda arm: net))
def test_permuted(learning, epoch_time, claim):
    epoch_time(fit=timed_fit(net, images=32), data=DATA, recipe=RECIPE, rounds=2)
    curves = learning(true=net, shuffled=trained(net, data=datasets.permuted_labels), data=DATA, recipe=RECIPE)
    claim.better(curves.true, than=curves.shuffled, by=0.05, of="val_kind_accuracy")


@claim("Answers are of one output", control=reference_everywhere("b"))
def test_answers(learning, claim):
    learning(a=net, b=net, data=DATA, recipe=RECIPE, answers=True)
"""


def test_several_inputs_and_outputs_are_learnt_timed_and_described(tmp_path):
    (tmp_path / "test_mine.py").write_text(NESTED)
    command = [sys.executable, "-m", "pytest", "test_mine.py", "--dl-workers=0", "-q"]
    environment = {name: value for name, value in os.environ.items() if name != "DLCV04_DATA"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "Dataset 'nested' has several outputs, and no classes" in done.stdout


ROWS = 48
X = np.random.RandomState(0).rand(ROWS, 3).astype(np.float32)
Y = X @ np.array([[1.0], [2.0], [-1.0]], np.float32)


def model(seed):
    keras.utils.set_random_seed(seed)
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse", metrics=["mae"])
    return made


def tf_data(seed):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(ROWS, seed=seed).batch(16)


class OwnPyDataset(keras.utils.PyDataset):
    def __init__(self, seed):
        super().__init__()
        self.order = np.random.RandomState(seed).permutation(ROWS)

    def __len__(self):
        return ROWS // 16

    def __getitem__(self, number):
        rows = self.order[16 * number : 16 * number + 16]
        return X[rows], Y[rows]


class DataLoader:
    """As PyTorch's: it gives batches, again and again, in another order each time."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)

    def __len__(self):
        return ROWS // 16

    def __iter__(self):
        for rows in self.random.permutation(ROWS).reshape(-1, 16):
            yield X[rows], Y[rows]


@pytest.mark.parametrize("loader", [tf_data, OwnPyDataset])
def test_fit_on_a_loader_is_an_arm_that_learns_and_one_that_is_timed(loader):
    def train(seed):
        return model(seed).fit(loader(seed), validation_data=(X, Y), epochs=3, shuffle=False, verbose=0)

    epochs = own_training.curve("mine", train, 1).epochs
    assert len(epochs) == 3 and epochs[2].val_loss < epochs[0].val_loss and epochs[2].metrics["val_mae"] > 0
    timed, data = model(1), loader(1)
    arm = timed_call(lambda: timed.fit(data, shuffle=False, verbose=0), barrier=keras.config.backend(), batch_size=ROWS)
    arm.run_steps(2)
    arm.barrier()
    assert int(timed.optimizer.iterations) == 2 * ROWS // 16


def test_a_loop_over_a_data_loader_is_an_arm_that_learns_and_one_that_is_timed():
    def train(seed):
        made, data = model(seed), DataLoader(seed)
        for _ in range(3):
            for x, y in data:
                made.train_on_batch(x, y)
            yield dict(zip(["val_loss", "val_mae"], made.test_on_batch(X, Y), strict=True))

    epochs = own_training.curve("mine", train, 1).epochs
    assert len(epochs) == 3 and epochs[2].val_loss < epochs[0].val_loss
    timed, batches = model(1), []
    arm = timed_call(
        lambda: timed.train_on_batch(*next(batches[-1])),
        setup=lambda: batches.append(iter(DataLoader(1))),
        batch_size=16,
    )
    for _ in range(2):
        arm.prepare()
        arm.run_steps(3)
    assert int(timed.optimizer.iterations) == 6


GIVEN = {
    "a loader": "Loader()",
    "arrays": "([1], [2])",
    "nothing that is known": "7",
}
REFUSED = """
import pytest
from dlcv04 import claim, reference_everywhere, trained


class Loader:
    def __iter__(self):
        return iter([])


@pytest.fixture
def dataset():
    return GIVEN


def net(): ...


@claim("a", control=reference_everywhere("a"))
def test_data_of_learning(learning, claim):
    learning(a=net, data=GIVEN)


@claim("b", control=reference_everywhere("a"))
def test_data_of_times(epoch_time, claim):
    epoch_time(a=net, data=GIVEN)


@claim("c", control=reference_everywhere("a"))
def test_the_fixture(epoch_time, claim):
    epoch_time(a=net)
"""


@pytest.mark.parametrize("given", GIVEN)
def test_what_is_no_data_set_is_one_sentence_that_says_what_to_write(suite, given):
    folder = suite(REFUSED.replace("GIVEN", GIVEN[given]))
    done = folder.runpytest("bench")
    done.assert_outcomes(failed=3)
    wanted = "{} must be a dlcv04.Dataset, not *: arrays go into one, as *trained_by(function)*timed_call*"
    done.stdout.fnmatch_lines([wanted.format("data="), wanted.format("The fixture `dataset`")])
