"""Discrete and skewed distributions, from uniform numbers and without data-dependent loops."""

from __future__ import annotations

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import short
from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, Seed, ShapeLike, TensorLike
from nkeras.ops.elementwise import (
    add,
    clip,
    divide,
    greater,
    isnan,
    less,
    log,
    logical_and,
    maximum,
    multiply,
    power,
    rsqrt,
    subtract,
    where_,
)
from nkeras.ops.indexing import take_along_axis
from nkeras.ops.normalization import softmax
from nkeras.ops.random import bits, box_muller, floating_name, to_unit, units
from nkeras.ops.reduction import argmax_, reduce_sum
from nkeras.ops.searching import searchsorted_
from nkeras.ops.shape import broadcast_to, cast, expand_dims, reshape
from nkeras.ops.sorting import cumsum
from nkeras.ops.subscripts import getitem

ATTEMPTS = 8  # each fails with at most 1 in 20, all of them with 1 in 25 thousand million
_LEAST = 2.0**-25  # keeps logarithms of uniform numbers finite


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
    return cast(_gamma(bits((3 * ATTEMPTS + 1, *shape), seed), alpha), name)


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
    words = bits((2, 3 * ATTEMPTS + 1, *shape), seed)
    first, second = _gamma(getitem(words, 0), alpha), _gamma(getitem(words, 1), beta)
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


def _gamma(words: Tensor, alpha: TensorLike) -> Tensor:
    """float32 gamma numbers from `(3 * ATTEMPTS + 1, *shape)` random words."""
    shape = words.shape[1:]
    unit = to_unit(words)
    first, second = getitem(unit, slice(0, ATTEMPTS)), getitem(unit, slice(ATTEMPTS, -ATTEMPTS - 1))
    chance = maximum(getitem(unit, slice(-ATTEMPTS - 1, -1)), _LEAST)
    boost = maximum(getitem(unit, -1), _LEAST)
    alpha = broadcast_to(cast(to_tensor(alpha), "float32"), shape)
    small = less(alpha, 1.0)
    d = subtract(where_(small, add(alpha, 1.0), alpha), 1.0 / 3.0)
    x = box_muller(first, second)
    t = add(1.0, multiply(x, rsqrt(multiply(d, 9.0))))
    positive = greater(t, 0.0)
    v = where_(positive, t * t * t, 1.0)
    bound = add(multiply(x * x, 0.5), multiply(d, add(subtract(1.0, v), log(v))))
    accepted = cast(logical_and(positive, less(log(chance), bound)), "float32")
    chosen = expand_dims(argmax_(accepted, axis=0, keepdims=False), 0)
    sample = multiply(d, getitem(take_along_axis(v, chosen, axis=0), 0))
    return where_(small, multiply(sample, power(boost, divide(1.0, alpha))), sample)
