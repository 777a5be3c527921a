"""Terrassa's stand-in: frozen, the same views at any size, boxes around the buildings, too hard for a linear model."""

import dataclasses
import time

import numpy as np
import pytest

from dlcv04.datasets import DataError, drawn_buildings
from dlcv04.datasets.drawn_buildings import CLASS_NAMES, UNKNOWN
from dlcv04.datasets.facades import KNOWN
from tests.datasets import frozen


@pytest.mark.parametrize("size", [32, 64])
def test_it_is_frozen(size: int) -> None:
    assert drawn_buildings.buildings(size).fingerprint == frozen.BUILDINGS[size]


def test_shapes_names_and_balance() -> None:
    dataset = drawn_buildings.buildings(32)
    assert dataset.x_train.shape == (450, 32, 32, 3)
    assert dataset.x_val.shape == (180, 32, 32, 3)
    assert dataset.class_names == CLASS_NAMES == tuple(sorted([*KNOWN, UNKNOWN]))
    unknown = CLASS_NAMES.index(UNKNOWN)
    for labels, each, rest in ((dataset.y_train, 35, 30), (dataset.y_val, 14, 12)):
        assert np.bincount(labels).tolist() == [rest if label == unknown else each for label in range(13)]
    assert f"generator {drawn_buildings.VERSION}, seed {drawn_buildings.SEED}" in dataset.provenance


def test_buildings_differ_in_geometry_and_share_colours() -> None:
    shapes = [dataclasses.replace(one, wall="", roof="", trim="") for one in KNOWN.values()]
    assert len(set(shapes)) == 12
    walls = [one.wall for one in KNOWN.values()]
    assert min(walls.count(wall) for wall in walls) >= 1
    assert sum(walls.count(wall) > 1 for wall in walls) >= 10


def test_any_size_shows_the_same_views() -> None:
    small, large = (drawn_buildings.draw(size, noise=0.0) for size in (32, 64))
    halved = large.x_val.reshape(180, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    difference = np.abs(halved - small.x_val).mean(axis=(1, 2, 3))
    assert np.median(difference) < 5
    assert (small.y_val == large.y_val).all()
    assert np.abs(large.boxes_val - 2 * small.boxes_val).max() <= 4


@pytest.mark.parametrize("size", [15, 225, 0, -1])
def test_impossible_sizes(size: int) -> None:
    with pytest.raises(DataError, match="16 to 224"):
        drawn_buildings.draw(size)


def test_the_largest_size(monkeypatch) -> None:
    monkeypatch.setattr(drawn_buildings, "_SPLITS", ((1, 1), (1, 1)))
    dataset = drawn_buildings.draw(224)
    assert dataset.x_train.shape == (13, 224, 224, 3)


def test_boxes_lie_inside_and_hold_the_building() -> None:
    dataset = drawn_buildings.buildings(64)
    for boxes in (dataset.boxes_train, dataset.boxes_val):
        assert boxes is not None
        top, left, bottom, right = boxes.T
        assert (top >= 0).all() and (top < bottom).all() and (bottom <= 64).all()
        assert (left >= 0).all() and (left < right).all() and (right <= 64).all()
        share = (bottom - top) * (right - left) / 64**2
        assert 0.15 < np.median(share) < 0.85
        assert share.min() > 0.04


def test_without_difficulty_what_is_outside_the_box_does_not_depend_on_the_building() -> None:
    """Sky and ground beside the facade are the same drawing for all; the facade is not."""
    dataset = drawn_buildings.draw(48, difficulty=0.0, noise=0.0)
    assert dataset.boxes_train is not None
    inside, outside = [], []
    for picture, (top, left, bottom, right) in zip(dataset.x_train, dataset.boxes_train, strict=True):
        mask = np.zeros((48, 48), bool)
        mask[top:bottom, left:right] = True
        inside.append(picture[mask].std())
        outside.append(picture[~mask].std() if not mask.all() else np.nan)
    assert np.nanmedian(inside) > 40
    assert np.nanmedian(outside) < np.nanmedian(inside)


def test_unknown_buildings_are_ever_new() -> None:
    dataset = drawn_buildings.draw(32, difficulty=0.0, noise=0.0)

    def spread(label: int) -> float:
        return dataset.x_train[dataset.y_train == label].astype(float).std(axis=0).mean()

    unknown = CLASS_NAMES.index(UNKNOWN)
    assert spread(unknown) > 1.5 * max(spread(label) for label in range(13) if label != unknown)


def test_settings_are_named_and_seeds_differ(monkeypatch) -> None:
    monkeypatch.setattr(drawn_buildings, "_SPLITS", ((2, 2), (1, 1)))
    made = [
        drawn_buildings.draw(32),
        drawn_buildings.draw(32, difficulty=0.2),
        drawn_buildings.draw(32, noise=3.0),
        drawn_buildings.draw(32, seed=1),
    ]
    assert len({data.fingerprint for data in made}) == 4
    assert "changed" not in made[0].provenance
    assert "difficulty 0.2" in made[1].provenance and "seed 1" in made[3].provenance


def test_linear_models_find_something_but_not_enough() -> None:
    from sklearn.linear_model import RidgeClassifier

    dataset = drawn_buildings.buildings(32)
    x_train, x_val = (x.reshape(len(x), -1) / 255.0 for x in (dataset.x_train, dataset.x_val))
    models = [RidgeClassifier(alpha=alpha) for alpha in (10, 100, 300, 1000)]
    scores = [model.fit(x_train, dataset.y_train).score(x_val, dataset.y_val) for model in models]
    assert min(scores) > 0.1
    assert max(scores) < 0.60, scores


def test_it_is_quick() -> None:
    start = time.process_time()
    drawn_buildings.draw(64)
    assert time.process_time() - start < 8
