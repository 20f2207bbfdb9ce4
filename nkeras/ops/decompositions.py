"""Decompositions of matrices: Cholesky, QR, LU, eigenvalues and singular values."""

from __future__ import annotations

import numpy as np

from nkeras.core import dtypes, missing, observer
from nkeras.core.errors import short
from nkeras.core.primitive import op, primitive, to_floating, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tape import sum_to
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.complexes import conj, imag, make_complex, real
from nkeras.ops.core import where_, zeros_like
from nkeras.ops.creation import diagonal, tril, triu
from nkeras.ops.elementwise import divide_no_nan
from nkeras.ops.indexing import take_along_axis
from nkeras.ops.matrix_product import adjoint, matmul_
from nkeras.ops.padding import pad
from nkeras.ops.shape import cast, concatenate, expand_dims, turned
from nkeras.ops.solving import check_matrix, solve_, solve_triangular_
from nkeras.ops.sorting import argsort


def _identity(size: int, dtype: str) -> Tensor:
    return to_tensor(np.eye(size), dtype)


def _on_diagonal(x: Tensor) -> Tensor:
    """Rows as diagonals of square matrices."""
    size = x.shape[-1]
    return where_(to_tensor(np.eye(size, dtype=bool)), expand_dims(x, -1), to_tensor(0, x.dtype))


def _half_lower(x: Tensor) -> Tensor:
    """The lower triangle, with half of the diagonal."""
    return tril(x) * to_tensor(1 - np.eye(x.shape[-1]) / 2, x.dtype)


@primitive(outputs=("factor",), takes_complex=True)
def _cholesky(x: Typed) -> Spec:
    """The lower triangle L with `L @ adjoint(L)` equal to the Hermitian part of x."""
    return Spec(x.shape, x.dtype)


@_cholesky.vjp("x")
def _(grad_factor: Tensor, factor: Tensor) -> Tensor:
    """Source: Murray, "Differentiation of the Cholesky decomposition", arXiv 1602.07527."""
    across = adjoint(factor)
    inner = _half_lower(matmul_(across, tril(conj(grad_factor))))
    left = solve_triangular_(across, inner, lower=False)
    both = adjoint(solve_triangular_(across, adjoint(left), lower=False))
    return conj(both + adjoint(both)) * 0.5


@primitive(outputs=("q", "r"), takes_complex=True)
def _qr(x: Typed, *, mode: str) -> tuple[Spec, Spec]:
    """Orthonormal columns and an upper triangle."""
    *batch, rows, columns = x.shape
    inner = rows if mode == "complete" else min(rows, columns)
    return Spec((*batch, rows, inner), x.dtype), Spec((*batch, inner, columns), x.dtype)


@_qr.vjp("x")
def _(grad_q: Tensor, grad_r: Tensor, q: Tensor, r: Tensor, x_spec: Spec) -> Tensor:
    """Source: Roberts and Roberts, "QR and LQ decomposition", arXiv 2009.10071."""
    rows, columns = x_spec.shape[-2:]
    if q.shape[-1] > min(rows, columns):
        raise NotImplementedError(
            "qr: with mode='complete' and more rows than columns the columns of q that are added "
            f"have no derivative. Received a matrix of shape {x_spec.shape}; take mode='reduced'."
        )
    grad_q, grad_r = conj(grad_q), conj(grad_r)
    if columns <= rows:
        return conj(_qr_gradient(grad_q, grad_r, q, r))
    behind = r[..., rows:]  # of the columns behind the square, which are q @ behind
    grad_behind = grad_r[..., rows:]
    grad_q += matmul_(matmul_(q, behind), adjoint(grad_behind))
    grad = _qr_gradient(grad_q, grad_r[..., :rows], q, r[..., :rows])
    return conj(concatenate([grad, matmul_(q, grad_behind)], -1))


def _qr_gradient(grad_q: Tensor, grad_r: Tensor, q: Tensor, r: Tensor) -> Tensor:
    inner = matmul_(grad_r, adjoint(r)) - matmul_(adjoint(q), grad_q)
    half = adjoint(_half_lower(adjoint(inner)))
    right = grad_q + matmul_(q, half + adjoint(half))
    return adjoint(solve_triangular_(r, adjoint(right), lower=False))


