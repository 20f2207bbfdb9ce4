"""A layer's Einstein sum with a bias: one dense kernel wherever it is a plain product."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from nkeras.core.primitive import op, promoted, to_tensor
from nkeras.core.spec import Shape
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.dense import dense
from nkeras.ops.einsum import einsum, names_of_axes
from nkeras.ops.elementwise import add
from nkeras.ops.shape import shaped, transpose


class _Product(NamedTuple):
    """An equation as a product of matrices.

    Attributes:
        x_axes: the order of x in which its inner axes are the last ones.
        kernel_axes: the order of the kernel in which the same axes are the first ones.
        inner: how many these are.
    """

    x_axes: tuple[int, ...]
    kernel_axes: tuple[int, ...]
    inner: int


@op
def einsum_dense(
    subscripts: str, x: TensorLike, kernel: TensorLike, bias: TensorLike | None = None
) -> Tensor:
    """`einsum(subscripts, x, kernel) + bias`, as one kernel where the equation allows it.

    It does where the result has the axes of x that are left, then those of the kernel.

    Args:
        subscripts: names of the axes, as `"abc,cd->abd"`.
        x: tensor.
        kernel: tensor.
        bias: tensor that broadcasts against the result, or None.

    Returns:
        Tensor, of the promoted dtype.

    Raises:
        ValueError: the names do not fit the shapes.

    Example:
        >>> import nkeras
        >>> from nkeras.ops.einsum_dense import einsum_dense
        >>> x, kernel = nkeras.ops.ones((2, 5, 8)), nkeras.ops.ones((8, 2, 4))
        >>> einsum_dense("abc,cde->abde", x, kernel, nkeras.ops.ones((2, 4))).shape
        (2, 5, 2, 4)
    """
    x, kernel = promoted(x, kernel)
    bias = to_tensor(bias, x.dtype)
    product = as_matrices(subscripts, x, kernel)
    if product is not None:
        fused = bias is None or bias.shape == product.units
        flat = shaped(bias, product.kernel.shape[1:]) if bias is not None and fused else None
        y = shaped(dense(product.x, product.kernel, flat), product.shape)
        return y if bias is None or fused else add(y, bias)
    y = einsum(subscripts, x, kernel)
    return y if bias is None else add(y, bias)


class Matrices(NamedTuple):
    """The operands of an equation that is a plain product, as matrices.

    Attributes:
        x: `(..., inner)`.
        kernel: `(inner, units)`.
        units: sizes of the axes that come from the kernel.
        shape: of the result.
    """

    x: Tensor
    kernel: Tensor
    units: Shape
    shape: Shape


def as_matrices(subscripts: str, x: Tensor, kernel: Tensor) -> Matrices | None:
    """The operands as matrices, or None where the equation is no plain product.

    Args:
        subscripts: names of the axes.
        x: tensor.
        kernel: tensor.
    """
    product = _as_product(subscripts, len(x.shape), len(kernel.shape))
    if product is None:
        return None
    left, right = transpose(x, product.x_axes), transpose(kernel, product.kernel_axes)
    lead, inner = left.shape[: -product.inner], left.shape[-product.inner :]
    units = right.shape[product.inner :]
    length, width = math.prod(inner), math.prod(units)
    if inner != right.shape[: product.inner] or not length:
        return None
    matrices = shaped(left, (*lead, length)), shaped(right, (length, width))
    return Matrices(*matrices, units, (*lead, *units))


@lru_cache(1024)
def _as_product(subscripts: str, x_rank: int, kernel_rank: int) -> _Product | None:
    """How an equation is a product of two matrices, or None where it is something else."""
    (x, kernel), output = names_of_axes(subscripts, (x_rank, kernel_rank))
    lead = [name for name in x if name not in kernel]
    inner = [name for name in x if name in kernel]
    units = [name for name in output if name in kernel]
    is_plain = (
        len({*x}) == len(x)
        and len({*kernel}) == len(kernel)
        and 0 < len(inner) < len(x)
        and len(inner) + len(units) == len(kernel)
        and list(output) == [*(name for name in output if name in lead), *units]
        and {*lead, *units} == {*output}
        and not {*inner} & {*output}
    )
    if not is_plain:
        return None
    lead = output[: len(lead)]
    return _Product(
        tuple(x.index(name) for name in (*lead, *inner)),
        tuple(kernel.index(name) for name in (*inner, *units)),
        len(inner),
    )
