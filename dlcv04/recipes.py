"""The training recipes of the 2016 experiment as frozen values, and the sizes at which each profile runs them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dlcv04.backends import keras  # through backend, which quietens the framework's start first

Layers = tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
"""Stock Keras layers as a value: each one's class name and its arguments as (name, value) pairs."""

CIFAR_AUGMENTATION: Layers = (
    (
        "RandomTranslation",
        (("height_factor", 0.1), ("width_factor", 0.1), ("fill_mode", "nearest"), ("interpolation", "nearest")),
    ),
    ("RandomFlip", (("mode", "horizontal"),)),
)
"""Task 2's augmentation: shifts of up to a tenth of height and width, horizontal flips (slide). Keras 1 filled the
uncovered edge with its nearest pixels and took the nearest pixel of a shift by less than one."""


BLACK_BOXES: Layers = (
    (
        "RandomErasing",
        (("factor", 0.7), ("scale", (0.1, 0.5)), ("fill_value", 0.0), ("value_range", (0.0, 1.0))),
    ),
)
"""Local classification's augmentation: about one picture in three has a black box of a third to seven tenths of its
height and width. What a network that never saw black makes of a black mask says little about what lies below it."""


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
        decay: Keras 1's `decay`: after t steps the rate is `learning_rate` / (1 + decay t).
        augmentation: Keras preprocessing layers that change each training picture anew, on the device, drawn by the
            seed; evaluation sees the pictures as they are.

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
    decay: float = 0.0
    augmentation: Layers = ()

    def __post_init__(self) -> None:
        """Check every field that can be checked without Keras."""
        for label in ("name", "optimizer", "loss"):
            value = getattr(self, label)
            if not isinstance(value, str) or not value:
                raise RecipeError(f"A recipe's {label} must be a name, not {value!r}.")
        rate = self.learning_rate
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not math.isfinite(rate) or rate <= 0:
            raise RecipeError(f"Recipe {self.name!r}: learning_rate must be a positive number, not {rate!r}.")
        decay = self.decay
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not math.isfinite(decay) or decay < 0:
            raise RecipeError(f"Recipe {self.name!r}: decay must be a number of at least 0, not {decay!r}.")
        for label in ("batch_size", "epochs"):
            _require_count(f"Recipe {self.name!r}: {label}", getattr(self, label))
        for label in ("train_images", "val_images"):
            if getattr(self, label) is not None:
                _require_count(f"Recipe {self.name!r}: {label}", getattr(self, label))
        if self.train_images is not None and self.train_images < self.batch_size:
            raise RecipeError(
                f"Recipe {self.name!r}: {self.train_images} training images do not fill one batch of {self.batch_size}."
            )

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """A fresh Keras optimiser.

        Raises:
            RecipeError: Keras has no optimiser of that name, or it refuses the options.
        """
        rate: Any = float(self.learning_rate)
        if self.decay:
            rate = keras.optimizers.schedules.InverseTimeDecay(rate, decay_steps=1, decay_rate=self.decay)
        config = {"learning_rate": rate, **dict(self.optimizer_options)}
        try:
            return keras.optimizers.get({"class_name": self.optimizer, "config": config})
        except (ValueError, TypeError) as error:
            raise RecipeError(
                f"Recipe {self.name!r}: Keras makes no optimizer {self.optimizer!r} of {config}: {error}"
            ) from error

    @property
    def metric(self) -> str:
        """What is measured beside the loss: the accuracy of classes, else the mean absolute error."""
        return "accuracy" if "crossentropy" in self.loss else "mae"

    def make_augmentation(self, input_shape: tuple[int, ...]) -> keras.Sequential | None:
        """A fresh model that changes pictures of `input_shape` (height, width, channels); None where there is none.

        Raises:
            RecipeError: Keras has no such layer, or it refuses its arguments.
        """
        if not self.augmentation:
            return None
        layers = [keras.Input(input_shape), *(self._layer(name, dict(options)) for name, options in self.augmentation)]
        return keras.Sequential(layers, name="augmentation")

    def _layer(self, name: str, options: dict[str, Any]) -> Any:
        try:
            return getattr(keras.layers, name)(**options)
        except (AttributeError, TypeError, ValueError) as error:
            raise RecipeError(
                f"Recipe {self.name!r}: Keras makes no augmentation layer {name!r} of {options}: {error}"
            ) from error

    def settings(self) -> dict[str, Any]:
        """The fields as a dict for a stored run, without `decay` and `augmentation` where they are off.

        Runs stored before these fields existed lack them, and are of the same recipe.
        """
        off = {name for name in ("decay", "augmentation") if not getattr(self, name)}
        return {name: value for name, value in asdict(self).items() if name not in off}


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
"""The profiles by name; ``paper`` is the 2016 experiment's own size (code)."""


