"""A dense layer's work as one primitive: product and bias."""

from __future__ import annotations

import math

from nkeras.core import dtypes
from nkeras.core.gradient_rule import gradient_through
from nkeras.core.primitive import op, primitive, promoted, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients, TensorLike
from nkeras.ops.elementwise import add
from nkeras.ops.matrix_product import matmul, matmul_
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import shaped, turned


@primitive(epilogues=("relu", "relu6", "add"))
def _dense(x: Typed, kernel: Typed, bias: Typed | None, *, activation: str) -> Spec:
    if len(x.shape) < 1 or len(kernel.shape) != 2 or x.shape[-1] != kernel.shape[0]:
        raise ValueError(f"dense: x {x.shape} and kernel {kernel.shape} do not fit.")
    if kernel.shape[0] == 0:
        raise ValueError(f"dense: the kernel {kernel.shape} has no inputs.")
    if bias is not None and bias.shape != kernel.shape[1:]:
        raise ValueError(f"dense: bias must have shape {kernel.shape[1:]}, received {bias.shape}.")
    return Spec((*x.shape[:-1], kernel.shape[1]), x.dtype)


@_dense.decomposition
def _(x: Tensor, kernel: Tensor, bias: Tensor | None, *, activation: str) -> Tensor:
    y = matmul(x, kernel)
    return y if bias is None else add(y, bias)


@_dense.vjp("x", "kernel", "bias")
def _(grad_y: Tensor, x: Tensor, kernel: Tensor, wanted: frozenset[str]) -> Gradients:
    by = tuple([name for name in ("x", "kernel", "bias") if name in wanted])
    return _dense_grad(grad_y, x, kernel, by=by)


@primitive(outputs=("grad_x", "grad_kernel", "grad_bias"))
def _dense_grad(
    grad_y: Typed, x: Typed, kernel: Typed, *, by: tuple[str, ...]
) -> tuple[Spec | None, Spec | None, Spec | None]:
    """The gradients by those arguments of `dense` that `by` names, None for the others."""
    return (
        Spec(x.shape, x.dtype) if "x" in by else None,
        Spec(kernel.shape, x.dtype) if "kernel" in by else None,
        Spec(kernel.shape[1:], x.dtype) if "bias" in by else None,
    )


@_dense_grad.decomposition
def _dense_grads(
    grad_y: Tensor, x: Tensor, kernel: Tensor, by: tuple[str, ...]
) -> tuple[Tensor | None, ...]:
    rows = math.prod(x.shape[:-1])
    flat_x, grad = shaped(x, (rows, x.shape[-1])), shaped(grad_y, (rows, kernel.shape[1]))
    return (
        shaped(matmul_(grad, turned(kernel)), x.shape) if "x" in by else None,
        matmul_(turned(flat_x), grad) if "kernel" in by else None,
        reduce_sum(grad, axis=(0,), keepdims=False) if "bias" in by else None,
    )


@_dense_grad.vjp("grad_y", "x", "kernel")
def _(
    grad_y: Tensor,
    x: Tensor,
    kernel: Tensor,
    by: tuple[str, ...],
    grad_grad_x: Tensor | None = None,
    grad_grad_kernel: Tensor | None = None,
    grad_grad_bias: Tensor | None = None,
) -> Gradients:
    upstream = (grad_grad_x, grad_grad_kernel, grad_grad_bias)

    def used(grad_y: Tensor, x: Tensor, kernel: Tensor) -> list[Tensor]:
        grads = _dense_grads(grad_y, x, kernel, by=by)
        return [
            grad for i, grad in enumerate(grads) if grad is not None and upstream[i] is not None
        ]

    given = [gradient for gradient in upstream if gradient is not None]
    return gradient_through(used, (grad_y, x, kernel), given)


@op
def dense(x: TensorLike, kernel: TensorLike, bias: TensorLike | None = None) -> Tensor:
    """`x @ kernel + bias`, as one kernel.

    Args:
        x: tensor `(..., inputs)`.
        kernel: tensor `(inputs, units)`.
        bias: tensor `(units,)` or None.

    Returns:
        Tensor `(..., units)`, of the promoted dtype.

    Raises:
        ValueError: shapes do not fit.

    Example:
        >>> import numpy as np
        >>> from nkeras.ops.dense import dense
        >>> x, kernel = np.ones((1, 2), "float32"), -np.ones((2, 3), "float32")
        >>> dense(x, kernel).numpy()
        array([[-2., -2., -2.]], dtype=float32)
    """
    x, kernel = promoted(x, kernel)
    if dtypes.is_complex(x.dtype):
        product = matmul(x, kernel)
        return product if bias is None else product + bias
    return _dense(x, kernel, to_tensor(bias, x.dtype), activation="linear")
