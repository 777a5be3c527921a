"""Stock `model.fit`, to compare with."""

import time
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dlcv04 import backends, seeding
from dlcv04.backends import keras
from dlcv04.datasets import Dataset, trees
from dlcv04.networks import describe
from dlcv04.recipes import Recipe
from dlcv04.seeding import TrainingError


class FitTrainer:
    """Steps through stock ``model.fit`` on arrays, to compare with: its host pipeline makes it noisy.

    Args:
        network: as for `Trainer`.
        dataset: as for `Trainer`.
        recipe: optimiser, loss, batch size.
        images: training pictures of one call of ``fit``; more steps than they hold take several calls.
        seed: 0..2**32-1.

    Raises:
        TrainingError: the network does not fit the data, `images` is not one batch or more than there are, or the
            recipe has an augmentation.
    """

    noisy: ClassVar[bool] = True

    def __init__(self, network: Any, dataset: Dataset, recipe: Recipe, images: int, *, seed: int = 0) -> None:
        if not recipe.batch_size <= images <= dataset.images("train"):
            raise TrainingError(
                f"images must lie between one batch ({recipe.batch_size}) and the data set's "
                f"{dataset.images('train')} training pictures, not {images}."
            )
        if recipe.augmentation:
            raise TrainingError(f"Keras's fit is timed without augmentation; recipe {recipe.name!r} has one.")
        self.network, self.dataset, self.recipe, self.seed = describe(network), dataset, recipe, seed
        data = dataset.subset(train=images, seed=seed)
        drawn = seeding.build(seeding.as_factory(network), dataset, recipe, seed)
        x, *others = drawn.given(data, "train")
        self._images, self._data = images, (trees.mapped(_as_floats, "", x), *others)
        self.model: keras.Model = drawn.model
        self.optimizer_config: dict[str, Any] = keras.saving.serialize_keras_object(self.model.optimizer)["config"]
        start = time.perf_counter()
        self.run_steps(1)
        self.barrier()
        self.compile_seconds = time.perf_counter() - start

    @property
    def images_per_step(self) -> int:
        """Pictures of one training step."""
        return self.recipe.batch_size

    def prepare(self) -> None:
        """Nothing: a round goes on where the last one ended."""

    def run_steps(self, count: int) -> None:
        """`count` steps, in as few calls of ``fit`` as the pictures allow."""
        held = self._images // self.recipe.batch_size
        while count > 0:
            images = min(count, held) * self.recipe.batch_size
            x, y, *weights = trees.rows(self._data, slice(images))
            self.model.fit(
                x,
                y,
                sample_weight=weights[0] if weights else None,
                batch_size=self.recipe.batch_size,
                epochs=1,
                verbose=0,
                shuffle=True,
            )
            count -= held

    def barrier(self) -> None:
        """Wait until every step so far is done."""
        backends.barrier()


def _as_floats(name: str, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return x.astype(np.float32) / 255 if x.dtype == np.uint8 else x
