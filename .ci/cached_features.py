"""How much faster a head trains on features computed once than with every picture through VGG16 at each epoch.

Usage: cached_features.py FOLDER [weights]     FOLDER as for `dlcv04 finetune`; weights hed unless given

The slow side is trained for 2 epochs; its faster training pass alone is counted, evaluations left out, and taken 350
times for 350 epochs as in 2016: an extrapolation. The fast side is trained whole, reading its features from disk
included. Both have one tap, one head and one seed, and their first two epochs are compared. Exit 1 if it is less than
100 times faster, or if the results differ.
"""

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

from dlcv04.bases import Tap, vgg16_base
from dlcv04.datasets import folders
from dlcv04.features import Scaling, compute_features
from dlcv04.recipes import head_recipe
from dlcv04.transfer import Head, fine_tune, train_head

TAP, HEAD, SEED = Tap("block5_conv3", "avg"), Head(), 0
BAR, TOLERANCE = 100, 2e-3  # times; of losses, since rounding differs between batches of 16 and of 32 pictures


def main():
    """Measure, print, and compare with the bar."""
    folder, weights = Path(sys.argv[1]), (sys.argv[2:] or ["hed"])[0]
    data = folders.read_either_layout(folder, 224).dataset
    base = vgg16_base(weights)
    whole = head_recipe("paper")
    short = dataclasses.replace(whole, epochs=2)

    start = time.perf_counter()
    features = compute_features(base, data, [TAP])[TAP]
    print(f"features of {len(data.x_train)} + {len(data.x_val)} pictures: {time.perf_counter() - start:.1f} s")

    start = time.perf_counter()
    tuned = train_head(compute_features(base, data, [TAP])[TAP], whole, SEED, head=HEAD)
    fast = time.perf_counter() - start
    print(f"fast: {whole.epochs} epochs on features read from disk: {fast:.1f} s, accuracy {tuned.accuracy:.3f}")

    scaling = Scaling.of(features.x_train)
    slow = fine_tune(base, data, short, SEED, tap=TAP, train_from="head", head=HEAD, scaling=scaling)
    seconds = [epoch.train_seconds for epoch in slow.run.epochs]
    epoch = min(seconds)
    print(f"slow: training passes of {seconds[0]:.1f} and {seconds[1]:.1f} s; {whole.epochs} of the faster one would")
    print(f"      take {whole.epochs * epoch / 3600:.1f} h: {whole.epochs * epoch / fast:,.0f} times as long")

    same = train_head(features, short, SEED, head=HEAD)
    curves = [np.array([dataclasses.astuple(one)[1:] for one in run.epochs]) for run in (same.run, slow.run)]
    apart = np.abs(curves[0] - curves[1]).max()
    print(
        f"the first 2 epochs: figures at most {apart:.1e} apart, accuracy {same.accuracy:.4f} and {slow.accuracy:.4f}"
    )
    differing = int(np.sum(np.array(same.predicted) != np.array(slow.predicted)))
    print(f"classes given to {len(data.y_val)} validation pictures: {differing} differ")
    return int(whole.epochs * epoch / fast < BAR or apart > TOLERANCE or differing > 0)


if __name__ == "__main__":
    sys.exit(main())
