"""Matrix products."""

from __future__ import annotations

from nkeras.core import missing
from nkeras.core.primitive import op, primitive, promoted
from nkeras.core.spec import Spec, Typed, broadcast_shapes, has_unknown
from nkeras.core.tape import sum_to
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.complexes import conj
from nkeras.ops.shape import cast, expand_dims, squeeze, turned


@primitive(outputs=("product",), takes_complex=True)
def matmul_(x: Typed, y: Typed) -> Spec:
    """Product of matrices, in batches."""
    if x.shape[-1] != y.shape[-2] and not has_unknown(x.shape[-1:], y.shape[-2:-1]):
        raise ValueError(
            f"matmul: shapes {x.shape} and {y.shape} do not fit: the last size of x1 "
            f"({x.shape[-1]}) must equal the second to last size of x2 ({y.shape[-2]})."
        )
    if len(x.shape) == len(y.shape) == 2:
        return Spec((x.shape[0], y.shape[1]), x.dtype)
    batch = broadcast_shapes(x.shape[:-2], y.shape[:-2], owner="matmul")
    return Spec((*batch, x.shape[-2], y.shape[-1]), x.dtype)


@matmul_.vjp("x")
def _(grad_product: Tensor, x_spec: Spec, y: Tensor) -> Tensor:
    return sum_to(matmul_(grad_product, turned(y)), x_spec)


@matmul_.vjp("y")
def _(grad_product: Tensor, x: Tensor, y_spec: Spec) -> Tensor:
    return sum_to(matmul_(turned(x), grad_product), y_spec)


def adjoint(x: Tensor) -> Tensor:
    """Conjugated, with the last two axes exchanged."""
    return conj(turned(x))


@primitive(outputs=("product",), flat=("x", "y"))
def int8_matmul(x: Typed, y: Typed) -> Spec:
    """Product of matrices of int8, in batches, as int32."""
    if x.dtype != "int8" or y.dtype != "int8":
        raise ValueError(f"int8_matmul: int8 is needed. Received: {x.dtype} and {y.dtype}")
    if x.shape[-1] != y.shape[-2] and not has_unknown(x.shape[-1:], y.shape[-2:-1]):
        raise ValueError(
            f"matmul: shapes {x.shape} and {y.shape} do not fit: the last size of x1 "
            f"({x.shape[-1]}) must equal the second to last size of x2 ({y.shape[-2]})."
        )
    batch = broadcast_shapes(x.shape[:-2], y.shape[:-2], owner="matmul")
    return Spec((*batch, x.shape[-2], y.shape[-1]), "int32")


@int8_matmul.decomposition
def _(x: Tensor, y: Tensor) -> Tensor:
    return matmul_(cast(x, "int32"), cast(y, "int32"))


@op
def matmul(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Matrix product; leading axes broadcast; vectors are treated as in NumPy.

    Args:
        x1: tensor `(..., rows, inner)` or `(inner,)`.
        x2: tensor `(..., inner, columns)` or `(inner,)`.

    Returns:
        Tensor `(..., rows, columns)`, of the promoted dtype; int32 for two tensors of int8.

    Raises:
        ValueError: the inner sizes differ, or an argument has rank 0.

    Example:
        >>> import nkeras
        >>> nkeras.ops.matmul([[1.0, 2.0]], [[3.0], [4.0]]).numpy()
        array([[11.]], dtype=float32)
    """
    x1, x2 = promoted(x1, x2)
    product_of = int8_matmul if x1.dtype == "int8" else matmul_
    if len(x1.shape) == len(x2.shape) == 2:
        return product_of(x1, x2)
    if not x1.shape or not x2.shape:
        raise ValueError(f"matmul: arguments must not be scalars. Shapes: {x1.shape}, {x2.shape}")
    is_row, is_column = len(x1.shape) == 1, len(x2.shape) == 1
    left = expand_dims(x1, 0) if is_row else x1
    product = product_of(left, expand_dims(x2, 1) if is_column else x2)
    if is_column:
        product = squeeze(product, -1)
    return squeeze(product, -1 if is_column else -2) if is_row else product


missing.explain(__name__)
