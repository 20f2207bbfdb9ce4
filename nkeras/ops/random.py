"""Random numbers from Philox counters: the same bits on every backend and thread count."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nkeras.backend.scalars import random as scalars
from nkeras.core import dtypes
from nkeras.core.errors import short
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.random import draw_seed
from nkeras.core.spec import Spec, Typed, normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, Seed, ShapeLike, TensorLike
from nkeras.ops.elementwise import (
    add,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    elementwise,
    greater_equal,
    mod,
    multiply,
    where_,
)
from nkeras.ops.indexing import take
from nkeras.ops.reduction import argsort_
from nkeras.ops.shape import cast, reshape
from nkeras.ops.subscripts import getitem

box_muller = elementwise(scalars.box_muller, "float", "Normal from two uniform numbers.")
truncated_normal_quantile = elementwise(
    scalars.truncated_normal_quantile, "float", "Quantile of the normal cut at 2 deviations."
)


@primitive(live=("key",))
def random_bits(*, key: tuple[int, int], size: int) -> Spec:
    """uint32 tensor `(size,)` of random bits."""
    return Spec((size,), "uint32")


@primitive(live=("key",))
def _dropout(x: Typed, *, key: tuple[int, int], rate: float) -> Spec:
    """`x / (1 - rate)` where the random number in [0, 1) is not below `rate`, else 0."""
    return Spec(x.shape, x.dtype)


@_dropout.decomposition
def _(x: Tensor, key: tuple[int, int], rate: float) -> Tensor:
    words = reshape(random_bits(key=key, size=math.prod(x.shape)), x.shape)
    wide = cast(x, dtypes.result_type(x.dtype, "float32"))
    return cast(where_(_kept(words, rate), multiply(wide, 1.0 / (1.0 - rate)), 0.0), x.dtype)


@_dropout.vjp("x")
def _(grad_y: Tensor, key: tuple[int, int], rate: float) -> Tensor:
    return _dropout(grad_y, key=key, rate=rate)


dropout_ = _dropout


def _kept(words: Tensor, rate: float) -> Tensor:
    return greater_equal(to_unit(words), rate)


def bits(shape: ShapeLike, seed: Seed) -> Tensor:
    """uint32 tensor of random bits; a SeedGenerator moves on."""
    shape = tuple(int(size) for size in shape)
    return reshape(random_bits(key=draw_seed(seed), size=math.prod(shape)), shape)


def to_unit(words: Tensor, digits: int = 24) -> Tensor:
    """uint32 words as float32 in [0, 1) with that many binary digits, exact on every backend."""
    return multiply(cast(bitwise_right_shift(words, 32 - digits), "float32"), 2.0**-digits)


def units(count: int, shape: ShapeLike, seed: Seed, dtype: str) -> list[Tensor]:
    """`count` tensors of uniform numbers in [0, 1): float64 for that dtype, else float32.

    The half precision dtypes get as many digits as they have, for 0.9999 would be rounded to 1.
    """
    if dtype != "float64":
        words = bits((count, *shape), seed)
        digits = {"float16": 11, "bfloat16": 8}.get(dtype, 24)
        return [to_unit(getitem(words, i), digits) for i in range(count)]
    words = bits((count, 2, *shape), seed)
    high = cast(bitwise_right_shift(getitem(words, (slice(None), 0)), 5), dtype)
    low = cast(bitwise_right_shift(getitem(words, (slice(None), 1)), 6), dtype)
    units = multiply(add(multiply(high, 2.0**26), low), 2.0**-53)
    return [getitem(units, i) for i in range(count)]


def uniform(
    shape: ShapeLike,
    minval: float | Tensor = 0.0,
    maxval: float | Tensor = 1.0,
    dtype: DTypeLike = None,
    seed: Seed = None,
) -> Tensor:
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
    name = floating_name(dtype, "uniform")
    (unit,) = units(1, shape, seed, name)
    return cast(add(multiply(unit, maxval - minval), minval), name)


def normal(
    shape: ShapeLike,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: DTypeLike = None,
    seed: Seed = None,
) -> Tensor:
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

    Example:
        >>> import nkeras
        >>> nkeras.random.normal((2, 3), seed=1).shape
        (2, 3)

    Source: https://keras.io/api/random/random_ops/
    """
    name = floating_name(dtype, "normal")
    pair = units(2, shape, seed, "float64" if name == "float64" else "float32")
    return cast(add(multiply(box_muller(*pair), stddev), mean), name)


