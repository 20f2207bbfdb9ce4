"""Linear systems, inverses and determinants, computed by LAPACK.

A matrix for which LAPACK gives up has NaN for its result: a kernel does not look at values.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, joined, namespace, stacked
from nkeras_numpy.registry import KERNELS

_WHOLE = 64  # rows of a triangle that LAPACK solves


def nan_where_it_fails(function: Callable[..., Any], *arrays: Array) -> Any:
    """The function of matrices in batches, matrix by matrix where LAPACK refuses one of them."""
    try:
        return function(*arrays)
    except np.linalg.LinAlgError:
        xp = namespace(arrays[0])
    if all(x.ndim == 2 for x in arrays):
        made = function(*[xp.eye(*x.shape, dtype=x.dtype) for x in arrays])
        nothing = tuple(xp.full_like(y, np.nan) for y in _as_tuple(made))
        return nothing if isinstance(made, tuple) else nothing[0]
    batch = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
    wide = [xp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in arrays]
    found = [
        nan_where_it_fails(function, *[x[place] for x in wide]) for place in np.ndindex(*batch)
    ]
    joined = tuple(
        stacked(one).reshape((*batch, *one[0].shape))
        for one in zip(*map(_as_tuple, found), strict=True)
    )
    return joined if isinstance(found[0], tuple) else joined[0]


def _as_tuple(result: Any) -> tuple[Array, ...]:
    return tuple(result) if isinstance(result, tuple) else (result,)


def adjoint(x: Array) -> Array:
    """Conjugated, with the last two axes exchanged."""
    return namespace(x).swapaxes(x, -1, -2).conj()


@KERNELS.register
@in_float32
def solve(a: Array, b: Array) -> Array:
    """x with `a @ x = b`."""
    return nan_where_it_fails(namespace(a).linalg.solve, a, b)


@KERNELS.register
@in_float32
def solve_triangular(a: Array, b: Array, *, lower: bool) -> Array:
    """x with `a @ x = b`, where only one triangle of a counts."""
    return nan_where_it_fails(lambda a, b: _by_halves(a, b, lower), a, b)


def _by_halves(a: Array, b: Array, lower: bool) -> Array:
    """One half of the rows, then the other, of which the first half's part is taken away.

    LAPACK's elimination finds nothing to eliminate in an upper triangle; a lower one is an upper
    one with rows and columns in reverse.
    """
    xp, size = namespace(a), a.shape[-1]
    if size <= _WHOLE:
        if lower:
            return _by_halves(a[..., ::-1, ::-1], b[..., ::-1, :], lower=False)[..., ::-1, :]
        return xp.linalg.solve(xp.triu(a), b)
    cut = size // 2
    first, second = (slice(cut), slice(cut, None))[:: 1 if lower else -1]
    found = _by_halves(a[..., first, first], b[..., first, :], lower)
    rest = b[..., second, :] - a[..., second, first] @ found
    other = _by_halves(a[..., second, second], rest, lower)
    found = xp.broadcast_to(found, (*other.shape[:-2], *found.shape[-2:]))
    return joined([found, other] if lower else [other, found], axis=-2)


@KERNELS.register
@in_float32
def pinv(x: Array, *, rcond: float) -> Array:
    """The pseudoinverse; singular values up to `rcond` times the largest one count as zero."""
    xp = namespace(x)

    def inverse(x: Array) -> Array:
        u, s, vh = xp.linalg.svd(x, full_matrices=False)
        kept = s > rcond * s.max(axis=-1, keepdims=True, initial=0)
        inverted = xp.where(kept, 1 / xp.where(kept, s, 1), 0).astype(x.dtype)
        return adjoint(vh) @ (inverted[..., None] * adjoint(u))

    return nan_where_it_fails(inverse, x)


@KERNELS.register
@in_float32
def det(x: Array) -> Array:
    return namespace(x).linalg.det(x)


@KERNELS.register
@in_float32
def slogdet(x: Array) -> tuple[Array, Array]:
    """The sign of the determinant and the logarithm of its absolute value."""
    sign, logarithm = namespace(x).linalg.slogdet(x)
    return sign, logarithm


@KERNELS.register
@in_float32
def cofactors(x: Array) -> Array:
    """The derivative of the determinant by each element, also of a singular matrix.

    With `x = u @ diag(s) @ vh` it is `det(u) * det(vh) * conj(u) @ diag(p) @ conj(vh)`, where p
    has the products of all other singular values.
    """
    xp = namespace(x)

    def found(x: Array) -> Array:
        u, s, vh = xp.linalg.svd(x, full_matrices=False)
        ones = xp.ones_like(s[..., :1])
        before = xp.cumprod(joined([ones, s[..., :-1]], -1), axis=-1)
        behind = xp.cumprod(joined([ones, s[..., :0:-1]], -1), axis=-1)[..., ::-1]
        factor = (xp.linalg.det(u) * xp.linalg.det(vh))[..., None]
        return u.conj() @ ((factor * before * behind)[..., None] * vh.conj())

    return nan_where_it_fails(found, x)
