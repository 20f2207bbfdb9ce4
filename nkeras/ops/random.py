"""Random numbers from Philox counters: the same bits on every backend and thread count."""

from __future__ import annotations

import math
from typing import Any

from nkeras.core import dtypes
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.random import draw_seed
from nkeras.core.spec import Spec
from nkeras.ops.elementwise import (
    add,
    bitwise_right_shift,
    cos,
    greater_equal,
    log,
    multiply,
    sqrt,
    where_,
)
from nkeras.ops.shape import cast, reshape


@primitive()
def random_bits(*, key: tuple[int, int], size: int) -> Spec:
    """uint32 tensor `(size,)` of random bits."""
    return Spec((size,), "uint32")


def bits(shape: Any, seed: Any) -> Any:
    """uint32 tensor of random bits; a SeedGenerator moves on."""
    shape = tuple(int(size) for size in shape)
    return reshape(random_bits(key=draw_seed(seed), size=math.prod(shape)), shape)


def _unit(values: Any) -> Any:
    """uint32 bits as float32 in [0, 1), 24 bits of them, exact on every backend."""
    return multiply(cast(bitwise_right_shift(values, 8), "float32"), 2.0**-24)


def uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Uniformly distributed numbers in [minval, maxval).

    Args:
        shape: shape of the result.
        minval: lower limit.
        maxval: upper limit.
        dtype: floating dtype; `floatx` by default.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of `shape`.

    Raises:
        ValueError: the dtype is not floating.

    Example:
        >>> import nkeras
        >>> nkeras.random.uniform((2, 3), seed=1).shape
        (2, 3)

    Source: https://keras.io/api/random/random_ops/
    """
    name = _floating(dtype, "uniform")
    unit = _unit(bits(shape, seed))
    return cast(add(multiply(unit, maxval - minval), minval), name)


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normally distributed numbers (Box and Muller 1958).

    Args:
        shape: shape of the result.
        mean: mean.
        stddev: standard deviation.
        dtype: floating dtype; `floatx` by default.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of `shape`. Backends agree to the rounding of `log` and `cos`.

    Raises:
        ValueError: the dtype is not floating.
    """
    name = _floating(dtype, "normal")
    shape = tuple(int(size) for size in shape)
    pairs = bits((2, math.prod(shape)), seed)
    radius = sqrt(multiply(log(1.0 - _unit(pairs[0])), -2.0))
    standard = multiply(radius, cos(multiply(_unit(pairs[1]), 2.0 * math.pi)))
    return cast(add(multiply(reshape(standard, shape), stddev), mean), name)


def _floating(dtype: Any, owner: str) -> str:
    name = dtypes.standardize(dtype)
    if not dtypes.is_floating(name):
        raise ValueError(f"{owner}: argument `dtype` must be floating. Received: dtype={dtype!r}")
    return name


@op
def dropout(
    inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None
) -> Any:
    """Set a random part of the elements to 0 and scale up the others, so that the sum is kept.

    Args:
        inputs: tensor.
        rate: part to drop, in [0, 1).
        noise_shape: shape of the mask, which broadcasts to the inputs; None for their shape.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of the same shape.

    Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """
    x = to_tensor(inputs)
    shape = x.shape if noise_shape is None else tuple(
        x.shape[i] if size is None else size for i, size in enumerate(noise_shape)
    )
    kept = greater_equal(_unit(bits(shape, seed)), rate)
    return where_(kept, multiply(x, 1.0 / (1.0 - rate)), 0.0)
