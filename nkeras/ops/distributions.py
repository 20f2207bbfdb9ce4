"""Discrete and skewed distributions, from uniform numbers and without data-dependent loops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import short
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.random import draw_seed
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, Seed, ShapeLike, TensorLike
from nkeras.ops.elementwise import (
    add,
    clip,
    divide,
    greater,
    isnan,
    less,
    logical_and,
    maximum,
    multiply,
    power,
    rsqrt,
    subtract,
    where_,
)
from nkeras.ops.normalization import softmax
from nkeras.ops.random import bits, floating_name, to_unit, units
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.searching import searchsorted_
from nkeras.ops.shape import broadcast_to, cast, reshape, stack
from nkeras.ops.sorting import cumsum
from nkeras.ops.subscripts import getitem


@op
def categorical(
    logits: TensorLike, num_samples: int, dtype: DTypeLike = "int32", seed: Seed = None
) -> Tensor:
    """Classes drawn from unnormalised log-probabilities, by their running sums.

    Args:
        logits: `(batch, classes)`.
        num_samples: how many for each row.
        dtype: dtype of the result.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor `(batch, num_samples)`.

    Raises:
        ValueError: the logits are no matrix.

    Example:
        >>> import nkeras
        >>> nkeras.random.categorical([[0.0, 100.0]], 3, seed=1).numpy()
        array([[1, 1, 1]], dtype=int32)

    Source: https://keras.io/api/random/random_ops/
    """
    logits = to_tensor(logits)
    if len(logits.shape) != 2:
        raise ValueError(
            "categorical: `logits` must have shape (batch, classes). "
            f"Received: shape {logits.shape}"
        )
    batch, classes = logits.shape
    (unit,) = units(1, (batch, num_samples), seed, "float64")
    likely = softmax(cast(logits, dtypes.result_type(logits.dtype, "float32")), axis=-1)
    sums = cumsum(cast(likely, "float64"), 1)
    sums = divide(sums, getitem(sums, (slice(None), slice(-1, None))))
    # One line for all rows: those of row n lie between n and n + 1. In float64, so that they keep
    # ten digits in a million rows.
    rows = to_tensor(np.arange(batch, dtype=np.float64).reshape(-1, 1))
    line = reshape(add(rows, where_(isnan(sums), 1.0, sums)), -1)
    first = to_tensor(np.arange(batch, dtype=np.int32).reshape(-1, 1) * classes)
    places = subtract(searchsorted_(line, add(rows, unit), right=True), first)
    return cast(clip(places, 0, classes - 1), dtype)


def gamma(
    shape: ShapeLike, alpha: TensorLike, dtype: DTypeLike = None, seed: Seed = None
) -> Tensor:
    """Gamma distributed numbers of scale 1 (Marsaglia and Tsang 2000).

    Args:
        shape: shape of the result.
        alpha: positive shape parameter, a number or something that broadcasts to `shape`.
        dtype: floating dtype; `floatx` by default.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of `shape`.

    Raises:
        ValueError: the dtype is not floating.

    Example:
        >>> import nkeras
        >>> bool((nkeras.random.gamma((100,), 0.5, seed=1).numpy() >= 0).all())
        True

    Source: https://keras.io/api/random/random_ops/
    """
    name = floating_name(dtype, "gamma")
    (sample,) = _gammas(shape, (alpha,), seed)
    return cast(sample, name)


def beta(
    shape: ShapeLike,
    alpha: TensorLike,
    beta: TensorLike,
    dtype: DTypeLike = None,
    seed: Seed = None,
) -> Tensor:
    """Beta distributed numbers, in [0, 1].

    Args:
        shape: shape of the result.
        alpha: first positive parameter, a number or something that broadcasts to `shape`.
        beta: second positive parameter, likewise.
        dtype: floating dtype; `floatx` by default.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of `shape`.

    Raises:
        ValueError: the dtype is not floating.

    Example:
        >>> import nkeras
        >>> nkeras.random.beta((2,), 2.0, 3.0, seed=1).shape
        (2,)

    Source: https://keras.io/api/random/random_ops/
    """
    name = floating_name(dtype, "beta")
    first, second = _gammas(shape, (alpha, beta), seed)
    return cast(divide(first, maximum(add(first, second), 1e-37)), name)


def binomial(
    shape: ShapeLike,
    counts: TensorLike,
    probabilities: TensorLike,
    dtype: DTypeLike = None,
    seed: Seed = None,
) -> Tensor:
    """Numbers of successes in `counts` trials, counted one by one.

    Args:
        shape: shape of the result.
        counts: number of trials, a number or something that broadcasts to `shape`; time and memory
            grow with the largest.
        probabilities: probability of success, likewise.
        dtype: floating dtype; `floatx` by default.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of `shape`.

    Raises:
        ValueError: the dtype is not floating, or a count is negative.

    Example:
        >>> import nkeras
        >>> nkeras.random.binomial((2,), 5, 1.0, seed=1).numpy()
        array([5., 5.], dtype=float32)

    Source: https://keras.io/api/random/random_ops/
    """
    name = floating_name(dtype, "binomial")
    trials = to_tensor(counts).numpy()
    if trials.size and trials.min() < 0:
        raise ValueError(f"binomial: `counts` must not be negative. Received: {short(counts)}")
    most = int(trials.max(initial=0))
    sizes = [most] + [1] * len(tuple(shape))
    happens = to_tensor(np.arange(most).reshape(sizes), "float32")
    within = less(happens, cast(to_tensor(counts), "float32"))
    success = less(to_unit(bits((most, *shape), seed)), cast(to_tensor(probabilities), "float32"))
    counted = cast(logical_and(within, success), "float32")
    return cast(reduce_sum(counted, axis=(0,), keepdims=False), name)


@primitive(outputs=("x", "boost"), flat=("d", "factor"), live=("key",))
def _gamma_normals(d: Typed, factor: Typed, *, key: tuple[int, int]) -> tuple[Spec, Spec]:
    """What gamma numbers are made of: normal numbers that are accepted, and uniform ones."""
    if len(d.shape) != 2 or d.shape != factor.shape or d.dtype != factor.dtype:
        raise ValueError(
            "gamma_normals: two matrices of one shape and dtype are needed. "
            f"Received: shapes {d.shape} and {factor.shape}, dtypes {d.dtype} and {factor.dtype}"
        )
    return Spec(d.shape, d.dtype), Spec(d.shape, d.dtype)


def _gammas(shape: ShapeLike, alphas: Sequence[TensorLike], seed: Seed) -> list[Tensor]:
    """float32 gamma numbers of `shape`, for each alpha."""
    shape = tuple(int(size) for size in shape)
    rows = [reshape(broadcast_to(cast(to_tensor(a), "float32"), shape), -1) for a in alphas]
    alpha = stack(rows)
    small = less(alpha, 1.0)
    d = subtract(where_(small, add(alpha, 1.0), alpha), 1.0 / 3.0)
    factor = rsqrt(multiply(d, 9.0))
    x, boost = _gamma_normals(d, factor, key=draw_seed(seed))
    t = add(1.0, multiply(x, factor))
    sample = multiply(d, where_(greater(t, 0.0), t * t * t, 1.0))
    if any(not isinstance(a, int | float) or a < 1 for a in alphas):
        sample = where_(small, multiply(sample, power(boost, divide(1.0, alpha))), sample)
    return [reshape(getitem(sample, i), shape) for i in range(len(rows))]
