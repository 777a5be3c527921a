"""The points of a t-SNE map are given back in another order than the pictures'."""

from dataclasses import replace

import numpy as np

from dlcv04.visualization import embedding

real = embedding.tsne


def faulty(pictures, seed=0, **settings):
    found = real(pictures, seed, **settings)
    return replace(found, points=np.random.RandomState(7).permutation(found.points))


embedding.tsne = faulty
