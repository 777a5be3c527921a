"""Neural style: a picture with the content of one picture and the style of another (seed, Task 5).

Content is what VGG16's ``conv4_2`` makes of a picture, style the Gram matrices of some of its layers (Gatys, Ecker and
Bethge 2015). From uniform noise, L-BFGS lowers the sum of

    content    weight * sum (F - P)^2                                     F, P: features of the picture, of the content
    style      weight / layers * sum over layers sum (G - A)^2 / (4 * 3^2 * pixels^2)      G, A: Gram matrices
    variation  weight * sum (dx^2 + dy^2)^1.25                            dx, dy: differences of neighbouring pixels

with pixels in 0..255, 20 evaluations an iteration, after which L-BFGS starts anew.

The weights of 2016 fit the features of ImageNet's VGG16. Another trunk makes other features: where a layer's are `a`
times as large, content counts `a^2` times as much and style `a^4` times, beside a variation that stays. (The features
of the trunk hed fade with depth: by those of 2016 ``conv5_1`` counts a millionth of ``conv1_1`` there.) Calibrated
weights are therefore made from what each part is at a reference, on the trunk in use, so that the parts of the loss
there are those of `BALANCE`, however large the features are.
"""

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import threadpoolctl

from dlcv04 import backends, caching, networks, weights
from dlcv04.backends import keras
from dlcv04.bases import Base, vgg16_base
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from scipy import optimize
else:
    optimize = LazyModule("scipy.optimize")

CONTENT_LAYER = "conv4_2"
STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
EXPONENT = 1.25
EVALUATIONS = 20

Pixels = npt.NDArray[np.uint8]
OnEvaluation = Callable[[int, int, float], None]


class StyleError(ValueError):
    """Pictures, layers or a stored state that do not fit; the message says what to do."""


@dataclass(frozen=True)
class LossWeights:
    """How much the parts of the loss count.

    Attributes:
        content: of the content.
        style: of all style layers together, which share it equally.
        variation: of the total variation.
        layers: a further factor of a style layer, by its name in Keras's spelling; 1 where there is none.
    """

    content: float = 0.025
    style: float = 1.0
    variation: float = 1.0
    layers: Mapping[str, float] = field(default_factory=dict)


PUBLISHED_WEIGHTS = LossWeights()
"""The 2016 experiment's, for ImageNet's features (code)."""

BALANCE = LossWeights(content=0.3, style=1.0, variation=1.0)
"""The parts of the loss at the references of `Stylist.calibrated`, chosen by eye on the trunk hed."""


@dataclass(frozen=True)
class Parts:
    """The parts of a loss, before they are weighted: content, style by layer, variation."""

    content: float
    style: dict[str, float]
    variation: float


@dataclass(eq=False)
class Progress:
    """Where a run stands after its last whole iteration.

    Attributes:
        picture: float64, shape (height, width, 3), in 0..255 and somewhat beyond.
        losses: the loss after each iteration.
        evaluations: how many evaluations each iteration took.
        kept: uint8 picture after each iteration.
    """

    picture: npt.NDArray[np.float64]
    losses: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    kept: list[Pixels] = field(default_factory=list)

    @property
    def iterations(self) -> int:
        """Whole iterations done."""
        return len(self.losses)


