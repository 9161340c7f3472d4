"""How uncertain rounding makes a result of PyTorch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

CROSS_ENTROPY = torch.ops.aten.binary_cross_entropy_with_logits.default


class LastDigitNoise(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, every PyTorch operation's result is moved at random in its last digit:
    by up to two units, as less would often be rounded away.

    Applies to the operations of the backward pass, too. Results that share memory with an input
    (views, operations in place) stay.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point() and _is_new(result, args):
            noise = torch.empty(result.shape, dtype=result.dtype)
            noise.uniform_(-2, 2, generator=self.generator)
            size = _cross_entropy_terms(result, args[0]) if func == CROSS_ENTROPY else result
            result.addcmul_(size, noise.to(result.device), value=torch.finfo(result.dtype).eps)
        return result


def _cross_entropy_terms(result: Tensor, logits: Tensor) -> Tensor:
    """The size of what PyTorch subtracts, inside one operation, to get a cross-entropy.

    It computes (1 - x) a - log(sigmoid(a)) with a = logits: two terms as large as a itself, even
    where the loss is tiny (x = 0 and a far below 0).
    """
    summed = result.shape != logits.shape
    return logits.abs().sum() if summed else logits


def _is_new(result: Tensor, args: tuple[Any, ...]) -> bool:
    def memory(tensor: Tensor) -> int:
        return tensor.untyped_storage().data_ptr()

    return all(memory(result) != memory(arg) for arg in args if isinstance(arg, Tensor))
