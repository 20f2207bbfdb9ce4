"""Linear systems and inverses of matrices."""

from __future__ import annotations

import numpy as np

from nkeras.core import dtypes, missing
from nkeras.core.primitive import op, primitive, promoted, to_floating, to_tensor
from nkeras.core.spec import Spec, Typed, broadcast_shapes
from nkeras.core.tape import sum_to
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.complexes import conj
from nkeras.ops.creation import tril, triu
from nkeras.ops.matrix_product import adjoint, matmul_
from nkeras.ops.shape import expand_dims, squeeze, turned


def check_matrix(x: Typed, owner: str, *, square: bool = False, argument: str = "x") -> None:
    """Refuse what is no matrix, or no square one.

    Raises:
        ValueError: the rank is below 2, or the last two sizes differ.
    """
    if len(x.shape) < 2:
        raise ValueError(
            f"{owner}: argument `{argument}` must be a matrix or a batch of matrices, of rank 2 or "
            f"more. Received shape {x.shape}"
        )
    if square and x.shape[-1] != x.shape[-2]:
        raise ValueError(
            f"{owner}: argument `{argument}` must be square, its last two sizes equal. Received "
            f"shape {x.shape}"
        )


def _solution(a: Typed, b: Typed, owner: str) -> Spec:
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"{owner}: a matrix of shape {a.shape} needs {a.shape[-1]} rows of `b`. Received "
            f"`b` of shape {b.shape}"
        )
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2], owner=owner)
    return Spec((*batch, *b.shape[-2:]), b.dtype)


@primitive(outputs=("solution",), takes_complex=True)
def solve_(a: Typed, b: Typed) -> Spec:
    """X with `a @ x = b`, in batches."""
    return _solution(a, b, "solve")


@solve_.vjp("a", "b")
def _(
    grad_solution: Tensor, a: Tensor, solution: Tensor, a_spec: Spec, b_spec: Spec
) -> tuple[Tensor, Tensor]:
    grad_b = solve_(turned(a), grad_solution)
    grad_a = -matmul_(grad_b, turned(solution))
    return sum_to(grad_a, a_spec), sum_to(grad_b, b_spec)


@primitive(outputs=("solution",), takes_complex=True)
def solve_triangular_(a: Typed, b: Typed, *, lower: bool) -> Spec:
    """X with `a @ x = b`, where only one triangle of a counts."""
    return _solution(a, b, "solve_triangular")


@solve_triangular_.vjp("a", "b")
def _(
    grad_solution: Tensor, a: Tensor, solution: Tensor, a_spec: Spec, b_spec: Spec, lower: bool
) -> tuple[Tensor, Tensor]:
    grad_b = solve_triangular_(turned(a), grad_solution, lower=not lower)
    grad_a = -matmul_(grad_b, turned(solution))
    grad_a = tril(grad_a) if lower else triu(grad_a)
    return sum_to(grad_a, a_spec), sum_to(grad_b, b_spec)


