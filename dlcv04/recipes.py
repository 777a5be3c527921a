"""The training recipes of the seed as frozen values, and the sizes at which each profile runs them."""

import math
from dataclasses import dataclass, field
from typing import Any

from dlcv04.backend import keras  # through backend, which quietens the framework's start first


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: what reports call it.
        optimizer: a Keras optimiser's class name, such as ``"Adadelta"``.
        learning_rate: its rate; always explicit, since Keras's default for Adadelta (0.001) does not learn here.
        batch_size: pictures a step; the pictures of an epoch that do not fill a last batch are left out of it.
        epochs: passes over the training pictures.
        loss: name of a Keras loss that takes whole-number labels and class probabilities.
        train_images: at most so many training pictures, drawn anew by each seed; None takes all.
        val_images: at most so many validation pictures, the same for all seeds; None takes all.
        optimizer_options: further arguments of the optimiser, as (name, value) pairs.

    Raises:
        RecipeError: a field is out of range.

    Examples:
        >>> recipe = Recipe("mine", optimizer="SGD", learning_rate=0.1, batch_size=64, epochs=3, train_images=1024)
        >>> recipe.loss
        'sparse_categorical_crossentropy'
    """

    name: str
    optimizer: str
    learning_rate: float
    batch_size: int
    epochs: int
    loss: str = "sparse_categorical_crossentropy"
    train_images: int | None = None
    val_images: int | None = None
    optimizer_options: tuple[tuple[str, Any], ...] = field(default=())

    def __post_init__(self) -> None:
        """Check every field that can be checked without Keras."""
        for label in ("name", "optimizer", "loss"):
            value = getattr(self, label)
            if not isinstance(value, str) or not value:
                raise RecipeError(f"A recipe's {label} must be a name, not {value!r}.")
        rate = self.learning_rate
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not math.isfinite(rate) or rate <= 0:
            raise RecipeError(f"Recipe {self.name!r}: learning_rate must be a positive number, not {rate!r}.")
        for label in ("batch_size", "epochs"):
            _require_count(f"Recipe {self.name!r}: {label}", getattr(self, label))
        for label in ("train_images", "val_images"):
            if getattr(self, label) is not None:
                _require_count(f"Recipe {self.name!r}: {label}", getattr(self, label))
        if self.train_images is not None and self.train_images < self.batch_size:
            raise RecipeError(
                f"Recipe {self.name!r}: {self.train_images} training images do not fill one batch of {self.batch_size}."
            )

    def make_optimizer(self) -> "keras.optimizers.Optimizer":
        """A fresh Keras optimiser.

        Raises:
            RecipeError: Keras has no optimiser of that name, or it refuses the options.
        """
        try:
            config = {"learning_rate": float(self.learning_rate), **dict(self.optimizer_options)}
            return keras.optimizers.get({"class_name": self.optimizer, "config": config})
        except (ValueError, TypeError) as error:
            raise RecipeError(
                f"Recipe {self.name!r}: Keras makes no optimizer {self.optimizer!r} of {config}: {error}"
            ) from error


class RecipeError(ValueError):
    """A recipe or profile that can't be trained; the message says which field and why."""


@dataclass(frozen=True)
class Profile:
    """The sizes of one of the three ways to run the suite.

    Attributes:
        name: smoke, standard or paper.
        train_images: training pictures an epoch, None for all.
        val_images: validation pictures, None for all.
        epochs: passes over the training pictures.
        batch_size: pictures a step.
    """

    name: str
    train_images: int | None
    val_images: int | None
    epochs: int
    batch_size: int


PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", train_images=2048, val_images=2000, epochs=2, batch_size=32),
    "standard": Profile("standard", train_images=8192, val_images=10_000, epochs=3, batch_size=128),
    "paper": Profile("paper", train_images=None, val_images=None, epochs=12, batch_size=128),
}
"""The profiles by name; ``paper`` is the seed's own size (code)."""


def mnist_recipe(profile: str | Profile = "smoke") -> Recipe:
    """Tasks 1 and 2 on MNIST: Adadelta at rate 1.0, Keras 1's default in 2016 (seed, Task 1), at a profile's sizes.

    Raises:
        RecipeError: there is no such profile.
    """
    if isinstance(profile, str):
        if profile not in PROFILES:
            raise RecipeError(f"There is no profile {profile!r}; choose one of {', '.join(PROFILES)}.")
        profile = PROFILES[profile]
    return Recipe(
        name=f"mnist-{profile.name}",
        optimizer="Adadelta",
        learning_rate=1.0,
        batch_size=profile.batch_size,
        epochs=profile.epochs,
        train_images=profile.train_images,
        val_images=profile.val_images,
    )


def _require_count(what: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RecipeError(f"{what} must be a whole number of at least 1, not {value!r}.")
