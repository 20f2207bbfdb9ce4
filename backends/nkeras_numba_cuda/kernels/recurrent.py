"""What the recurrent kernels share: the products before and behind their steps.

One product serves the inputs of all steps. A step is the product of the state and one launch for
all gates; backwards likewise.
"""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.device.functions import device_function
from nkeras_numba_cuda.device.intrinsics import exponential
from nkeras_numba_cuda.kernels.linalg import dense, matmul
from nkeras_numba_cuda.kernels.reduction import SUM, reduce
from nkeras_numba_cuda.launch import FLOATING
from nkeras_numba_cuda.memory import Array, array_module, constant, contiguous, empty


@device_function
def sigmoid(x: Any, one: Any) -> Any:
    """Between 0 and 1; `one` is 1 in the dtype of x."""
    return one / (one + exponential(-x))


def has_kernel(state: Array, x: Array) -> bool:
    """Whether our kernels take these."""
    return state.dtype.name in FLOATING and bool(state.size and x.size)


def inputs(x: Array, kernel: Array | None, bias: Array | None) -> Array:
    """The products of all steps; x are products already where there is no kernel."""
    if kernel is not None:
        return dense(x, kernel, bias, activation="linear")
    return contiguous(x if bias is None else x + bias)


def mask_or_nothing(mask: Array | None) -> Array:
    """The mask as kernels take it: one element that no kernel reads where there is none."""
    return constant(b"\1", (1,), "bool") if mask is None else contiguous(mask)


def values_or(array: Array | None, other: Array) -> Array:
    """What a kernel gets in place of an array that is not there, and does not touch."""
    return other if array is None else contiguous(array)


def before(first: Array, later: Array, reverse: bool) -> Array:
    """What was there before each step: `first`, then what each step but the last made."""
    states = empty(later.shape, later.dtype)
    if reverse:
        states[:, -1] = first
        states[:, :-1] = later[:, 1:]
    else:
        states[:, 0] = first
        states[:, 1:] = later[:, :-1]
    return states


def kept(mask: Array | None, step: int, new: Array, old: Array) -> Array:
    """The new values of the sequences that have this step, the old ones of the others."""
    return new if mask is None else array_module().where(mask[:, step, None], new, old)


def inputs_grad(grad_z: Array, x: Array, kernel: Array | None, by_x: bool) -> tuple[Any, Any]:
    """Gradients of the products of all steps by x and kernel."""
    if kernel is None:
        return (grad_z if by_x else None), None
    rows = contiguous(x).reshape(-1, x.shape[-1])
    grad_kernel = matmul(rows.T, grad_z.reshape(-1, grad_z.shape[-1]))
    return matmul(grad_z, kernel.T) if by_x else None, grad_kernel


def bias_grad(grad_z: Array, bias: Array | None) -> Array | None:
    """The gradient by the bias, where there is one."""
    return None if bias is None else reduce(SUM, grad_z, (0, 1))


def or_zeros(grad: Array | None, like: Array) -> Array:
    """A gradient, or zeros where nothing flows back."""
    if grad is not None:
        return contiguous(grad)
    zeros = empty(like.shape, like.dtype)
    zeros.fill(0)
    return zeros


def steps(time: int, reverse: bool) -> list[int]:
    """The steps as they are computed."""
    return list(range(time))[:: -1 if reverse else 1]


def neighbour(reverse: bool) -> int:
    """Where the step before stands, from a step on."""
    return 1 if reverse else -1
