"""A dense layer's work as one primitive: product, bias and activation."""

from __future__ import annotations

import math
from typing import Any

from nkeras.core.primitive import op, primitive, promoted, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.ops.activation import relu
from nkeras.ops.elementwise import add
from nkeras.ops.linalg import _matmul, matmul
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import shaped, turned


@primitive()
def _dense(x: Typed, kernel: Typed, bias: Typed | None, *, activation: str) -> Spec:
    if len(x.shape) < 1 or len(kernel.shape) != 2 or x.shape[-1] != kernel.shape[0]:
        raise ValueError(f"dense: x {x.shape} and kernel {kernel.shape} do not fit.")
    if kernel.shape[0] == 0:
        raise ValueError(f"dense: the kernel {kernel.shape} has no inputs.")
    if bias is not None and bias.shape != kernel.shape[1:]:
        raise ValueError(f"dense: bias must have shape {kernel.shape[1:]}, received {bias.shape}.")
    if activation not in ("linear", "relu"):
        raise ValueError(f'dense: activation must be "linear" or "relu", received {activation!r}.')
    return Spec((*x.shape[:-1], kernel.shape[1]), x.dtype)


@_dense.decomposition
def _(x: Any, kernel: Any, bias: Any, *, activation: str) -> Any:
    y = matmul(x, kernel)
    y = y if bias is None else add(y, bias)
    return relu(y) if activation == "relu" else y


@_dense.vjp("x", "kernel", "bias")
def _(
    grad_y: Any, x: Any, kernel: Any, y: Any, activation: str, wanted: frozenset[str]
) -> tuple[Any, Any, Any]:
    grad = grad_y
    if activation == "relu":
        grad = relu.rule("x").function(grad_y=grad_y, y=y, x_spec=y)  # type: ignore[union-attr]
    count = math.prod(x.shape[:-1])
    rows, grad_rows = shaped(x, (count, x.shape[-1])), shaped(grad, (count, grad.shape[-1]))
    return (
        shaped(_matmul(grad_rows, turned(kernel)), x.shape) if "x" in wanted else None,
        _matmul(turned(rows), grad_rows) if "kernel" in wanted else None,
        reduce_sum(grad_rows, axis=(0,), keepdims=False) if "bias" in wanted else None,
    )


@op
def dense(x: Any, kernel: Any, bias: Any = None, activation: str = "linear") -> Any:
    """`activation(x @ kernel + bias)`, as one kernel.

    Args:
        x: tensor `(..., inputs)`.
        kernel: tensor `(inputs, units)`.
        bias: tensor `(units,)` or None.
        activation: `"linear"` or `"relu"`.

    Returns:
        Tensor `(..., units)`, of the promoted dtype.

    Raises:
        ValueError: shapes do not fit, or another activation.

    Example:
        >>> import numpy as np
        >>> from nkeras.ops.dense import dense
        >>> x, kernel = np.ones((1, 2), "float32"), -np.ones((2, 3), "float32")
        >>> dense(x, kernel, activation="relu").numpy()
        array([[0., 0., 0.]], dtype=float32)
    """
    x, kernel = promoted(x, kernel)
    return _dense(x, kernel, to_tensor(bias, x.dtype), activation=activation)