CIFAR_PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", train_images=640, val_images=500, epochs=2, batch_size=32),
    "standard": Profile("standard", train_images=5000, val_images=1000, epochs=8, batch_size=32),
    "paper": Profile("paper", train_images=None, val_images=None, epochs=200, batch_size=32),
}
"""The CIFAR-10 network's profiles. With half of standard's steps the plain net had not begun to learn the stand-in for
one of three seeds; ``paper`` is the 2016 experiment's own size (code)."""

TRICK_PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", train_images=256, val_images=256, epochs=8, batch_size=16),
    "standard": Profile("standard", train_images=384, val_images=500, epochs=10, batch_size=16),
    "paper": CIFAR_PROFILES["paper"],
}
"""Batch normalisation and augmentation on CIFAR-10: what they do to the fit of training pictures shows sooner on few
pictures, seen often, in small batches. Both share a size, so that the normalised net is trained once. It takes 1.7 to
2.6 of eight epochs to an accuracy of .30 on real pictures, 2.5 to 4.1 on drawings (pilot seeds 100 to 105); the plain
net was there with none of them after six. Augmentation took away .12 (sd .03) on real pictures (100 to 103) and .10
(sd .04) on drawings (100 to 105): seeds that differ too much for five of them, so that it waits for standard."""

SCRATCH_PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", train_images=256, val_images=None, epochs=18, batch_size=16),
    "standard": Profile("standard", train_images=256, val_images=None, epochs=18, batch_size=16),
    "paper": Profile("paper", train_images=None, val_images=None, epochs=30, batch_size=64),
}
"""Buildings from scratch, until the plain net knows its pictures by heart. After 18 epochs of few pictures in small
batches dropout had narrowed the gap by 1.9 nats on drawings (sd .6, the least 1.2; pilot seeds 100 to 107). Of all 450
drawings, 20 epochs, one of three seeds never began to learn (102), so standard has no more."""

FINE_TUNING_PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", train_images=192, val_images=None, epochs=4, batch_size=32),
    "standard": Profile("standard", train_images=None, val_images=None, epochs=20, batch_size=32),
    "paper": Profile("paper", train_images=None, val_images=None, epochs=3000, batch_size=32),
}
"""Buildings from CIFAR-10; 3,000 epochs in 2016 (slide). After 20 the net's accuracy has settled (pilot seeds
100 to 107: 0.684 on photos then, 0.703 after 30, 0.687 after 40)."""

OCCLUSION_PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", train_images=None, val_images=None, epochs=32, batch_size=32),
    "standard": Profile("standard", train_images=None, val_images=None, epochs=28, batch_size=32),
    "paper": Profile("paper", train_images=None, val_images=None, epochs=64, batch_size=32),
}
"""A small network for local classification: 32 epochs at 32 x 32 did for three pilot seeds (100 to 102), and so did 28
at 48 x 48."""

