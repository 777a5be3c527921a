"""Claims about the models in `progression`: an error by its name, where less is better, and an exact figure."""

import keras
import progression

from dlcv04 import claim, planted, reference_everywhere


@claim("The measurements tell more than the mean", control=reference_everywhere("mean"))
def test_columns_help(learning, claim):
    """By a tenth of the targets' deviation; the mean over all epochs, paired by seed."""
    curves = learning(mean=progression.mean, linear=progression.linear)
    claim.better(curves.linear, than=curves.mean, by=0.10, of="val_mae")


def one_unit_more(network):
    """The model with one output more."""
    return lambda: keras.Sequential([keras.Input((10,)), keras.layers.Dense(2)])


@claim("The linear model has eleven parameters", control=planted("one output more", one_unit_more))
def test_eleven_parameters(footprints, claim):
    """A weight a column and a bias."""
    sizes = footprints(linear=progression.linear)
    claim.exactly(sizes.linear.parameters, 11, of="linear")
