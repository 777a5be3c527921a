"""JAX: everything is compiled by XLA."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcv04.backends.base import (
    Augment,
    BackendError,
    GradientStep,
    Loss,
    Objective,
    Predict,
    Steps,
    TrainingBackend,
    hits,
    keras,
    scaled,
)
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import jax
else:
    jax = LazyModule("jax")


_DETERMINISTIC = re.compile(r"--xla_gpu_deterministic_ops(=(true|1))?(?!\S)")


class Jax(TrainingBackend):
    """Keras on JAX."""

    name = "jax"

    def version(self) -> str:
        """JAX's version."""
        return str(jax.__version__)

    def threads(self) -> int:
        """One where XLA was told so, else the usable cores."""
        return 1 if "--xla_cpu_multi_thread_eigen=false" in os.environ.get("XLA_FLAGS", "") else super().threads()

    def has_gpu(self) -> bool:
        """Whether a GPU is its default."""
        return bool(jax.default_backend() == "gpu")

    def settle(self) -> None:
        """Take the first GPU alone, unless others are chosen: JAX would start on every one."""
        if jax.config.values["jax_cuda_visible_devices"] == "all":
            jax.config.update("jax_cuda_visible_devices", "0")

    def gpu_name(self) -> str:
        """The model of the first GPU."""
        return str(jax.devices()[0].device_kind)

    def hide_gpus(self) -> None:
        """Let it look for none."""
        jax.config.update("jax_platforms", "cpu")

    def rounds_to_tf32(self) -> bool:
        """Unless a higher precision of products is asked for."""
        return jax.config.jax_default_matmul_precision not in {"highest", "float32"}

    def compiles(self) -> bool:
        """Always: `jax.jit`."""
        return True

    def gpu_peak_bytes(self) -> int:
        """The peak of its allocator."""
        return int((jax.devices()[0].memory_stats() or {})["peak_bytes_in_use"])

    def barrier(self) -> None:
        """Wait for every array there is."""
        jax.block_until_ready(jax.live_arrays())

    def is_deterministic(self) -> bool:
        """On a CPU always; on a GPU by a flag of the process."""
        return not self.has_gpu() or bool(_DETERMINISTIC.search(os.environ.get("XLA_FLAGS", "")))

    def deterministic(self) -> contextlib.AbstractContextManager[None]:
        """Nothing on a CPU; on a GPU its determinism is a flag of the process (``XLA_FLAGS``), left as it is."""
        return contextlib.nullcontext()

    def to_numpy(self, tensor: Any) -> npt.NDArray[Any]:
        """A copy of an array."""
        return np.array(tensor)

    def steps(
        self, model: keras.Model, optimizer: keras.optimizers.Optimizer, loss: Loss, augment: Augment = None
    ) -> Steps:
        """The compiled steps of a model."""
        return _Steps(model, optimizer, loss, augment, on_card=self.has_gpu())

    def predict_step(self, model: keras.Model, shape: tuple[int, ...], dtype: Any) -> Predict:
        """A model's outputs in inference mode for one batch of this shape and type."""

        def step(weights: Any, others: Any, x: Any) -> Any:
            return model.stateless_call(weights, others, scaled(x), training=False)[0]

        state = [[v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)]
        compiled = jax.jit(step).lower(*state, jax.ShapeDtypeStruct(shape, dtype)).compile()
        return lambda x: compiled(*state, x)

    def gradient(self, model: keras.Model, objective: Objective) -> GradientStep:
        """The step of `backends.value_and_gradient`."""

        def whole(x: Any, weights: Any, state: Any, *others: Any) -> tuple[Any, Any]:
            values = objective(x, model.stateless_call(weights, state, x, training=False)[0], *others)
            return values.sum(), values

        compiled = jax.jit(jax.value_and_grad(whole, has_aux=True))

        def step(x: Any, *others: Any) -> tuple[Any, Any]:
            # Arguments, since XLA would fold weights that are constants of the function for minutes.
            weights, state = (
                [v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)
            )
            with _explained():
                (_, values), gradient = compiled(jax.numpy.asarray(x), weights, state, *others)
            return values, gradient

        return step


