"""Arms that are no plain network: a network with a recipe or data of its own, a model's own `fit`, any callable.

A plain network (a function that returns a `keras.Model`, or a model) is trained by this package's own loop over data
that stays on the device, by the recipe and on the data that all arms share. `trained_by` hands a seed to any training
and takes its epochs. `timed_fit` and `timed_call` time something else; both pay a host pipeline and are flagged
noisier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    from dlcv04 import backends, seeding
    from dlcv04.datasets import Dataset
    from dlcv04.recipes import Recipe
else:
    backends = LazyModule("dlcv04.backends")
    seeding = LazyModule("dlcv04.seeding")

#: Whose devices can be waited for by name.
Framework = Literal["tensorflow", "jax", "torch"]


@dataclass(frozen=True)
class Trained:
    """An arm with changes of its own: each takes what all arms share and returns what this one uses."""

    network: Any
    recipes: tuple[Callable[[Recipe], Recipe], ...] = ()
    datas: tuple[Callable[[Dataset], Dataset], ...] = ()
    deterministic: bool = False

    def recipe(self, shared: Recipe) -> Recipe:
        """The recipe of this arm."""
        for change in self.recipes:
            shared = change(shared)
        return shared

    def data(self, shared: Dataset) -> Dataset:
        """The data of this arm."""
        for change in self.datas:
            shared = change(shared)
        return shared


def trained(
    network: Any,
    *,
    recipe: Callable[[Recipe], Recipe] | None = None,
    data: Callable[[Dataset], Dataset] | None = None,
    deterministic: bool = False,
    fresh: bool = False,
) -> Trained:
    """A network whose recipe or data differ from the other arms'.

    Args:
        network: a function that returns a `keras.Model`, a model, or an arm of `trained`, whose changes come first.
        recipe: takes the recipe that all arms share, returns this arm's, as `lambda r: replace(r, batch_size=16)`.
        data: takes the data set that all arms share, returns this arm's.
        deterministic: no seed changes what this arm learns (fixed weights, a fixed order): it is trained once, and is
            one figure without any chance.
        fresh: the weights of a model, which are kept otherwise, are drawn anew by each seed.

    Raises:
        dlcv04.seeding.TrainingError: `fresh` of what is no model: a function's weights are its own affair.

    Examples:
        >>> from dataclasses import replace
        >>> def net(): ...
        >>> slow = trained(net, recipe=lambda shared: replace(shared, learning_rate=shared.learning_rate / 10))
    """
    before = as_trained(network)
    kept = seeding.Fresh(before.network) if fresh else before.network
    recipes = before.recipes if recipe is None else (*before.recipes, recipe)
    datas = before.datas if data is None else (*before.datas, data)
    return Trained(kept, recipes, datas, deterministic or before.deterministic)


def as_trained(arm: Any) -> Trained:
    """The arm itself where `trained` made it, else a network without changes."""
    return arm if isinstance(arm, Trained) else Trained(arm)


@dataclass(frozen=True)
class TrainedBy:
    """An arm that a function of its own trains."""

    function: Callable[[int], Any]
    deterministic: bool = False


def trained_by(function: Callable[[int], Any], *, deterministic: bool = False) -> TrainedBy:
    """Any training as an arm of `learning`: PyTorch, scikit-learn, a shell command, Keras's `fit` with its own data.

    Args:
        function: takes a seed, which must draw all that is random in it, and gives its epochs: yields or returns rows
            of named numbers (`{"loss": 0.3, "val_accuracy": 0.9}`), or returns a dict of lists or a Keras `History`.
            "loss" and "accuracy" are of the training split, "val_loss" and "val_accuracy" of the validation split;
            other names are asked for as `of="val_mae"`.
        deterministic: no seed changes what it learns; it is called once.

    Examples:
        >>> def forest(seed):
        ...     for trees in (10, 20):
        ...         yield {"val_accuracy": 0.8 + trees / 1000 + seed / 10_000}
        >>> def test_my_forest(learning, claim):
        ...     curves = learning(forest=trained_by(forest))
        ...     claim.at_least(curves.forest, 0.75)
    """
    return TrainedBy(function, deterministic)


@dataclass(frozen=True)
class TimedFit:
    """An arm whose round is one call of stock `model.fit` over `images` pictures."""

    network: Any
    images: int


@dataclass(frozen=True)
class TimedCall:
    """An arm whose round calls `work` once a step, then waits; it satisfies the harness's `Workload`."""

    work: Callable[[], object]
    setup: Callable[[], object]
    waiting: Callable[[], object] | Framework
    images_per_step: int
    noisy: bool = True
    compile_seconds: float | None = None

    def prepare(self) -> None:
        """Call the setup."""
        self.setup()

    def run_steps(self, count: int) -> None:
        """Call the work `count` times."""
        for _ in range(count):
            self.work()

    def barrier(self) -> None:
        """Wait for the work's end."""
        self._wait()

    @cached_property
    def _wait(self) -> Callable[[], object]:
        return backends.barrier_of(self.waiting) if isinstance(self.waiting, str) else self.waiting


def timed_fit(network: Any, *, images: int = 1024) -> TimedFit:
    """Time Keras's own `fit` on `images` pictures a round: shows when an upgrade of Keras made it slower.

    Raises:
        ValueError: no pictures.

    Examples:
        >>> def test_fit_is_slower_with_a_wide_layer(epoch_time, claim):
        ...     times = epoch_time(narrow=timed_fit(narrow_net, images=512), wide=timed_fit(wide_net, images=512))
        ...     claim.slower(times.wide, than=times.narrow, by=1.2)
    """
    if images < 1:
        raise ValueError(f"images={images!r}: fit needs at least one picture.")
    return TimedFit(network, images)


def timed_call(
    work: Callable[[], object],
    *,
    setup: Callable[[], object] = lambda: None,
    barrier: Callable[[], object] | Framework = lambda: None,
    batch_size: int = 1,
    images: int | None = None,
) -> TimedCall:
    """Time any callable.

    Args:
        work: called without arguments, as many times a round as make it long enough to be timed.
        setup: called before each round, outside the clock, and waited for by the barrier: for what the calls of one
            round change or use up. What is made once for all rounds is made before, in the test.
        barrier: returns only when everything that `work` started has finished; or the name of the framework whose
            devices are waited for: "torch" (the current CUDA device, else MPS), "jax" or "tensorflow".
        batch_size: pictures (or rows) that one call processes: images a second are told from it, and arms that are
            timed together get rounds of equally many.
        images: the same, by its older name.

    Raises:
        ValueError: no pictures, or another barrier. A framework that is not installed is a
            `dlcv04.backends.BackendError` when the arm is timed.

    Examples:
        >>> def test_sorting_ten_times_as_much_is_slower(epoch_time, claim):
        ...     few, many = list(range(10_000)), list(range(100_000))
        ...     times = epoch_time(few=timed_call(lambda: sorted(few)), many=timed_call(lambda: sorted(many)))
        ...     claim.slower(times.many, than=times.few, by=2)
    """
    size = batch_size if images is None else images
    if size < 1:
        raise ValueError(f"batch_size={size!r}: a call processes at least one picture.")
    if not callable(barrier) and barrier not in get_args(Framework):
        raise ValueError(
            f"barrier={barrier!r}: name {', '.join(get_args(Framework)[:-1])} or {get_args(Framework)[-1]}, or give a "
            "function that waits."
        )
    return TimedCall(work, setup, barrier, size)