@primitive(outputs=("both", "pivots", "order"), takes_complex=True)
def _lu(x: Typed) -> tuple[Spec, Spec, Spec]:
    """Both triangles in one array, the row exchanged in each step, and where rows come from."""
    *batch, rows, columns = x.shape
    return (
        Spec(x.shape, x.dtype),
        Spec((*batch, min(rows, columns)), "int32"),
        Spec((*batch, rows), "int32"),
    )


@_lu.vjp("x")
def _(grad_both: Tensor, both: Tensor, order: Tensor, x_spec: Spec) -> Tensor:
    """A matrix that is not square has ones added on the diagonal.

    Source: Murray, "Differentiation of the Cholesky decomposition", arXiv 1602.07527, section 4.
    """
    rows, columns = x_spec.shape[-2:]
    size, inner = max(rows, columns), min(rows, columns)
    batch = len(x_spec.shape) - 2
    widths = (*((0, 0),) * batch, (0, size - rows), (0, size - columns))
    added = to_tensor(np.diag(np.arange(size) >= inner), x_spec.dtype)
    whole, grad = pad(both, widths), pad(grad_both, widths)
    lower, upper = tril(whole, -1) + _identity(size, x_spec.dtype), triu(whole) + added
    turned_lower, turned_upper = turned(lower), turned(upper)
    middle = tril(matmul_(turned_lower, tril(grad, -1)), -1)
    middle += triu(matmul_(triu(grad), turned_upper))
    right = solve_triangular_(turned_lower, middle, lower=False)
    found = turned(solve_triangular_(upper, turned(right), lower=False))
    place = expand_dims(argsort(order, axis=-1), -1)
    return take_along_axis(found[..., :rows, :columns], place, axis=-2)


@primitive(outputs=("values", "vectors"), takes_complex=True)
def _eigh(x: Typed) -> tuple[Spec, Spec]:
    """Ascending eigenvalues and eigenvectors of the Hermitian part."""
    return Spec(x.shape[:-1], dtypes.real_of(x.dtype)), Spec(x.shape, x.dtype)


@_eigh.vjp("x")
def _(
    values: Tensor,
    vectors: Tensor,
    grad_values: Tensor | None = None,
    grad_vectors: Tensor | None = None,
) -> Tensor:
    """Vectors of equal eigenvalues have no derivative by each other: it counts as 0."""
    middle = zeros_like(vectors)
    if grad_values is not None:
        middle += _on_diagonal(grad_values)
    if grad_vectors is not None:
        middle += matmul_(adjoint(vectors), conj(grad_vectors)) * _inverse_gaps(values)
    grad = matmul_(matmul_(vectors, middle), adjoint(vectors))
    return conj(grad + adjoint(grad)) * 0.5


def _inverse_gaps(values: Tensor) -> Tensor:
    """1 / (values[j] - values[i]), 0 where they are equal."""
    gaps = expand_dims(values, -2) - expand_dims(values, -1)
    return divide_no_nan(1.0, gaps)


@primitive(outputs=("values", "vectors"), takes_complex=True)
def _eig(x: Typed) -> tuple[Spec, Spec]:
    """Eigenvalues and eigenvectors of length 1."""
    dtype = dtypes.complex_of(x.dtype)
    return Spec(x.shape[:-1], dtype), Spec(x.shape, dtype)


@_eig.vjp("x")
def _(
    values: Tensor,
    vectors: Tensor,
    x_spec: Spec,
    grad_values: Tensor | None = None,
    grad_vectors: Tensor | None = None,
) -> Tensor:
    """Vectors of equal eigenvalues have no derivative by each other: it counts as 0.

    Source: Boeddeker et al., "On the computation of complex-valued gradients", arXiv 1701.00392.
    """
    across = adjoint(vectors)
    middle = zeros_like(vectors)
    if grad_values is not None:
        middle += _on_diagonal(conj(grad_values))
    if grad_vectors is not None:
        turn = matmul_(across, conj(grad_vectors))
        length = cast(real(diagonal(turn, axis1=-2, axis2=-1)), turn.dtype)
        turn -= matmul_(across, vectors) * expand_dims(length, -2)
        middle += turn * conj(_inverse_gaps(values))
    grad = conj(solve_(across, matmul_(middle, across)))
    return sum_to(grad, x_spec)


