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
    Backend,
    BackendError,
    GradientStep,
    Objective,
    Predict,
    Steps,
    Tracing,
    scaled,
)
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import jax
    import keras
else:
    jax = LazyModule("jax")


_DETERMINISTIC = re.compile(r"--xla_gpu_deterministic_ops(=(true|1))?(?!\S)")


class Jax(Backend):
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

    def steps(self, model: keras.Model, example: Any, augment: Augment, tracing: Tracing) -> Steps:
        """The steps of a model that `compile` was called on."""
        return _Steps(model, example, augment, tracing, in_one_call=self.has_gpu())

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
    """Its state: trainable weights, others, the optimiser's variables, the metrics', and the augmentation's draws."""

    GIVEN = ("state", "data")

    def __init__(
        self, model: keras.Model, example: Any, augment: Augment, tracing: Tracing, *, in_one_call: bool
    ) -> None:
        super().__init__(model, example, augment, tracing, in_one_call=in_one_call)
        self._train_jit = jax.jit(self._train_step, donate_argnums=0)
        self._many_jit = jax.jit(self._train_steps, static_argnames="length", donate_argnums=0)
        self._many_compiled: dict[tuple[Any, ...], Any] = {}
        self._evaluate_jit = jax.jit(self._evaluate_step, donate_argnums=1)
        self._state: Any
        self.read_variables()

    def put(self, array: npt.NDArray[Any]) -> Any:
        return jax.device_put(array)

    def train(self, data: Any, batch: Any) -> None:
        self._state = self._train_jit(self._state, data, batch)

    def _train_step(self, state: Any, data: Any, batch: Any) -> Any:
        *trained, draws = state
        x, *others = _rows(data, batch)
        with self._tracing():
            if self.augment is not None:
                x, draws = self.augment.stateless_call([], draws, x, training=True)
            _, trained = self.model.train_step(tuple(trained), (x, *others))
        return *trained, draws

    def _train_many(self, data: Any, order: Any, first: int, length: int) -> None:
        given = self._state, data, order, np.int32(first)
        key = length, order.shape, *(array.shape for array in jax.tree.leaves(data))
        if key not in self._many_compiled:
            with _explained():
                self._many_compiled[key] = self._many_jit.lower(*given, length=length).compile()
        self._state = self._many_compiled[key](*given)

    def _train_steps(self, state: Any, data: Any, order: Any, first: Any, *, length: int) -> Any:
        batches = order[(first + jax.numpy.arange(length)) % len(order)]
        return jax.lax.scan(lambda so_far, batch: (self._train_step(so_far, data, batch), None), state, batches)[0]

    def evaluate(self, data: Any, batch: Any) -> None:
        weights, others, slots, metrics, draws = self._state
        metrics = self._evaluate_jit((weights, others), metrics, data, batch)
        self._state = weights, others, slots, metrics, draws

    def _evaluate_step(self, weights: Any, metrics: Any, data: Any, batch: Any) -> Any:
        with self._tracing():
            logs, (*_, metrics) = self.model.test_step((*weights, metrics), _rows(data, batch))
        self._logged = set(logs)
        return metrics

    def _variables(self) -> tuple[list[Any], ...]:
        model, draws = self.model, [] if self.augment is None else self.augment.non_trainable_variables
        slots = model.optimizer.variables
        return model.trainable_variables, model.non_trainable_variables, slots, model.metrics_variables, draws

    def _bring_metrics(self) -> None:
        for variable, value in zip(self.model.metrics_variables, self._state[3], strict=True):
            variable.assign(jax.numpy.copy(value))

    def _take_metrics(self) -> None:
        metrics = [jax.numpy.copy(variable.value) for variable in self.model.metrics_variables]
        self._state = *self._state[:3], metrics, self._state[4]

    def read_variables(self) -> None:
        # Copies, since a step donates its state and would leave the Keras variables without theirs.
        self._state = tuple([jax.numpy.copy(v.value) for v in part] for part in self._variables())

    def write_variables(self) -> None:
        for part, values in zip(self._variables(), self._state, strict=True):
            for variable, value in zip(part, values, strict=True):
                variable.assign(jax.numpy.copy(value))

    def barrier(self) -> None:
        jax.block_until_ready(self._state)


def _rows(data: Any, batch: Any) -> tuple[Any, ...]:
    x, *others = jax.tree.map(lambda array: array[batch], data)
    return scaled(x), *others


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
