"""Any training as an arm: its epochs in every form, and what is no epoch is one sentence."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcv04.harness.claims.claim import ClaimError
from dlcv04.harness.claims.own_training import curve

NUMBERS = st.floats(-1e6, 1e6)
NAMES = st.sampled_from(["loss", "accuracy", "val_loss", "val_accuracy", "mae", "val_mae", "f1"])
EPOCHS = st.integers(1, 4).flatmap(
    lambda count: st.dictionaries(NAMES, st.lists(NUMBERS, min_size=count, max_size=count), min_size=1)
)


@given(EPOCHS, st.integers(0, 2**32 - 1))
def test_every_form_gives_the_same_curve(columns, seed):
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    forms = [
        columns,
        {name: np.array(values) for name, values in columns.items()},
        SimpleNamespace(history=columns),
        rows,
        iter(rows),
    ]
    found = [curve("net", lambda given, form=form: form, seed) for form in forms]
    assert {one.seed for one in found} == {seed} and {one.status for one in found} == {"ok"}
    for one in found:
        assert len(one.epochs) == len(rows)
        for epoch, row in zip(one.epochs, rows, strict=True):
            assert {name: epoch.named(name) for name in row} == row


def test_epochs_that_are_yielded_are_timed():
    def training(seed):
        yield {"val_loss": seed}

    assert curve("net", training, 3).epochs[0].train_seconds > 0


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_curve(loss):
    found = curve("net", lambda seed: {"val_loss": [1.0, loss, 0.5]}, 0)
    assert found.status == "diverged" and len(found.epochs) == 1 and "val loss" in found.reason
    assert "epoch 2" in found.reason


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "gave None: yield or return"),
        ([], "gave no epoch"),
        ({}, "gave no epoch"),
        ([0.5], "gave 0.5 for an epoch"),
        ({"loss": [1.0], "val_loss": [1.0, 2.0]}, r"unequal lengths \(loss 1, val_loss 2\)"),
        ([{"loss": "low"}], "'loss' = 'low', which is not a number"),
    ],
)
def test_what_is_no_epoch_is_one_sentence(given, sentence):
    with pytest.raises(ClaimError, match=sentence):
        curve("net", lambda seed: given, 0)


CLAIMS = """
import random
from dlcv04 import claim, reference_everywhere, trained_by

def regression(noise):
    def train(seed):
        draw = random.Random(f"{seed}{noise}")
        for epoch in range(1, 4):
            yield {"loss": 1 / epoch, "val_loss": 2 / epoch, "val_mae": noise / epoch + draw.gauss(0, 0.01)}
    return train

@claim("Less noise, less error", control=reference_everywhere("noisy"))
def test_it(learning, claim):
    curves = learning(clean=trained_by(regression(0.5)), noisy=trained_by(regression(1.0)))
    claim.better(curves.clean, than=curves.noisy, by=0.05, of="val_mae")
    claim.reaches_sooner(curves.clean, than=curves.noisy, target=0.4, by=1.2, of="val_mae")

@claim("It has no accuracy", control=reference_everywhere("noisy"))
def test_accuracy(learning, claim):
    claim.at_least(learning(noisy=trained_by(regression(1.0))).noisy, 0.5)

@claim("Nobody knows which way", control=reference_everywhere("noisy"))
def test_direction(learning, claim):
    claim.at_least(learning(noisy=trained_by(regression(1.0))).noisy, 0.5, of="val_wobble")
"""


def test_a_regression_trained_by_a_function_is_judged_gated_and_judged_again(pytester):
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(test_it=CLAIMS)
    pytester.mkdir("runs")
    options = ["--dl-report-dir=reports", "-p", "no:cacheprovider"]
    result = pytester.runpytest_subprocess("--dl-controls", "--benchmark-json=runs/run.json", *options)
    result.stdout.fnmatch_lines_random([
        "HOLDS*Less noise, less error*",
        "*No curve of 'noisy' has a number for final validation accuracy: compile its model*give it with each epoch*",
        "*'val_wobble' does not say which way is better*",
        "*1 of 1 control broke its claim*",
    ])  # fmt: skip
    again = pytester.runpython_c(
        "import sys; sys.argv[1:] = ['judge', 'runs/run.json']\nfrom dlcv04.cli import main\nmain()"
    )
    again.stdout.fnmatch_lines(["HOLDS*Less noise, less error*"])


#: Figure, `of=` where it is not the usual one, value, and whether it is refused.
FIGURES = [
    ("val_accuracy", "", 91.3, True),
    ("val_acc", ", of='val_acc'", 91.3, True),
    ("accuracy", ", of='accuracy'", -0.2, True),
    ("top_5_accuracy", ", of='top_5_accuracy'", 1.3, True),
    ("val_accuracy", "", 1.0000001, False),
    ("val_f1", ", of='val_f1'", 91.3, False),
]
ONE_FIGURE = """
@claim("Claim {number}", control=reference_everywhere("net"))
def test_{number}(learning, claim):
    net = learning(net=trained_by(lambda seed: [{{"{figure}": {value} - seed * 1e-9}}])).net
    claim.at_least(net, 0.05{of})
"""


def test_an_accuracy_that_is_no_share_is_refused(pytester):
    """In per cent, each margin in points would be met a hundredfold: HOLDS by 9,000 points."""
    pytester.makeini("[pytest]\n")
    claims = [
        ONE_FIGURE.format(number=number, figure=figure, of=of, value=value)
        for number, (figure, of, value, _) in enumerate(FIGURES)
    ]
    pytester.makepyfile(test_it="from dlcv04 import claim, reference_everywhere, trained_by\n" + "".join(claims))
    result = pytester.runpytest_subprocess("--dl-report-dir=reports", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines_random([
        f"*{figure} of 'net' is {value:g} in epoch 1 of seed *: an accuracy is a share from 0 to 1.*"
        if refused
        else f"HOLDS*Claim {number} *"
        for number, (figure, _, value, refused) in enumerate(FIGURES)
    ])  # fmt: skip
    result.assert_outcomes(failed=4, passed=2)
    assert result.ret == 1