class Stylist:
    """The loss between a picture and the two that it is made from, with its gradient, compiled.

    Args:
        base: VGG16, or any base with these layers, for pictures of the size of `content`; see `style_base`.
        content: uint8, shape (height, width, 3).
        style: uint8 of the same shape, so that Gram matrices are sums over equally many places.
        style_layers: whose Gram matrices count, in the 2016 experiment's or Keras's spelling.
        loss_weights: how much the parts count.
        content_layer: whose features count.

    Raises:
        StyleError: the pictures do not fit the base, or there is no style layer, or one twice.
        ValueError: there is no such layer.
        dlcv04.weights.WeightsError: a weight of the base is not finite.
    """

    def __init__(
        self,
        base: Base,
        content: Pixels,
        style: Pixels,
        *,
        style_layers: Sequence[str] = STYLE_LAYERS,
        loss_weights: LossWeights = PUBLISHED_WEIGHTS,
        content_layer: str = CONTENT_LAYER,
    ) -> None:
        self.base, self.content, self.style, self.loss_weights = base, content, style, loss_weights
        self.content_layer = networks.keras_spelling(content_layer)
        self.style_layers = tuple(networks.keras_spelling(name) for name in style_layers)
        if not self.style_layers or len({*self.style_layers}) != len(self.style_layers):
            raise StyleError(f"Style layers must be one or more, each once, not {', '.join(style_layers) or 'none'}.")
        for what, picture in {"content": content, "style": style}.items():
            if picture.dtype != np.uint8 or picture.shape != tuple(base.model.input_shape[1:]):
                raise StyleError(
                    f"The picture of the {what} is {picture.dtype} of shape {picture.shape}; {base.name} was made for "
                    f"uint8 of shape {tuple(base.model.input_shape[1:])}."
                )
        weights.require_finite(base.model)
        outputs = {name: base.layer(name).output for name in {self.content_layer, *self.style_layers}}
        self._features = keras.Model(base.model.inputs, outputs)
        self._step = backends.value_and_gradient(self._features, self._parts)
        self._targets = [self._of(content)[self.content_layer], *self._grams(self._of(style), content.size // 3)]

    def with_weights(self, loss_weights: LossWeights) -> "Stylist":
        """The same with other weights; nothing is compiled anew."""
        changed = copy.copy(self)
        changed.loss_weights = loss_weights
        return changed

    def calibrated(self, balance: LossWeights = BALANCE) -> "Stylist":
        """The same with weights that fit the features of its base, as the module says.

        The references: for content the squares of the content picture's features, for a style layer those of the style
        picture's Gram matrix (so that a picture without any features has the parts of `balance`), for variation that of
        uniform noise. A layer's weight depends on that layer alone, so that choices of layers can be compared.
        """
        content, *grams = (float((backends.to_numpy(target).astype(np.float64) ** 2).sum()) for target in self._targets)
        noise = keras.ops.convert_to_tensor(noise_like(self.content.shape, 0)[None].astype(np.float32))
        variation = float(backends.to_numpy(total_variation(noise)))
        layers = {name: 1 / gram for name, gram in zip(self.style_layers, grams, strict=True)}
        return self.with_weights(
            LossWeights(balance.content / content, balance.style, balance.variation / variation, layers)
        )

    def evaluate(self, picture: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        """Loss and gradient of a picture in 0..255; the gradient has its shape."""
        values, gradient = self._call(picture, self._factors())
        return float(values.sum(dtype=np.float64)), gradient

    def parts(self, picture: npt.NDArray[Any]) -> Parts:
        """The parts of the loss of a picture in 0..255, each with weight 1 (and each style layer too)."""
        values, _ = self._call(picture, np.ones(len(self.style_layers) + 2))
        content, *style, variation = map(float, values)
        return Parts(content, dict(zip(self.style_layers, style, strict=True)), variation)

    @property
    def key(self) -> dict[str, Any]:
        """All that a run's pictures depend on, besides seed and backend, as plain values."""
        pictures = {name: hashlib.sha256(getattr(self, name).tobytes()).hexdigest() for name in ("content", "style")}
        return {
            **pictures,
            "shape": list(self.content.shape),
            "network": self.base.key or self.base.fingerprint,
            "content_layer": self.content_layer,
            "style_layers": list(self.style_layers),
            "loss_weights": asdict(self.loss_weights),
        }

    def _factors(self) -> npt.NDArray[np.float64]:
        counts = self.loss_weights
        share = counts.style / len(self.style_layers)
        style = [share * counts.layers.get(name, 1.0) for name in self.style_layers]
        return np.array([counts.content, *style, counts.variation])

    def _call(self, picture: npt.NDArray[Any], factors: npt.NDArray[np.float64]) -> tuple[Any, Any]:
        x = (picture[None] / 255).astype(np.float32)
        values, gradient = self._step(x, factors.astype(np.float32), *self._targets)
        return backends.to_numpy(values), backends.to_numpy(gradient)[0].astype(np.float64) / 255

    def _of(self, picture: Pixels) -> dict[str, Any]:
        x = keras.ops.convert_to_tensor((picture[None] / 255).astype(np.float32))
        outputs: dict[str, Any] = self._features(x, training=False)
        return {name: keras.ops.stop_gradient(output) for name, output in outputs.items()}

    def _grams(self, outputs: dict[str, Any], pixels: int) -> list[Any]:
        """Gram matrices, over 2 * 3 * pixels: the squared difference of two is then a layer's loss of 2016."""
        grams = []
        for name in self.style_layers:
            features = keras.ops.reshape(outputs[name], (-1, outputs[name].shape[-1]))
            grams.append(keras.ops.matmul(keras.ops.transpose(features), features) / (6.0 * pixels))
        return grams

    def _parts(self, x: Any, outputs: dict[str, Any], factors: Any, content: Any, *grams: Any) -> Any:
        ops = keras.ops
        found = self._grams(outputs, x.shape[1] * x.shape[2])
        style = [ops.sum(ops.square(one - other)) for one, other in zip(found, grams, strict=True)]
        parts = [ops.sum(ops.square(outputs[self.content_layer] - content)), *style, total_variation(255.0 * x)]
        return ops.stack(parts) * factors


def total_variation(x: Any) -> Any:
    """Sum of (dx^2 + dy^2)^1.25 over pixels and channels of tensors (pictures, height, width, channels) (code)."""
    down, right = x[:, :-1, :-1] - x[:, 1:, :-1], x[:, :-1, :-1] - x[:, :-1, 1:]
    return keras.ops.sum(keras.ops.power(keras.ops.square(down) + keras.ops.square(right), EXPONENT))


def style_base(
    source: str | Path,
    shape: Sequence[int],
    *,
    style_layers: Sequence[str] = STYLE_LAYERS,
    content_layer: str = CONTENT_LAYER,
    seed: int = 0,
) -> Base:
    """VGG16 for pictures of (height, width, 3), up to the last of these layers.

    Args:
        source: "imagenet", "hed", a file of weights, or "random" with `seed`.
        shape: of the pictures.
        style_layers: in the 2016 experiment's or Keras's spelling.
        content_layer: likewise.
        seed: draws random weights.

    Raises:
        ValueError: there is no such layer, or the pictures are too small.
        dlcv04.weights.WeightsError: the weights are missing, damaged or do not fit.
    """
    named = {networks.vgg16_layer(name) for name in (content_layer, *style_layers)}
    return vgg16_base(source, input_shape=shape, until=max(named, key=networks.VGG16_LAYERS.index), seed=seed)


def noise_like(shape: Sequence[int], seed: int) -> npt.NDArray[np.float64]:
    """Uniform noise in 0..255: where every run starts."""
    return np.random.default_rng(seed).uniform(0, 255, tuple(shape))


def run(
    stylist: Stylist,
    iterations: int,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    state: Path | None = None,
    on_evaluation: OnEvaluation = lambda iteration, evaluations, loss: None,
    on_iteration: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Lower the loss from noise, iteration by iteration.

    Args:
        stylist: the loss.
        iterations: how many, of about `EVALUATIONS` evaluations each.
        seed: draws the noise.
        progress: a run of this stylist and seed to go on with; it is changed.
        state: a file that holds the run after each iteration, whole at any moment; where it is there, the run goes on
            from it, to the same pictures as without the break.
        on_evaluation: called with the number of the iteration, from 1, its evaluations so far, and the loss.
        on_iteration: called after each iteration.

    Raises:
        StyleError: the state is of another run, or damaged; it is left as it is.
    """
    key = {"seed": seed, "backend": backends.versions(), **stylist.key}
    progress = progress or _stored(state, key) or Progress(noise_like(stylist.content.shape, seed))
    while progress.iterations < iterations:
        _iterate(stylist, progress, on_evaluation)
        if state is not None:
            _store(state, key, progress)
        on_iteration(progress)
    return progress


def _iterate(stylist: Stylist, progress: Progress, on_evaluation: OnEvaluation) -> None:
    shape, done = progress.picture.shape, 0

    def evaluate(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        nonlocal done
        loss, gradient = stylist.evaluate(flat.reshape(shape))
        done += 1
        on_evaluation(progress.iterations + 1, done, loss)
        return loss, gradient.ravel()

    minimise = optimize.fmin_l_bfgs_b  # this loads its BLAS, and only what is loaded obeys a limit
    # OpenBLAS's threads go on spinning after a product, on the cores of the next evaluation: an iteration took a fifth
    # longer with them, at 36 and at 128 pixels. With one, pictures do not depend on how many cores there are, either.
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        # No tolerance: what is a small gradient depends on how large the features are.
        flat, loss, _ = minimise(evaluate, progress.picture.ravel(), maxfun=EVALUATIONS, pgtol=0.0, factr=0.0)
    progress.picture = flat.reshape(shape)
    progress.losses.append(float(loss))
    progress.evaluations.append(done)
    progress.kept.append(np.clip(progress.picture, 0, 255).astype(np.uint8))


def _stored(state: Path | None, key: dict[str, Any]) -> Progress | None:
    if state is None or not state.exists():
        return None
    try:
        arrays = caching.read(state, key)
    except caching.CacheError as error:
        raise StyleError(f"{error} Choose another place for the output, or delete that file to start anew.") from error
    losses, evaluations = arrays["losses"].tolist(), arrays["evaluations"].tolist()
    return Progress(arrays["picture"], losses, evaluations, list(arrays["kept"]))


def _store(state: Path, key: dict[str, Any], progress: Progress) -> None:
    arrays = {name: np.array(getattr(progress, name)) for name in ("picture", "losses", "evaluations", "kept")}
    try:
        caching.store(state, key, arrays)
    except OSError as error:
        raise StyleError(f"{state} can't be written ({error}): choose another place for the output.") from error
