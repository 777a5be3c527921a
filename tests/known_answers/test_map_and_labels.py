"""A t-SNE map is made of pictures alone: other labels on the same pictures leave every point where it was.

Asked at the doors that see both, the command and the fixture of the bench, on a data set in place of MNIST.
"""

import importlib
import inspect
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dlcv04 import Dataset, datasets
from dlcv04.visualization import embedding
from tests.commands.asking import Command

IMAGES = 100  # a third of which is t-SNE's perplexity, or more


def noise(labels):
    """Pictures that look alike, so that a label among the pixels would be the clearest difference."""
    pictures = np.random.RandomState(0).randint(100, 140, (IMAGES + 1, 5, 5, 1)).astype(np.uint8)
    labels = np.asarray(labels, np.int32)
    return Dataset("mnist", pictures[:-1], labels, pictures[-1:], labels[-1:], 10)


def points(labels, folder, monkeypatch):
    """The map that the command draws of these labels' data set."""
    drawn, real = [], embedding.draw

    def seen(shown, *arguments, **settings):
        drawn.append(shown.points)
        return real(shown, *arguments, **settings)

    with monkeypatch.context() as patched:
        patched.setattr(datasets, "load", lambda *arguments, **settings: noise(labels))
        patched.setattr(embedding, "draw", seen)
        Command("tsne")("mnist", "--images", IMAGES, "--perplexity", 10, "--out", folder / "map.png")
    (found,) = drawn
    return found


def check(folder, monkeypatch):
    labels = np.arange(IMAGES) % 10
    expected = points(labels, folder, monkeypatch)
    assert expected.shape == (IMAGES, 2)
    for others in (np.random.RandomState(1).permutation(labels), np.zeros(IMAGES)):
        np.testing.assert_array_equal(points(others, folder, monkeypatch), expected)


def test_other_labels_leave_the_map_as_it_is(tmp_path, monkeypatch):
    check(tmp_path, monkeypatch)


def check_bench(monkeypatch):
    """The same of the map that the bench judges."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "bench")
    task3 = importlib.import_module("test_task3_visualization")
    request = SimpleNamespace(config=SimpleNamespace(getoption=lambda name: "smoke"))
    labels = np.arange(IMAGES) % 10
    maps = []
    for given in (labels, np.random.RandomState(1).permutation(labels)):
        chosen, found = inspect.unwrap(task3.mapped)(noise(given), request)(0)
        assert len(chosen.y_train) == IMAGES
        maps.append(found.points)
    np.testing.assert_array_equal(*maps)


def test_other_labels_leave_the_benchs_map_as_it_is(monkeypatch):
    check_bench(monkeypatch)


# -- planted faults ----------------------------------------------------------------------------------------------------


def marked(dataset):
    """The label is the picture's last pixel."""
    pictures = dataset.x_train.copy()
    pictures[:, -1, -1, 0] = 25 * dataset.y_train
    return replace(dataset, x_train=pictures)


def sorted_by_label(dataset):
    order = np.argsort(dataset.y_train, kind="stable")
    return replace(dataset, x_train=dataset.x_train[order], y_train=dataset.y_train[order])


@pytest.mark.parametrize("fault", [marked, sorted_by_label])
def test_pictures_that_depend_on_labels_are_seen(fault, tmp_path, monkeypatch):
    real = Dataset.subset
    monkeypatch.setattr(Dataset, "subset", lambda self, *args, **settings: fault(real(self, *args, **settings)))
    with pytest.raises(AssertionError):
        check(tmp_path, monkeypatch)
    with pytest.raises(AssertionError):
        check_bench(monkeypatch)


def test_a_label_appended_to_the_pixels_is_seen(tmp_path, monkeypatch):
    """As a further column of what the map is made of."""
    subset, real, drawn = Dataset.subset, embedding.tsne, []

    def chosen(self, *arguments, **settings):
        drawn.append(subset(self, *arguments, **settings))
        return drawn[-1]

    def faulty(pictures, seed=0, **settings):
        rows = np.column_stack([embedding.features(pictures), drawn[-1].y_train])
        return real(rows, seed, **settings)

    monkeypatch.setattr(Dataset, "subset", chosen)
    monkeypatch.setattr(embedding, "tsne", faulty)
    with pytest.raises(AssertionError):
        check(tmp_path, monkeypatch)
