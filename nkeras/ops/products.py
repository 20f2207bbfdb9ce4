"""Products of vectors, matrices and tensors, all through `matmul`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from nkeras.core import dtypes, tape
from nkeras.core.errors import refuse
from nkeras.core.primitive import op, primitive, promoted, to_tensor
from nkeras.core.spec import Spec, Typed, broadcast_shapes, normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.arranging import moveaxis
from nkeras.ops.complexes import conj
from nkeras.ops.convolution import conv
from nkeras.ops.elementwise import multiply, root_of_squares
from nkeras.ops.matrix_product import matmul
from nkeras.ops.padding import pad
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import broadcast_to, cast, flip, reshape, stack, transpose, turned
from nkeras.ops.subscripts import getitem


@op
def tensordot(
    x1: TensorLike, x2: TensorLike, axes: int | Sequence[int | Sequence[int]] = 2
) -> Tensor:
    """Sum of products over pairs of axes.

    Args:
        x1: tensor.
        x2: tensor.
        axes: how many last axes of `x1` meet the first ones of `x2`, or two sequences of axes.

    Returns:
        Tensor: the other axes of `x1`, then those of `x2`.

    Raises:
        ValueError: the sizes of the axes differ.

    Example:
        >>> import nkeras
        >>> nkeras.ops.tensordot(nkeras.ops.ones((2, 3, 4)), nkeras.ops.ones((4, 3)), 1).shape
        (2, 3, 3)
    """
    x1, x2 = promoted(x1, x2)
    rank1, rank2 = len(x1.shape), len(x2.shape)
    if isinstance(axes, Iterable):
        given = [list(axis) if isinstance(axis, Iterable) else [axis] for axis in axes]
        if len(given) != 2 or len(given[0]) != len(given[1]):
            refuse("axes", axes, "an int or two equally long sequences of axes", "tensordot")
        first = [normalize_axis(int(a), rank1, "tensordot") for a in given[0]]
        second = [normalize_axis(int(a), rank2, "tensordot") for a in given[1]]
    else:
        if not 0 <= axes <= min(rank1, rank2):
            refuse("axes", axes, f"in [0, {min(rank1, rank2)}]", "tensordot")
        first, second = list(range(rank1 - axes, rank1)), list(range(axes))
    if [x1.shape[a] for a in first] != [x2.shape[b] for b in second]:
        raise ValueError(
            f"tensordot: the axes {first} of {x1.shape} and {second} of {x2.shape} have "
            "different sizes."
        )
    free1 = [a for a in range(rank1) if a not in first]
    free2 = [b for b in range(rank2) if b not in second]
    inner = math.prod(x1.shape[a] for a in first)
    shape1, shape2 = [x1.shape[a] for a in free1], [x2.shape[b] for b in free2]
    left = reshape(transpose(x1, (*free1, *first)), (math.prod(shape1), inner))
    right = reshape(transpose(x2, (*second, *free2)), (inner, math.prod(shape2)))
    return cast(reshape(matmul(left, right), (*shape1, *shape2)), left.dtype)


@op
def dot(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Sum over the last axis of `x1` and the second to last of `x2`; scalars multiply.

    Args:
        x1: tensor.
        x2: tensor.

    Returns:
        Tensor: the other axes of `x1`, then those of `x2`.
    """
    x1, x2 = promoted(x1, x2)
    if not x1.shape or not x2.shape:
        return multiply(x1, x2)
    return tensordot(x1, x2, [[-1], [max(len(x2.shape) - 2, 0)]])


