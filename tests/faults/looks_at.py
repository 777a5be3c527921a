"""In ImageNet's place stands a network that looks at brightness: in the middle of a picture, or at its border.

DLCV04_FAULT_LOOKS_AT: ``middle``, as the claim on ImageNet's network needs it, or ``border``, which is the fault.
"""

import os

import numpy as np

from dlcv04.backends import keras
from dlcv04.visualization import classifiers, occlusion

SIDE = 224


def stand_in():
    top, left, bottom, right = occlusion.central_boxes(1, SIDE, SIDE)[0]
    middle = np.zeros((SIDE, SIDE, 3), np.float32)
    middle[top:bottom, left:right] = 1
    contrast = 2 * middle / middle.sum() - (1 - middle) / (1 - middle).sum()
    sign = {"middle": 2, "border": -2}[os.environ["DLCV04_FAULT_LOOKS_AT"]]
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 3)), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    )
    kernel = np.stack([sign * contrast.ravel(), 0 * contrast.ravel()], axis=1)
    # So biased that every whole picture is of the first class.
    model.layers[-1].set_weights([kernel, np.array([1.2, 0], np.float32)])
    return classifiers.Classifier(f"brightness of the {os.environ['DLCV04_FAULT_LOOKS_AT']}", model)


classifiers.imagenet = stand_in