def truncated_normal(
    shape: ShapeLike,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: DTypeLike = None,
    seed: Seed = None,
) -> Tensor:
    """Normally distributed numbers, those beyond two standard deviations left out.

    Args:
        shape: shape of the result.
        mean: mean.
        stddev: standard deviation before truncation.
        dtype: floating dtype; `floatx` by default.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of `shape`.

    Raises:
        ValueError: the dtype is not floating.

    Example:
        >>> import nkeras
        >>> bool((abs(nkeras.random.truncated_normal((100,), seed=1).numpy()) <= 2).all())
        True

    Source: https://keras.io/api/random/random_ops/
    """
    name = floating_name(dtype, "truncated_normal")
    (unit,) = units(1, shape, seed, "float64" if name == "float64" else "float32")
    return cast(add(multiply(truncated_normal_quantile(unit), stddev), mean), name)


def randint(
    shape: ShapeLike, minval: int, maxval: int, dtype: DTypeLike = "int32", seed: Seed = None
) -> Tensor:
    """Uniformly distributed integers in [minval, maxval).

    Args:
        shape: shape of the result.
        minval: least integer.
        maxval: one more than the greatest.
        dtype: integer dtype.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of `shape`.

    Raises:
        ValueError: the dtype is not integer, the interval is empty or does not fit the dtype.

    Example:
        >>> import nkeras
        >>> int(nkeras.random.randint((), 3, 4))
        3

    Source: https://keras.io/api/random/random_ops/
    """
    name = dtypes.standardize(dtype)
    if not dtypes.is_integer(name):
        raise ValueError(
            f"randint: argument `dtype` must be integer. Received: dtype={short(dtype)}"
        )
    low, high = int(minval), int(maxval)
    digits = int(name.lstrip("uint"))
    least = 0 if name.startswith("u") else -(2 ** (digits - 1))
    if not least <= low < high <= least + 2**digits:
        raise ValueError(
            "randint: `minval` must be below `maxval`, and both within the dtype. "
            f"Received: minval={short(minval)}, maxval={short(maxval)}, dtype={name}"
        )
    words = cast(bits((2, *shape), seed), "uint64")
    # 64 bits for each number, so that the remainder is uniform but for one part in 2**32.
    offset = bitwise_or(bitwise_left_shift(getitem(words, 0), 32), getitem(words, 1))
    if high - low < 2**64:
        offset = mod(offset, to_tensor(high - low, "uint64"))
    if name == "uint64":
        return add(offset, to_tensor(low, name))
    return cast(add(cast(offset, "int64"), to_tensor(low, "int64")), name)


@op
def shuffle(x: TensorLike, axis: int = 0, seed: Seed = None) -> Tensor:
    """The slices of a tensor along an axis, in random order.

    Args:
        x: tensor.
        axis: axis; whole slices move together.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: there is no such axis.

    Example:
        >>> import nkeras
        >>> sorted(nkeras.random.shuffle([3, 1, 2], seed=1).numpy().tolist())
        [1, 2, 3]

    Source: https://keras.io/api/random/random_ops/
    """
    x = to_tensor(x)
    axis = normalize_axis(axis, len(x.shape), "shuffle")
    order = argsort_(bits((x.shape[axis],), seed), axis=0)
    return take(x, order, axis=axis)


@op
def dropout(
    inputs: TensorLike,
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: Seed = None,
) -> Tensor:
    """Set a random part of the elements to 0 and scale up the others, so that the sum is kept.

    Args:
        inputs: tensor.
        rate: part to drop, in [0, 1].
        noise_shape: shape of the mask, which broadcasts to the inputs; None for their shape, None
            inside for that size of the inputs.
        seed: int, SeedGenerator, or None for the global generator.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: the rate is outside [0, 1].

    Example:
        >>> import nkeras
        >>> dropped = nkeras.random.dropout(nkeras.ops.ones((8,)), 0.5, seed=1)
        >>> set(dropped.numpy().tolist()) <= {0.0, 2.0}
        True

    Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """
    if not 0 <= rate <= 1:
        raise ValueError(
            f"dropout: argument `rate` must be in [0, 1]. Received: rate={short(rate)}"
        )
    x = to_tensor(inputs)
    if rate == 0:
        return x
    if rate == 1:
        return where_(False, x, 0)
    shape = (
        x.shape
        if noise_shape is None
        else tuple(x.shape[i] if size is None else size for i, size in enumerate(noise_shape))
    )
    if shape == x.shape and dtypes.is_floating(x.dtype):
        return _dropout(x, key=draw_seed(seed), rate=float(rate))
    return where_(_kept(bits(shape, seed), rate), multiply(x, 1.0 / (1.0 - rate)), 0.0)


def floating_name(dtype: DTypeLike, owner: str) -> str:
    """The standard name of a floating dtype."""
    name = dtypes.standardize(dtype)
    if not dtypes.is_floating(name):
        raise ValueError(
            f"{owner}: argument `dtype` must be floating. Received: dtype={short(dtype)}"
        )
    return name