@primitive(outputs=("inverse",), takes_complex=True)
def _pinv(x: Typed, *, rcond: float) -> Spec:
    """The pseudoinverse; small singular values count as zero."""
    return Spec((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)


@_pinv.vjp("x")
def _(grad_inverse: Tensor, x: Tensor, inverse: Tensor) -> Tensor:
    """Source: Golub and Pereyra (1973), for matrices whose rank stays as it is."""
    across = adjoint(inverse)
    plain = matmul_(matmul_(turned(inverse), grad_inverse), turned(inverse))
    grad = turned(grad_inverse)
    left = matmul_(grad - matmul_(x, matmul_(inverse, grad)), matmul_(inverse, across))
    right = matmul_(matmul_(across, inverse), grad - matmul_(matmul_(grad, inverse), x))
    return conj(left + right) - plain


def _operands(a: TensorLike, b: TensorLike, owner: str) -> tuple[Tensor, Tensor, bool]:
    """Both as matrices of one floating dtype, and whether b held vectors."""
    a, b = promoted(to_floating(a), to_floating(b))
    check_matrix(a, owner, square=True, argument="a")
    if not b.shape:
        raise ValueError(f"{owner}: argument `b` must be a vector or a matrix. Received a scalar.")
    is_vector = len(b.shape) == 1 or b.shape == a.shape[:-1]
    return a, (expand_dims(b, -1) if is_vector else b), is_vector


@op
def solve(a: TensorLike, b: TensorLike) -> Tensor:
    """The solution x of linear systems `a @ x = b`.

    Args:
        a: tensor `(..., size, size)`.
        b: tensor `(..., size, columns)`, or `(size,)`, or `(..., size)` of the sizes of `a` but the
            last, for one column each.

    Returns:
        Tensor of the shape of `b`; NaN where a matrix is singular.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> import nkeras
        >>> nkeras.ops.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).numpy()
        array([1. , 0.5], dtype=float32)

    Source: https://keras.io/api/ops/linalg/
    """
    a, b, is_vector = _operands(a, b, "solve")
    solution = solve_(a, b)
    return squeeze(solution, -1) if is_vector else solution


@op
def solve_triangular(a: TensorLike, b: TensorLike, lower: bool = False) -> Tensor:
    """The solution x of linear systems `a @ x = b` with triangular matrices.

    Args:
        a: tensor `(..., size, size)`, of which only one triangle is read.
        b: tensor `(..., size, columns)`, or `(size,)`, or `(..., size)` of the sizes of `a` but the
            last, for one column each.
        lower: whether it is the lower triangle, not the upper one.

    Returns:
        Tensor of the shape of `b`; NaN where a diagonal has a 0.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> import nkeras
        >>> nkeras.ops.solve_triangular([[2.0, 0.0], [2.0, 4.0]], [2.0, 6.0], lower=True).numpy()
        array([1., 1.], dtype=float32)

    Source: https://keras.io/api/ops/linalg/
    """
    a, b, is_vector = _operands(a, b, "solve_triangular")
    solution = solve_triangular_(a, b, lower=bool(lower))
    return squeeze(solution, -1) if is_vector else solution


@op
def inv(x: TensorLike) -> Tensor:
    """The inverse of square matrices.

    Args:
        x: tensor `(..., size, size)`.

    Returns:
        Tensor of the same shape; NaN where a matrix is singular.

    Raises:
        ValueError: the last two sizes differ.

    Example:
        >>> import nkeras
        >>> nkeras.ops.inv([[2.0, 0.0], [0.0, 4.0]]).numpy()
        array([[0.5 , 0.  ],
               [0.  , 0.25]], dtype=float32)

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    check_matrix(x, "inv", square=True)
    return inverse_of(x)


def inverse_of(x: Tensor) -> Tensor:
    """The inverse of a tensor of square matrices."""
    return solve_(x, to_tensor(np.eye(x.shape[-1]), x.dtype))


@op
def cholesky_inverse(x: TensorLike, upper: bool = False) -> Tensor:
    """The inverse of a positive definite matrix, given its Cholesky factor.

    Args:
        x: tensor `(..., size, size)`: the factor, a triangle.
        upper: whether it is the upper triangle, not the lower one.

    Returns:
        Tensor of the same shape: the inverse of `x @ adjoint(x)`, or of `adjoint(x) @ x` if upper.

    Raises:
        ValueError: the last two sizes differ.

    Example:
        >>> import nkeras
        >>> nkeras.ops.cholesky_inverse([[2.0, 0.0], [0.0, 1.0]]).numpy()
        array([[0.25, 0.  ],
               [0.  , 1.  ]], dtype=float32)

    Source: https://keras.io/api/ops/linalg/; in batches each matrix is transposed by itself.
    """
    x = to_floating(x)
    check_matrix(x, "cholesky_inverse", square=True)
    inverse = solve_triangular_(x, to_tensor(np.eye(x.shape[-1]), x.dtype), lower=not upper)
    across = adjoint(inverse)
    return matmul_(inverse, across) if upper else matmul_(across, inverse)


@op
def pinv(x: TensorLike, rcond: float | None = None) -> Tensor:
    """The Moore-Penrose pseudoinverse of matrices.

    Args:
        x: tensor `(..., rows, columns)`.
        rcond: singular values up to `rcond` times the largest one count as zero; by default 10
            times the larger size times the dtype's epsilon.

    Returns:
        Tensor `(..., columns, rows)`.

    Raises:
        ValueError: the rank is below 2.

    Example:
        >>> import nkeras
        >>> nkeras.ops.pinv([[2.0], [0.0]]).numpy()
        array([[0.5, 0. ]], dtype=float32)

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    check_matrix(x, "pinv")
    least = 10 * max(x.shape[-2:]) * dtypes.epsilon(x.dtype) if rcond is None else float(rcond)
    return _pinv(x, rcond=least)


@op
def lstsq(a: TensorLike, b: TensorLike, rcond: float | None = None) -> Tensor:
    """The x with the least sum of squares of `a @ x - b`, of those the shortest.

    Args:
        a: tensor `(rows, columns)`.
        b: tensor `(rows,)` or `(rows, others)`.
        rcond: singular values of `a` up to `rcond` times the largest one count as zero; by default
            the larger size times the dtype's epsilon.

    Returns:
        Tensor `(columns,)` or `(columns, others)`.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> import nkeras
        >>> nkeras.ops.lstsq([[1.0], [1.0]], [1.0, 3.0]).numpy().round(3)
        array([2.], dtype=float32)

    Source: https://keras.io/api/ops/linalg/
    """
    a, b = promoted(to_floating(a), to_floating(b))
    if len(a.shape) != 2 or len(b.shape) not in (1, 2) or b.shape[0] != a.shape[0]:
        raise ValueError(
            "lstsq: `a` must have shape (rows, columns), `b` (rows,) or (rows, others). Received "
            f"shapes {a.shape} and {b.shape}"
        )
    least = max(a.shape) * dtypes.epsilon(a.dtype) if rcond is None else float(rcond)
    inverse = _pinv(a, rcond=least)
    if len(b.shape) == 2:
        return matmul_(inverse, b)
    return squeeze(matmul_(inverse, expand_dims(b, -1)), -1)


missing.explain(__name__)
