"""Networks that give probabilities of classes, whatever they were trained on: VGG16 as it is on ImageNet, a trained
network with a new head, or anyone's Keras file.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcv04 import backends, caching, hdf5, networks, recipes, training, weights
from dlcv04.backends import keras
from dlcv04.bases import Base, Tap, trained_base
from dlcv04.datasets import Dataset
from dlcv04.datasets.sources import keras_cache
from dlcv04.datasets.tree import expanded
from dlcv04.features import Scaling, compute_features
from dlcv04.lazy import LazyModule
from dlcv04.networks import Pixels
from dlcv04.recipes import Recipe
from dlcv04.training import Epoch, Trainer
from dlcv04.transfer import Grafted, Head, HeadNetwork

if TYPE_CHECKING:
    import h5py
else:
    h5py = LazyModule("h5py")

_LARGEST_MEMBER = 2**32  # bytes of a part of a Keras file; VGG16's weights have an eighth of that
_SUM_TOLERANCE = 1e-2  # half precision's probabilities of a thousand classes add up to 1 within this


class ClassifierError(ValueError):
    """A network that is no classifier of pictures, or one that is broken; the message says where."""


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network that takes uint8 pictures and gives the probability of each class.

    Attributes:
        name: as reports call it.
        model: takes pixels in [0, 1], shape (pictures, height, width, channels), and ends with a softmax.
        class_names: of the classes in order; empty where they are not known.
        batch_size: pictures at once.
        digest: the beginning of its file's hash; empty where it has no file.

    Raises:
        ClassifierError: the model takes no pictures, gives no row of classes, or has a weight that is NaN or infinite.
    """

    name: str
    model: keras.Model
    class_names: tuple[str, ...] = ()
    batch_size: int = 32
    digest: str = ""
    _compiled: dict[int, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def title(self) -> str:
        """Its name and which file it was read from: a damaged file of plausible weights shows in nothing else."""
        return f"{self.name} ({self.digest})" if self.digest else self.name

    def __post_init__(self) -> None:
        """Check what can be checked without a picture."""
        # A model that was never given its input's shape has neither.
        shape, output = (getattr(self.model, name, None) for name in ("input_shape", "output_shape"))
        pictures = isinstance(shape, tuple) and len(shape) == 4 and shape[3] in (1, 3) and None not in shape[1:]
        if not pictures:
            raise ClassifierError(
                f"{self.name} takes {_shapes(shape)}, not pictures of one size: its input must be (height, width, "
                "1 or 3)."
            )
        if not isinstance(output, tuple) or len(output) != 2 or (output[1] or 0) < 2:
            raise ClassifierError(
                f"{self.name} gives {_shapes(output)} for a picture, not one row of probabilities: it is no classifier."
            )
        for variable in self.model.weights:
            if not np.isfinite(backends.to_numpy(variable)).all():
                raise ClassifierError(
                    f"{self.name} holds NaN or infinity in its weights {variable.path}: train it again."
                )

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture."""
        height, width, channels = self.model.input_shape[1:]
        return int(height), int(width), int(channels)

    def probabilities(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The probability of each class, shape (pictures, classes), computed in batches that are compiled once.

        Raises:
            ClassifierError: the pictures have another shape, or what the model gives are no probabilities.
        """
        self._check_pictures(pictures)
        size = 1 if len(pictures) == 1 else self.batch_size  # two sizes, so that little is compiled
        if size not in self._compiled:
            named = keras.Model(self.model.inputs, {"classes": self.model.outputs[0]})
            self._compiled[size] = backends.predictor(named, self.input_shape, pictures.dtype, size)
        found = self._compiled[size](pictures)["classes"].astype(np.float32)
        if not np.isfinite(found).all():
            raise ClassifierError(
                f"{self.name} gives NaN or infinity for a picture: train it again, or look at its layers."
            )
        total = found.sum(axis=1)
        if (found < -_SUM_TOLERANCE).any() or np.abs(total - 1).max() > _SUM_TOLERANCE:
            raise ClassifierError(
                f"{self.name} gives numbers that add up to {total[np.abs(total - 1).argmax()]:.3g}, no probabilities: "
                "end it with a softmax."
            )
        return found

    def features(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """What the layer below the last one gives, flattened: float32 (pictures, features).

        Raises:
            ClassifierError: the pictures have another shape, or the model is no chain of layers.
        """
        self._check_pictures(pictures)
        try:
            named = keras.Model(self.model.inputs, {"features": _below_last(self.model)})
        except (AttributeError, ValueError, TypeError) as error:
            raise ClassifierError(
                f"{self.name} has no single layer below its last one: give a plain classifier."
            ) from error
        found = backends.predict(named, pictures, batch_size=self.batch_size)["features"]
        return found.reshape(len(pictures), -1).astype(np.float32)

    def _check_pictures(self, pictures: npt.NDArray[np.uint8]) -> None:
        if pictures.shape[1:] != self.input_shape or not len(pictures):
            raise ClassifierError(f"{self.name} takes pictures of {self.input_shape}, not {pictures.shape[1:]}.")

    def class_name(self, label: int) -> str:
        """A class in words, or its number."""
        return self.class_names[label] if self.class_names else f"class {label}"


def in_channels(pictures: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    """Pictures (n, height, width, 1 or 3) with as many channels as a network takes; grey by Rec. 601's luma."""
    if pictures.shape[-1] == channels:
        return pictures
    if channels == 3:
        return pictures.repeat(3, axis=-1)
    return np.rint(pictures @ np.array([0.299, 0.587, 0.114]))[..., None].astype(np.uint8)


def from_model(model: keras.Model, name: str, pixels: Pixels = "unit", class_names: Sequence[str] = ()) -> Classifier:
    """A classifier of a model with other pixels than [0, 1].

    Args:
        model: ends with a softmax.
        name: as reports call it.
        pixels: what it takes: "unit" ([0, 1]) or another kind of `dlcv04.networks.from_unit`.
        class_names: of the classes in order.

    Raises:
        ClassifierError: as `Classifier`, or other names than classes.
    """
    checked = Classifier(name, model)
    classes = model.output_shape[1]
    if class_names and len(class_names) != classes:
        raise ClassifierError(f"{name} has {classes} classes; {len(class_names)} names were given.")
    if pixels == "unit":
        return Classifier(name, model, tuple(class_names))
    if pixels == "imagenet" and checked.input_shape[2] != 3:
        raise ClassifierError(f"{name} takes grey pictures; pixels {pixels!r} are of three colours.")
    inputs = keras.Input(checked.input_shape)
    outputs = model(networks.from_unit(inputs, pixels))
    return Classifier(name, keras.Model(inputs, outputs), tuple(class_names))


def from_file(path: str | Path, pixels: Pixels = "unit", class_names: Sequence[str] = ()) -> Classifier:
    """A classifier of a ``.keras`` file, read in Keras's safe mode: nothing in it is run as code.

    Raises:
        ClassifierError: there is no such file, it is no whole Keras file, it holds code, or as `from_model`.
    """
    found = from_model(read_model(path), Path(path).name, pixels, class_names)
    try:
        weights.require_finite(found.model)
    except weights.WeightsError as error:
        raise ClassifierError(f"{found.name} can't be used: {error}") from error
    return replace(found, digest=weights.hash_of(expanded(path)))


def read_model(path: str | Path) -> keras.Model:
    """The model of a ``.keras`` file, read in Keras's safe mode.

    Raises:
        ClassifierError: there is no such file, it is no whole Keras file, or it holds code.
    """
    place = expanded(path)
    if place.suffix != ".keras" or not place.is_file():
        raise ClassifierError(
            f"{path} is not a file that ends with .keras: save the model with `model.save('mine.keras')`."
        )
    load = keras.saving.load_model  # where Keras is missing, that is what is said
    try:
        _check_archive(place)
        return load(place, compile=False, safe_mode=True)
    except (Exception, MemoryError) as error:  # Keras raises what its layers raise
        if "safe_mode" in str(error):
            raise ClassifierError(
                f"{place} holds Python code (a Lambda layer), and nothing in a file is run: build it of stock layers."
            ) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0]
        raise ClassifierError(f"{place} can't be read as a Keras model: {reason.rstrip('.')}.") from error


def _check_archive(place: Path) -> None:
    """Raises hdf5.StrangeFileError or BadZipFile where the archive's weights are not in it, or are no arrays."""
    with zipfile.ZipFile(place) as archive:
        for member in archive.infolist():
            if member.file_size > _LARGEST_MEMBER:
                raise hdf5.StrangeFileError(f"its {member.filename} declares {member.file_size:,} bytes")
            if member.filename.endswith(".h5"):
                with archive.open(member) as packed, h5py.File(io.BytesIO(packed.read()), "r") as file:
                    list(hdf5.datasets(file))


def imagenet() -> Classifier:
    """VGG16 as it was trained on ImageNet's 1,000 classes, at 224 x 224.

    Raises:
        dlcv04.weights.WeightsError: its weights are missing; the message says how to get them.
    """
    weights.find("imagenet", dense=True)  # before 138 million weights are drawn
    model = networks.vgg16(weights="imagenet", until="predictions", unit_pixels=True)
    index = keras_cache().with_name("models") / "imagenet_class_index.json"
    names: tuple[str, ...] = ()
    if index.is_file():
        found = json.loads(index.read_bytes())
        names = tuple(found[str(label)][1].replace("_", " ") for label in range(len(found)))
    return Classifier("VGG16 (imagenet)", model, names)


def fine_tuned(base: Base, tap: Tap, dataset: Dataset, recipe: Recipe, seed: int = 0) -> Classifier:
    """A trained network with a new head for a data set's classes; everything below the head is frozen.

    The features below the head, and the head, are computed once and kept on disk.

    Args:
        base: the trained network.
        tap: where the head sits.
        dataset: pictures of the base's input shape.
        recipe: of the head.
        seed: draws the head and the order.

    Raises:
        dlcv04.bases.TransferError: the base takes other pictures, or has no such layer.
        ClassifierError: the head did not learn.
    """
    features = compute_features(base, dataset, [tap])[tap]
    scaling = Scaling.of(features.x_train)

    def learn() -> caching.Arrays:
        network = HeadNetwork(features.x_train.shape[1], dataset.classes, Head())
        with backends.deterministic():
            trainer = Trainer(network, scaling.apply(features), recipe, seed=seed)
            run = training.complete(trainer)
        if run.status != "ok":
            raise ClassifierError(f"The head on {base.name} did not learn {dataset.name}: {run.reason}")
        kernel, bias = trainer.model.layers[-1].get_weights()
        return {"kernel": kernel, "bias": bias, "val_accuracy": np.array(run.epochs[-1].val_accuracy)}

    key = {
        "features": features.content,
        "recipe": recipe.settings(),
        "seed": seed,
        "backend": asdict(backends.facts()),
    }
    learnt = caching.cached("head", key if type(recipe) is recipes.Recipe else None, learn)
    model = Grafted(base, tap, dataset.classes, scaling=scaling)()
    model.layers[-1].set_weights([learnt["kernel"], learnt["bias"]])
    name = f"{base.name} with a head for {dataset.name} (accuracy {float(learnt['val_accuracy']):.2f})"
    return Classifier(name, model, dataset.class_names)


def small_network(input_shape: Sequence[int], classes: int) -> Callable[[], keras.Model]:
    """The network that `trained` trains."""
    return partial(networks.cifar_convnet, filters=(8, 32), dense_units=64, input_shape=input_shape, classes=classes)


def trained(
    dataset: Dataset,
    profile: str = "smoke",
    seed: int = 0,
    *,
    on_epoch: Callable[[int, Epoch], None] | None = None,
) -> Classifier:
    """A small network trained on a data set here, with black boxes in its training pictures; kept on disk.

    Raises:
        dlcv04.recipes.RecipeError: there is no such profile.
        dlcv04.bases.TransferError: the training diverged.
        ClassifierError: the head did not learn.
    """
    network = small_network(dataset.input_shape, dataset.classes)
    base = trained_base(network, dataset, recipes.occlusion_recipe(profile), seed, on_epoch=on_epoch)
    return fine_tuned(base, base.end, dataset, recipes.head_recipe("smoke"), seed)


def _below_last(model: keras.Model) -> Any:
    """What goes into a model's last layer; where that is itself a model, as after `from_model`, into that one's last.

    The call that led to the output is followed: a layer's own `input` is that of its first call, perhaps elsewhere.

    Raises:
        ValueError: several things go into it.
    """
    layer, call, _ = model.outputs[0]._keras_history
    (given,) = layer._inbound_nodes[call].input_tensors
    if not isinstance(layer, keras.Model):
        return given
    # Named, since Keras's own numbering may meet the name of one of the model's layers.
    return keras.Model(layer.inputs, _below_last(layer), name="below_the_last_layer")(given)


def _shapes(shape: Any) -> str:
    if shape is None:
        return "arrays of no known shape"
    return f"arrays of {shape[1:]}" if isinstance(shape, tuple) else "several arrays"