@op
def inner(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Sum over the last axes of both; scalars multiply."""
    x1, x2 = promoted(x1, x2)
    if not x1.shape or not x2.shape:
        return multiply(x1, x2)
    return tensordot(x1, x2, [[-1], [-1]])


@op
def outer(x1: TensorLike, x2: TensorLike) -> Tensor:
    """All products of an element of `x1` and one of `x2`, both flattened."""
    return multiply(reshape(x1, (-1, 1)), reshape(x2, (1, -1)))


@op
def vdot(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Sum of products of the elements of two flattened tensors, the first one conjugated."""
    left, right = promoted(reshape(x1, -1), reshape(x2, -1))
    return cast(matmul(conj(left), right), left.dtype)


@op
def kron(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Each element of `x1` times the whole of `x2`, as blocks.

    Args:
        x1: tensor.
        x2: tensor; the shorter shape is filled with 1 from the left.

    Returns:
        Tensor whose sizes are the products of the sizes.
    """
    x1, x2 = to_tensor(x1), to_tensor(x2)
    rank = max(len(x1.shape), len(x2.shape))
    shape1 = (1,) * (rank - len(x1.shape)) + x1.shape
    shape2 = (1,) * (rank - len(x2.shape)) + x2.shape
    if not rank:
        return multiply(x1, x2)
    # Whole lines of both first, which is little: what is left are products of lines.
    line = shape1[-1] * shape2[-1]
    each = reshape(x1, (*shape1, 1))
    side = reshape(x2, (*shape2[:-1], 1, shape2[-1]))
    lines1 = reshape(broadcast_to(each, (*shape1, shape2[-1])), (*shape1[:-1], line))
    between = (*shape2[:-1], shape1[-1], shape2[-1])
    lines2 = reshape(broadcast_to(side, between), (*shape2[:-1], line))
    wide1 = [size for length in shape1[:-1] for size in (length, 1)]
    wide2 = [size for length in shape2[:-1] for size in (1, length)]
    product = multiply(reshape(lines1, (*wide1, line)), reshape(lines2, (*wide2, line)))
    return reshape(product, [a * b for a, b in zip(shape1, shape2, strict=True)])


@primitive(outputs=("normal",), takes_complex=True)
def cross_(x: Typed, y: Typed) -> Spec:
    """Cross products of vectors of three components, which stand along the last axis."""
    return Spec(x.shape, x.dtype)


@cross_.vjp("x", "y")
def _(grad_normal: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return cross_(y, grad_normal), cross_(grad_normal, x)


@op
def cross(
    x1: TensorLike,
    x2: TensorLike,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Tensor:
    """Cross product of vectors of 2 or 3 components.

    Args:
        x1: tensor.
        x2: tensor.
        axisa: the components' axis in `x1`.
        axisb: the components' axis in `x2`.
        axisc: the components' axis in the result; of two plane vectors it has none.
        axis: one axis for all three.

    Returns:
        Tensor.

    Raises:
        ValueError: vectors of another size.
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x1, x2 = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    if x1.shape[-1] not in (2, 3) or x2.shape[-1] not in (2, 3):
        raise ValueError(
            "cross: vectors must have 2 or 3 components. Received shapes "
            f"{x1.shape} and {x2.shape}, components last"
        )
    if x1.shape[-1] == x2.shape[-1] == 3:
        x1, x2 = promoted(x1, x2)
        shape = broadcast_shapes(x1.shape, x2.shape, owner="cross")
        return moveaxis(cross_(broadcast_to(x1, shape), broadcast_to(x2, shape)), -1, axisc)
    a, b = ([getitem(x, (..., i)) for i in range(x.shape[-1])] for x in (x1, x2))
    height = a[0] * b[1] - a[1] * b[0]
    if len(a) == len(b) == 2:
        return height
    none = 0 * height
    a, b = (vector if len(vector) == 3 else [*vector, none] for vector in (a, b))
    parts = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], height]
    return moveaxis(stack(parts, -1), -1, axisc)


@op
def correlate(x1: TensorLike, x2: TensorLike, mode: str = "valid") -> Tensor:
    """Correlation of two vectors: sums of products at every shift.

    Args:
        x1: tensor `(size,)`.
        x2: tensor `(length,)`.
        mode: `"valid"`, `"same"` or `"full"`.

    Returns:
        Tensor of rank 1.

    Raises:
        ValueError: unknown mode, or another rank.
    """
    if mode not in ("valid", "same", "full"):
        refuse("mode", mode, '"valid", "same" or "full"', "correlate")
    x1, x2 = promoted(x1, x2)
    if len(x1.shape) != 1 or len(x2.shape) != 1:
        raise ValueError(f"correlate: vectors are needed. Received shapes {x1.shape}, {x2.shape}")
    dtype = dtypes.result_type(x1.dtype, float)
    exchanged = x1.shape[0] < x2.shape[0]
    longer, shorter = (x2, x1) if exchanged else (x1, x2)
    reach = shorter.shape[0] - 1
    low = {"valid": 0, "same": reach - reach // 2, "full": reach}[mode]
    high = {"valid": 0, "same": reach - low, "full": reach}[mode]
    line = pad(cast(longer, dtype), (low, high))
    y = conv(
        reshape(line, (1, -1, 1)),
        reshape(cast(shorter, dtype), (-1, 1, 1)),
        data_format="channels_last",
    )
    y = reshape(y, -1)
    return flip(y) if exchanged else y


@op
def cdist(x: TensorLike, y: TensorLike) -> Tensor:
    """Euclidean distances between all pairs of rows.

    Args:
        x: tensor `(..., rows, features)`.
        y: tensor `(..., others, features)`.

    Returns:
        Tensor `(..., rows, others)`.
    """
    x, y = promoted(x, y)
    dtype = dtypes.result_type(x.dtype, float)
    return root_of_squares(_cdist_squared(cast(x, dtype), cast(y, dtype)))


@primitive(outputs=("squares",))
def _cdist_squared(x: Typed, y: Typed) -> Spec:
    """Sums of squared differences of all pairs of rows."""
    if min(len(x.shape), len(y.shape)) < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(
            "cdist: `x` (..., rows, features) and `y` (..., others, features) are needed. Received "
            f"shapes {x.shape} and {y.shape}"
        )
    batch = broadcast_shapes(x.shape[:-2], y.shape[:-2], owner="cdist")
    return Spec((*batch, x.shape[-2], y.shape[-2]), x.dtype)


@_cdist_squared.vjp("x")
def _(grad_squares: Tensor, x: Tensor, y: Tensor, x_spec: Spec) -> Tensor:
    return tape.sum_to(_pulls(grad_squares, x, y), x_spec)


@_cdist_squared.vjp("y")
def _(grad_squares: Tensor, x: Tensor, y: Tensor, y_spec: Spec) -> Tensor:
    return tape.sum_to(_pulls(turned(grad_squares), y, x), y_spec)


def _pulls(grad: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The gradient by the rows of x: to each other row, twice the difference times its weight."""
    weights = reduce_sum(grad, axis=(len(grad.shape) - 1,), keepdims=True)
    return 2.0 * (weights * x - matmul(grad, y))