class _Steps(Steps):
    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss,
        augment: Augment = None,
        *,
        on_card: bool,
    ) -> None:
        super().__init__(model, optimizer, loss, augment, on_card=on_card)
        self._train_jit = jax.jit(self._train_step, donate_argnums=(0, 1))
        self._many_jit = jax.jit(self._train_steps, static_argnames="length", donate_argnums=(0, 1))
        self._many_compiled: dict[tuple[Any, ...], Any] = {}
        self._evaluate_jit = jax.jit(self._evaluate_step, donate_argnums=(1,))
        self._sums = self._zero()
        self._state: Any
        self.read_variables()

    @staticmethod
    def _zero() -> Any:
        return jax.numpy.zeros((), "float32"), jax.numpy.zeros((), "int32")

    def put(self, array: npt.NDArray[Any]) -> Any:
        return jax.device_put(array)

    def _train(self, x: Any, y: Any, batch: Any) -> None:
        self._state, self._sums = self._train_jit(self._state, self._sums, x, y, batch)

    def _train_step(self, state: Any, sums: Any, x: Any, y: Any, batch: Any) -> Any:
        weights, others, slots, draws = state
        pictures, labels = scaled(x[batch]), y[batch]
        if self.augment is not None:
            pictures, draws = self.augment.stateless_call([], draws, pictures, training=True)

        def objective(weights: Any) -> Any:
            predicted, updated, extra = self.model.stateless_call(
                weights, others, pictures, training=True, return_losses=True
            )
            loss = self.loss(labels, predicted).mean() + sum(extra)
            scope = keras.StatelessScope(state_mapping=list(zip(self.optimizer.variables, slots, strict=True)))
            with scope:
                enlarged = self.optimizer.scale_loss(loss)
            return enlarged, (loss, predicted, updated)

        (_, (loss, predicted, others)), gradients = jax.value_and_grad(objective, has_aux=True)(weights)
        weights, slots = self.optimizer.stateless_apply(slots, gradients, weights)
        right = hits(labels, predicted)
        return (weights, others, slots, draws), (sums[0] + loss * len(batch), sums[1] + right.sum(dtype="int32"))

    def _train_many(self, x: Any, y: Any, order: Any, first: int, length: int) -> None:
        given = self._state, self._sums, x, y, order, np.int32(first)
        key = length, x.shape, order.shape
        if key not in self._many_compiled:
            with _explained():
                self._many_compiled[key] = self._many_jit.lower(*given, length=length).compile()
        self._state, self._sums = self._many_compiled[key](*given)

    def _train_steps(self, state: Any, sums: Any, x: Any, y: Any, order: Any, first: Any, *, length: int) -> Any:
        def step(carried: Any, batch: Any) -> Any:
            so_far, totals = carried
            return self._train_step(so_far, totals, x, y, batch), None

        batches = order[(first + jax.numpy.arange(length)) % len(order)]
        return jax.lax.scan(step, (state, sums), batches)[0]

    def _evaluate(self, x: Any, y: Any, batch: Any, count: int) -> None:
        self._sums = self._evaluate_jit(self._state[:2], self._sums, x, y, batch, count)

    def _evaluate_step(self, state: Any, sums: Any, x: Any, y: Any, batch: Any, count: Any) -> Any:
        weights, others = state
        pictures, labels = scaled(x[batch]), y[batch]
        predicted, _, extra = self.model.stateless_call(weights, others, pictures, training=False, return_losses=True)
        counted = jax.numpy.arange(len(batch)) < count
        losses = self.loss(labels, predicted) + sum(extra)
        right = jax.numpy.logical_and(hits(labels, predicted), counted)
        # where, not a product: the padding's loss may be infinite.
        return sums[0] + jax.numpy.where(counted, losses, 0.0).sum(), sums[1] + right.sum(dtype="int32")

    def _drain(self) -> tuple[float, int]:
        sums = float(self._sums[0]), int(self._sums[1])
        self._sums = self._zero()
        return sums

    def _variables(self) -> tuple[list[Any], ...]:
        model, draws = self.model, [] if self.augment is None else self.augment.non_trainable_variables
        return model.trainable_variables, model.non_trainable_variables, self.optimizer.variables, draws

    def read_variables(self) -> None:
        # Copies, since a step donates its state and would leave the Keras variables without theirs.
        self._state = tuple([jax.numpy.copy(v.value) for v in part] for part in self._variables())

    def write_variables(self) -> None:
        for part, values in zip(self._variables(), self._state, strict=True):
            for variable, value in zip(part, values, strict=True):
                variable.assign(jax.numpy.copy(value))

    def barrier(self) -> None:
        jax.block_until_ready((self._state, self._sums))


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Say in one sentence that XLA can't compile this for a card under the flag of determinism (flax#4233)."""
    try:
        yield
    except Exception as error:  # its class lies elsewhere in each version
        if "does not have a deterministic implementation" not in str(error):
            raise
        raise BackendError(
            "On a card XLA has no deterministic form of something in this network, such as max pooling's gradient: "
            "take --xla_gpu_deterministic_ops out of XLA_FLAGS. Equal seeds then give nearly, not bit-equal, curves."
        ) from error
