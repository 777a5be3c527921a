"""In a batch each picture is given the probabilities of the one before it."""

import numpy as np

from dlcv04.visualization.classifiers import Classifier

real = Classifier.probabilities


def faulty(self, pictures):
    return np.roll(real(self, pictures), 1, axis=0)


Classifier.probabilities = faulty