HEAD_PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", train_images=None, val_images=None, epochs=60, batch_size=32),
    "standard": Profile("standard", train_images=None, val_images=None, epochs=350, batch_size=32),
    "paper": Profile("paper", train_images=None, val_images=None, epochs=350, batch_size=32),
}
"""A head on frozen features, which are computed once: the 2016 experiment's 350 epochs (slide) take seconds."""


def mnist_recipe(profile: str | Profile = "smoke") -> Recipe:
    """Tasks 1 and 2 on MNIST: Adadelta at rate 1.0, Keras 1's default in 2016 (seed, Task 1), at a profile's sizes.

    Raises:
        RecipeError: there is no such profile.
    """
    return _sized(profile, PROFILES, "mnist", optimizer="Adadelta", learning_rate=1.0)


def cifar_recipe(
    profile: str | Profile = "smoke", *, augmented: bool = False, sizes: Mapping[str, Profile] = CIFAR_PROFILES
) -> Recipe:
    """Task 2 on CIFAR-10: SGD 0.01, Nesterov momentum 0.9, decay 1e-6 a step (seed, code).

    Args:
        profile: its name, or a profile of one's own.
        augmented: with the 2016 experiment's shifts and flips.
        sizes: what the names of profiles mean.

    Raises:
        RecipeError: there is no such profile.
    """
    name, changed = ("cifar10-augmented", CIFAR_AUGMENTATION) if augmented else ("cifar10", ())
    return _sized(profile, sizes, name, **_NESTEROV, augmentation=changed)


def buildings_recipe(profile: str | Profile = "smoke") -> Recipe:
    """Task 2's overfitting claim, buildings from scratch: the same SGD as on CIFAR-10, batch 64, 30 epochs (slide).

    Raises:
        RecipeError: there is no such profile.
    """
    return _sized(profile, SCRATCH_PROFILES, "buildings", **_NESTEROV)


def fine_tuning_recipe(profile: str | Profile = "smoke") -> Recipe:
    """Task 4, from CIFAR-10 to buildings: the same SGD, batch 32 (seed, code).

    Raises:
        RecipeError: there is no such profile.
    """
    return _sized(profile, FINE_TUNING_PROFILES, "fine-tuning", **_NESTEROV)


def occlusion_recipe(profile: str | Profile = "smoke") -> Recipe:
    """Task 3, a small network that local classification is tried on: Adam, black boxes in its training pictures.

    Raises:
        RecipeError: there is no such profile.
    """
    rate = {"optimizer": "Adam", "learning_rate": 0.002}
    return _sized(profile, OCCLUSION_PROFILES, "occlusion", **rate, augmentation=BLACK_BOXES)


def head_recipe(profile: str | Profile = "smoke") -> Recipe:
    """Task 4, a head on frozen VGG16 features: SGD 0.001, momentum 0.9 (seed, code).

    Raises:
        RecipeError: there is no such profile.
    """
    options = (("momentum", 0.9),)
    return _sized(profile, HEAD_PROFILES, "head", optimizer="SGD", learning_rate=0.001, optimizer_options=options)


_NESTEROV: dict[str, Any] = {
    "optimizer": "SGD",
    "learning_rate": 0.01,
    "optimizer_options": (("momentum", 0.9), ("nesterov", True)),
    "decay": 1e-6,
}


def _sized(profile: str | Profile, profiles: Mapping[str, Profile], name: str, **settings: Any) -> Recipe:
    if isinstance(profile, str):
        if profile not in profiles:
            raise RecipeError(f"There is no profile {profile!r}; choose one of {', '.join(profiles)}.")
        profile = profiles[profile]
    return Recipe(
        name=f"{name}-{profile.name}",
        batch_size=profile.batch_size,
        epochs=profile.epochs,
        train_images=profile.train_images,
        val_images=profile.val_images,
        **settings,
    )


def _require_count(what: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RecipeError(f"{what} must be a whole number of at least 1, not {value!r}.")