@primitive(outputs=("u", "s", "vh"), takes_complex=True)
def svd_(x: Typed, *, full_matrices: bool) -> tuple[Spec, Spec, Spec]:
    """Left singular vectors, descending singular values, right singular vectors as rows."""
    *batch, rows, columns = x.shape
    inner = min(rows, columns)
    u, vh = (rows, columns) if full_matrices else (inner, inner)
    return (
        Spec((*batch, rows, u), x.dtype),
        Spec((*batch, inner), dtypes.real_of(x.dtype)),
        Spec((*batch, vh, columns), x.dtype),
    )


@svd_.vjp("x")
def _(
    u: Tensor,
    s: Tensor,
    vh: Tensor,
    x_spec: Spec,
    grad_u: Tensor | None = None,
    grad_s: Tensor | None = None,
    grad_vh: Tensor | None = None,
) -> Tensor:
    """Vectors of equal singular values have no derivative by each other: it counts as 0.

    Source: Townsend, "Differentiating the singular value decomposition" (2016).
    """
    inner = s.shape[-1]
    has_vectors = not (grad_u is None and grad_vh is None)
    if has_vectors and u.shape[-1] + vh.shape[-2] > 2 * inner:
        raise NotImplementedError(
            "svd: with full_matrices=True the vectors that are added to those of a matrix that is "
            f"not square have no derivative. Received shape {x_spec.shape}; take "
            "full_matrices=False."
        )
    u, vh = u[..., :inner], vh[..., :inner, :]
    v, across = adjoint(vh), adjoint(u)
    middle = zeros_like(matmul_(across, u))
    grad = None
    if grad_s is not None:
        middle += _on_diagonal(grad_s)
    if has_vectors:
        gaps, column, inverse = _inverse_gaps(s * s), expand_dims(s, -1), divide_no_nan(1.0, s)
        if grad_u is not None:
            grad_u = conj(grad_u)
            turn = matmul_(across, grad_u)
            middle += (turn - adjoint(turn)) * gaps * turned(column)
            if dtypes.is_complex(turn.dtype):  # the phases of the vectors
                own = diagonal(turn, axis1=-2, axis2=-1)
                middle += _on_diagonal(make_complex(zeros_like(s), imag(own) * inverse))
            outside = (grad_u - matmul_(u, turn)) * expand_dims(inverse, -2)
            grad = matmul_(outside, vh)
        if grad_vh is not None:
            grad_v = turned(grad_vh)
            turn = matmul_(vh, grad_v)
            middle += column * ((turn - adjoint(turn)) * gaps)
            outside = adjoint(grad_v - matmul_(v, turn)) * expand_dims(inverse, -1)
            outside = matmul_(u, outside)
            grad = outside if grad is None else grad + outside
    rest = matmul_(matmul_(u, middle), vh)
    return conj(rest if grad is None else rest + grad)


@primitive(flat=("x",), takes_complex=True)
def _matrix_rank(x: Typed, *, tol: float | None) -> Spec:
    """How many singular values exceed a tolerance."""
    return Spec(x.shape[:-2], "int32")


