"""Decompositions of matrices, computed by LAPACK."""

import math

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS
from nkeras_numpy.solving import adjoint, nan_where_it_fails, solve_triangular

_TOGETHER = 32  # columns between two products of matrices


@KERNELS.register
@in_float32
def cholesky(x: Array) -> Array:
    """The lower triangle L with `L @ adjoint(L)` equal to the Hermitian part of x."""
    return nan_where_it_fails(namespace(x).linalg.cholesky, (x + adjoint(x)) / 2)


@KERNELS.register
@in_float32
def qr(x: Array, *, mode: str) -> tuple[Array, Array]:
    """Orthonormal columns and an upper triangle; mode is "reduced" or "complete"."""
    q, r = namespace(x).linalg.qr(x, mode=mode)
    return q, r


@KERNELS.register
@in_float32
def lu(x: Array) -> tuple[Array, Array, Array]:
    """Gaussian elimination, the largest element of each column as pivot.

    Both triangles in one array, the row that each step exchanged with its own, and the row of x
    that each row comes from. Some columns are done one by one, then all behind them at once.
    """
    xp = namespace(x)
    rows, columns = x.shape[-2:]
    batch, steps = x.shape[:-2], min(rows, columns)
    both = xp.array(x).reshape((math.prod(batch), rows, columns))
    which = xp.arange(len(both))
    order = xp.broadcast_to(xp.arange(rows, dtype=np.int32), (len(both), rows)).copy()
    pivots = xp.zeros((len(both), steps), np.int32)
    for start in range(0, steps, _TOGETHER):
        stop = min(start + _TOGETHER, steps)
        for i in range(start, stop):
            place = i + xp.argmax(_size(both[:, i:, i]), axis=1)
            pivots[:, i] = place
            for array in (both, order):
                row = array[which, place]
                array[which, place] = array[:, i]
                array[:, i] = row
            pivot = both[:, i, i]
            both[:, i + 1 :, i] /= xp.where(pivot == 0, 1, pivot)[:, None]
            change = both[:, i + 1 :, i, None] * both[:, i, None, i + 1 : stop]
            both[:, i + 1 :, i + 1 : stop] -= change
        lower = xp.tril(both[:, start:stop, start:stop], -1) + xp.eye(stop - start, dtype=x.dtype)
        above = solve_triangular(lower, both[:, start:stop, stop:], lower=True)
        both[:, start:stop, stop:] = above
        both[:, stop:, stop:] -= both[:, stop:, start:stop] @ above
    return (
        both.reshape(x.shape),
        pivots.reshape((*batch, steps)),
        order.reshape((*batch, rows)),
    )


def _size(x: Array) -> Array:
    """What LAPACK compares pivots by."""
    return abs(x.real) + abs(x.imag) if x.dtype.kind == "c" else abs(x)


@KERNELS.register
@in_float32
def eigh(x: Array) -> tuple[Array, Array]:
    """Ascending eigenvalues and eigenvectors, as columns, of the Hermitian part of x."""

    def found(x: Array) -> tuple[Array, Array]:
        w, v = namespace(x).linalg.eigh(x)
        return w, v

    return nan_where_it_fails(found, (x + adjoint(x)) / 2)


@KERNELS.register
@in_float32
def eig(x: Array) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors, as columns of length 1, both complex."""
    kind = np.result_type(x.dtype, np.complex64)

    def found(x: Array) -> tuple[Array, Array]:
        w, v = namespace(x).linalg.eig(x)
        return w.astype(kind), v.astype(kind)

    return nan_where_it_fails(found, x)


@KERNELS.register
@in_float32
def svd(x: Array, *, full_matrices: bool) -> tuple[Array, Array, Array]:
    """Left singular vectors as columns, descending singular values, right vectors as rows."""

    def found(x: Array) -> tuple[Array, Array, Array]:
        u, s, vh = namespace(x).linalg.svd(x, full_matrices=full_matrices)
        return u, s, vh

    return nan_where_it_fails(found, x)


@KERNELS.register
@in_float32
def matrix_rank(x: Array, *, tol: float | None) -> Array:
    """How many singular values exceed a tolerance, int32."""
    xp = namespace(x)

    def rank(x: Array) -> Array:
        s = xp.linalg.svd(x, compute_uv=False)
        least = tol
        if least is None:
            least = s.max(axis=-1, keepdims=True, initial=0)
            least = least * max(x.shape[-2:]) * np.finfo(s.dtype).eps
        return (s > least).sum(axis=-1).astype(np.float64)

    found = nan_where_it_fails(rank, x)
    return xp.where(xp.isnan(found), 0, found).astype(np.int32)
