"""PyTorch: gradients with respect to pictures, and its barrier; it trains nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from dlcv04.backends.base import Backend, DeviceError, GradientStep, Objective, keras
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


class Torch(Backend):
    """Keras on PyTorch."""

    name = "torch"

    def version(self) -> str:
        """PyTorch's version."""
        return str(torch.__version__)

    def has_gpu(self) -> bool:
        """Whether CUDA is there."""
        return bool(torch.cuda.is_available())

    def rounds_to_tf32(self) -> bool:
        """As PyTorch is set for products or convolutions."""
        return bool(torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32)

    def hide_gpus(self) -> None:
        """It can't be told: it must not find any.

        Raises:
            DeviceError: it does.
        """
        if self.has_gpu():
            raise DeviceError("torch takes the GPU that it finds: hide it with CUDA_VISIBLE_DEVICES= before the start.")

    def barrier(self) -> None:
        """Wait for the current CUDA device, else for Apple's MPS; on a CPU everything is done when it returns."""
        if self.has_gpu():
            torch.cuda.synchronize()
        elif torch.backends.mps.is_available():
            torch.mps.synchronize()

    def to_numpy(self, tensor: Any) -> npt.NDArray[Any]:
        """A copy of a tensor."""
        copied: npt.NDArray[Any] = tensor.detach().cpu().numpy().copy()
        return copied

    def gradient(self, model: keras.Model, objective: Objective) -> GradientStep:
        """The step of `backends.value_and_gradient`."""

        def whole(x: Any, *others: Any) -> Any:
            return objective(x, model(x, training=False), *others)

        compiled = torch.compile(whole, dynamic=False) if self.compiles() else whole

        def step(x: Any, *others: Any) -> tuple[Any, Any]:
            x = keras.ops.convert_to_tensor(x).detach().requires_grad_(True)
            values = compiled(x, *(keras.ops.convert_to_tensor(other) for other in others))
            (gradient,) = torch.autograd.grad(values.sum(), x)
            return values.detach(), gradient

        return step