@op
def cholesky(x: TensorLike, upper: bool = False) -> Tensor:
    """The triangle whose product with its adjoint is a positive definite matrix.

    Args:
        x: tensor `(..., size, size)`; its Hermitian part counts.
        upper: whether to return the upper triangle R, with `adjoint(R) @ R = x`, not the lower one.

    Returns:
        Tensor of the same shape. Inside a plan a matrix that is not positive definite gives NaN.

    Raises:
        ValueError: the last two sizes differ, or a matrix is not positive definite.

    Example:
        >>> import nkeras
        >>> nkeras.ops.cholesky([[4.0, 2.0], [2.0, 2.0]]).numpy()
        array([[2., 0.],
               [1., 1.]], dtype=float32)

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    check_matrix(x, "cholesky", square=True)
    factor = _cholesky(x)
    # A recorded step asks no tensor for its values.
    if type(factor) is Tensor and observer.active() is None and np.isnan(factor.numpy()).any():
        raise ValueError(
            f"cholesky: argument `x`, of shape {x.shape}, has a matrix that is not positive "
            "definite."
        )
    return adjoint(factor) if upper else factor


@op
def qr(x: TensorLike, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """Orthonormal columns q and an upper triangle r with `q @ r = x`.

    Args:
        x: tensor `(..., rows, columns)`.
        mode: `"reduced"` for as many columns of q as the smaller size, `"complete"` for a square q.

    Returns:
        Tensors `(..., rows, inner)` and `(..., inner, columns)`.

    Raises:
        ValueError: another mode, or the rank is below 2.

    Example:
        >>> import nkeras
        >>> q, r = nkeras.ops.qr([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        >>> q.shape, r.shape
        ((3, 2), (2, 2))

    Source: https://keras.io/api/ops/linalg/
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(
            f"qr: argument `mode` must be 'reduced' or 'complete'. Received: mode={short(mode)}"
        )
    x = to_floating(x)
    check_matrix(x, "qr")
    return _qr(x, mode=mode)


@op
def lu_factor(x: TensorLike) -> tuple[Tensor, Tensor]:
    """Gaussian elimination with row exchanges.

    Args:
        x: tensor `(..., rows, columns)`.

    Returns:
        Tensor `(..., rows, columns)` with the upper triangle and, below the diagonal, the lower
        one, whose diagonal is 1; and the row that each step exchanged with its own, int32
        `(..., min(rows, columns))`.

    Raises:
        ValueError: the rank is below 2.

    Example:
        >>> import nkeras
        >>> both, pivots = nkeras.ops.lu_factor([[1.0, 2.0], [2.0, 2.0]])
        >>> both.numpy(), pivots.numpy()
        (array([[2. , 2. ],
               [0.5, 1. ]], dtype=float32), array([1, 1], dtype=int32))

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    check_matrix(x, "lu_factor")
    both, pivots, _ = _lu(x)
    return both, pivots


@op
def eigh(x: TensorLike) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of symmetric or Hermitian matrices.

    Args:
        x: tensor `(..., size, size)`; its Hermitian part counts.

    Returns:
        Eigenvalues `(..., size)`, ascending, and eigenvectors `(..., size, size)` as columns.

    Raises:
        ValueError: the last two sizes differ.

    Example:
        >>> import nkeras
        >>> nkeras.ops.eigh([[2.0, 0.0], [0.0, 1.0]])[0].numpy()
        array([1., 2.], dtype=float32)

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    check_matrix(x, "eigh", square=True)
    return _eigh(x)


@op
def eig(x: TensorLike) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of square matrices.

    Args:
        x: tensor `(..., size, size)`.

    Returns:
        Eigenvalues `(..., size)` in no order, and eigenvectors `(..., size, size)` as columns of
        length 1; both complex64, or complex128 for float64. The vectors have gradients too.

    Raises:
        ValueError: the last two sizes differ.

    Example:
        >>> import nkeras
        >>> nkeras.ops.eig([[0.0, -1.0], [1.0, 0.0]])[0].numpy()
        array([0.+1.j, 0.-1.j], dtype=complex64)

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    check_matrix(x, "eig", square=True)
    return _eig(x)


@op
def svd(
    x: TensorLike, full_matrices: bool = True, compute_uv: bool = True
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """Singular values, and orthonormal vectors with `u @ diag(s) @ vh = x`.

    Args:
        x: tensor `(..., rows, columns)`.
        full_matrices: whether u and vh are square, not of as many vectors as singular values.
        compute_uv: whether to return the vectors too.

    Returns:
        Tensors u `(..., rows, rows)`, s `(..., min(rows, columns))`, descending, and vh
        `(..., columns, columns)`; or s alone.

    Raises:
        ValueError: the rank is below 2.

    Example:
        >>> import nkeras
        >>> nkeras.ops.svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).numpy()
        array([4., 3.], dtype=float32)

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    check_matrix(x, "svd")
    u, s, vh = svd_(x, full_matrices=bool(full_matrices and compute_uv))
    return (u, s, vh) if compute_uv else s


@op
def matrix_rank(x: TensorLike, tol: float | None = None) -> Tensor:
    """How many singular values of matrices are not about zero.

    Args:
        x: tensor `(..., rows, columns)`.
        tol: the largest number that counts as zero; by default the largest singular value times the
            larger size times the dtype's epsilon.

    Returns:
        Tensor of int32 `(...)`.

    Raises:
        ValueError: the rank of the tensor is below 2.

    Example:
        >>> import nkeras
        >>> int(nkeras.ops.matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
        1

    Source: https://keras.io/api/ops/linalg/
    """
    x = to_floating(x)
    check_matrix(x, "matrix_rank")
    return _matrix_rank(x, tol=None if tol is None else float(tol))


missing.explain(__name__)
