"""A dense layer by a product of 8 bit integers."""

from __future__ import annotations

from nkeras.core.primitive import op, primitive, promoted, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.elementwise import absolute, add, clip, divide, multiply
from nkeras.ops.matrix_product import matmul
from nkeras.ops.numeric import round
from nkeras.ops.reduction import max, reduce_sum
from nkeras.ops.shape import cast, turned


@primitive(flat=("kernel", "scale"))
def _int8_dense(
    x: Typed,
    kernel: Typed,
    scale: Typed,
    bias: Typed | None,
    *,
    low: int,
    high: int,
    epsilon: float,
) -> Spec:
    if kernel.dtype != "int8" or len(kernel.shape) != 2 or x.shape[-1] != kernel.shape[0]:
        raise ValueError(
            f"int8_dense: x {x.shape} and kernel {kernel.shape}, {kernel.dtype}, do not fit."
        )
    for name, vector in (("scale", scale), ("bias", bias)):
        if vector is not None and vector.shape != kernel.shape[1:]:
            raise ValueError(
                f"int8_dense: {name} must have shape {kernel.shape[1:]}, received {vector.shape}."
            )
    return Spec((*x.shape[:-1], kernel.shape[1]), x.dtype)


@_int8_dense.decomposition
def _(
    x: Tensor,
    kernel: Tensor,
    scale: Tensor,
    bias: Tensor | None,
    low: int,
    high: int,
    epsilon: float,
) -> Tensor:
    own = divide(high, add(max(absolute(x), axis=-1, keepdims=True), epsilon))
    integers = cast(clip(round(multiply(x, own)), low, high), "int8")
    sums = matmul(integers, kernel)
    y = divide(cast(sums, x.dtype), multiply(scale, own))
    return y if bias is None else add(y, bias)


@_int8_dense.vjp("x")
def _(grad_y: Tensor, kernel: Tensor, scale: Tensor) -> Tensor:
    """As if nothing had been rounded, which is how Keras has it."""
    return matmul(grad_y, turned(divide(cast(kernel, grad_y.dtype), scale)))


@_int8_dense.vjp("bias")
def _(grad_y: Tensor) -> Tensor:
    return reduce_sum(grad_y, axis=tuple(range(len(grad_y.shape) - 1)), keepdims=False)


@op
def int8_dense(
    x: TensorLike,
    kernel: TensorLike,
    scale: TensorLike,
    bias: TensorLike | None = None,
    *,
    value_range: tuple[int, int] = (-127, 127),
    epsilon: float = 1e-7,
) -> Tensor:
    """`x @ (kernel / scale) + bias` by a product of integers: each row of x is quantized.

    Args:
        x: float tensor `(..., inputs)`.
        kernel: int8 tensor `(inputs, units)`.
        scale: float tensor `(units,)`.
        bias: float tensor `(units,)` or None.
        value_range: least and largest integer that a row of x becomes.
        epsilon: small number that keeps the scale of a row finite.

    Returns:
        Float tensor `(..., units)`. Its gradient is that of the floats.

    Example:
        >>> import nkeras
        >>> from nkeras.ops.quantized import int8_dense
        >>> kernel = nkeras.ops.array([[64], [-127]], dtype="int8")
        >>> int8_dense([[1.0, 2.0]], kernel, [127.0]).numpy().round(2)
        array([[-1.49]], dtype=float32)
    """
    x, scale = promoted(x, scale)
    low, high = value_range
    b = to_tensor(bias, x.dtype)
    return _int8_dense(x, to_tensor(kernel), scale, b, low=low, high=high, epsilon=epsilon)
