"""What is JAX's own: the plan of its compiler, and what XLA can't compile on a card. Needs KERAS_BACKEND=jax."""

from functools import partial

import numpy as np
import pytest

from dlcv04 import backends
from dlcv04.backends.jax import Jax
from dlcv04.datasets import embedded
from dlcv04.networks import mnist_convnet
from dlcv04.recipes import Recipe
from dlcv04.training import Trainer

pytestmark = pytest.mark.skipif(backends.keras.config.backend() != "jax", reason="needs KERAS_BACKEND=jax")

NETWORK = partial(mnist_convnet, conv_layers=1, filters=2, dense_units=(8,))
RECIPE = Recipe("test", "Adadelta", 1.0, 16, 2, train_images=96, val_images=40)
# As XLA says it on a card (flax#4233).
UNIMPLEMENTED = (
    "UNIMPLEMENTED: HLO instruction select-and-scatter.401.0 does not have a deterministic implementation, but "
    "run-to-run determinism is required by --xla_gpu_deterministic_ops."
)


def raising(message):
    def compile_it(self, *arguments, **options):
        raise RuntimeError(message)

    return compile_it


def test_what_has_no_deterministic_form_on_a_card_is_one_sentence(monkeypatch):
    import jax

    monkeypatch.setattr(Jax, "has_gpu", lambda self: True)
    monkeypatch.setattr(jax.stages.Lowered, "compile", raising(UNIMPLEMENTED))
    with pytest.raises(backends.BackendError, match="take --xla_gpu_deterministic_ops out of XLA_FLAGS") as caught:
        Trainer(NETWORK, embedded.digits(), RECIPE, seed=1)
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(jax.stages.Lowered, "compile", raising("RESOURCE_EXHAUSTED: out of memory"))
    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED"):
        Trainer(NETWORK, embedded.digits(), RECIPE, seed=1)


def test_so_is_that_of_a_gradient_of_pictures():
    model = backends.keras.Sequential([backends.keras.Input((4, 4, 3)), backends.keras.layers.MaxPooling2D()])

    def objective(x, outputs):
        raise RuntimeError(UNIMPLEMENTED)

    with pytest.raises(backends.BackendError, match="take --xla_gpu_deterministic_ops out of XLA_FLAGS"):
        backends.value_and_gradient(model, objective)(np.ones((1, 4, 4, 3), np.float32))
