"""Functions made of elementwise ones: rounding, tolerance, integers, differences, choices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nkeras.backend.scalars import arithmetic, special
from nkeras.core import dtypes, graph
from nkeras.core.errors import refuse
from nkeras.core.primitive import op, primitive, shape_of, to_floating, to_tensor
from nkeras.core.spec import Spec, Typed, broadcast_shapes, normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, ShapeLike, TensorLike
from nkeras.ops.complexes import real
from nkeras.ops.elementwise import (
    absolute,
    clip,
    divide,
    elementwise,
    equal,
    floor_divide,
    isfinite,
    isnan,
    less_equal,
    log10,
    logical_and,
    logical_or,
    maximum,
    mod,
    multiply,
    power,
    rint,
    subtract,
    where_,
)
from nkeras.ops.reduction import all, mean, reduce_sum
from nkeras.ops.shape import cast, reshape, section, squeeze

_abs = abs
_is_near = elementwise(arithmetic.is_near, "float", "x1 is as near to x2 as the tolerances ask.")
_rest_of = elementwise(arithmetic.rest_of, "promote", "x - quotient * size.")
_from_start = elementwise(arithmetic.from_start, "promote", "x + size where x is negative.")
_scaled_by_power = elementwise(special.scaled_by_power, "float", "x * 2**n for whole n.")
_nan_to_number = elementwise(
    arithmetic.nan_to_number, "promote", "Numbers in place of NaN and infinities."
)


@op
def round(x: TensorLike, decimals: int = 0) -> Tensor:
    """Round to a number of decimals, ties to even.

    Args:
        x: tensor.
        decimals: int; negative ones round to tens, hundreds ...

    Returns:
        Tensor of the same dtype.
    """
    x = to_tensor(x)
    if not dtypes.is_floating(x.dtype):
        if decimals >= 0:
            return x
        factor = 10**-decimals
        return cast(multiply(rint(divide(x, factor)), factor), x.dtype)
    if decimals == 0:
        return rint(x)
    factor = 10.0 ** _abs(decimals)
    if decimals > 0:
        return divide(rint(multiply(x, factor)), factor)
    return multiply(rint(divide(x, factor)), factor)


@op
def fabs(x: TensorLike) -> Tensor:
    """Absolute value as floating tensor."""
    return absolute(to_floating(x))


@op
def deg2rad(x: TensorLike) -> Tensor:
    """Degrees to radians."""
    return multiply(to_floating(x), math.pi / 180.0)


@op
def rad2deg(x: TensorLike) -> Tensor:
    """Radians to degrees."""
    return multiply(to_floating(x), 180.0 / math.pi)


@op
def ldexp(x1: TensorLike, x2: TensorLike) -> Tensor:
    """`x1 * 2**x2` for integer `x2`."""
    x2 = to_tensor(x2)
    if dtypes.is_floating(x2.dtype):
        raise TypeError(
            f"ldexp: argument `x2` must be an integer tensor. Received dtype {x2.dtype}"
        )
    x1 = to_floating(x1)
    return _scaled_by_power(x1, cast(x2, x1.dtype))


@op
def nan_to_num(
    x: TensorLike,
    nan: TensorLike = 0.0,
    posinf: TensorLike | None = None,
    neginf: TensorLike | None = None,
) -> Tensor:
    """Numbers in place of NaN and infinities.

    Args:
        x: tensor.
        nan: in place of NaN.
        posinf: in place of infinity; the largest finite number by default.
        neginf: in place of -infinity; the smallest finite number by default.

    Returns:
        Tensor of the same shape.
    """
    x = to_tensor(x)
    if not dtypes.is_floating(x.dtype):
        return x
    largest = float(dtypes.limits(x.dtype)[1])
    high = largest if posinf is None else posinf
    low = -largest if neginf is None else neginf
    return _nan_to_number(x, *[to_tensor(value, x.dtype) for value in (nan, high, low)])


def _is_near_in_the_plane(
    x1: TensorLike, x2: TensorLike, rtol: TensorLike, atol: TensorLike
) -> Tensor:
    x1, x2 = to_tensor(x1), to_tensor(x2)
    near = less_equal(absolute(x1 - x2), real(atol) + real(rtol) * absolute(x2))
    return logical_or(equal(x1, x2), logical_and(near, isfinite(x2)))


_is_near.of_complex = _is_near_in_the_plane


@op
def isclose(
    x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Whether `|x1 - x2| <= atol + rtol * |x2|`.

    Args:
        x1: tensor.
        x2: tensor.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether NaN equals NaN.

    Returns:
        bool tensor of the broadcast shape.
    """
    dtype = dtypes.result_type(to_tensor(x1).dtype, to_tensor(x2).dtype, float)
    x1, x2 = cast(x1, dtype), cast(x2, dtype)
    result = _is_near(x1, x2, to_tensor(rtol, dtype), to_tensor(atol, dtype))
    return logical_or(result, logical_and(isnan(x1), isnan(x2))) if equal_nan else result


@op
def allclose(
    x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Whether all elements are close; the arguments are those of `isclose`."""
    return all(isclose(x1, x2, rtol, atol, equal_nan))


def _integers(x1: TensorLike, x2: TensorLike, owner: str) -> tuple[Tensor, Tensor]:
    x1, x2 = to_tensor(x1), to_tensor(x2)
    dtype = dtypes.result_type(x1.dtype, x2.dtype)
    if dtypes.is_floating(dtype):
        raise TypeError(f"{owner}: integers are needed. Received dtypes {x1.dtype} and {x2.dtype}")
    return cast(x1, dtype), cast(x2, dtype)


@op
def gcd(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Greatest common divisor of integers, by Euclid's algorithm.

    Args:
        x1: tensor of int.
        x2: tensor of int.

    Returns:
        Tensor of the broadcast shape, not negative.

    Raises:
        TypeError: an argument is floating.
    """
    a, b = (absolute(x) for x in _integers(x1, x2, "gcd"))
    shape = broadcast_shapes(shape_of(a), shape_of(b), owner="gcd")
    if isinstance(a, graph.KerasTensor) or isinstance(b, graph.KerasTensor):
        return graph.symbolic(shape, a.dtype)
    a, b = a + 0 * b, b + 0 * a
    while b.numpy().any():
        going = b != 0
        rest = mod(a, where_(going, b, 1))
        a, b = where_(going, b, a), where_(going, rest, 0)
    return a


@op
def lcm(x1: TensorLike, x2: TensorLike) -> Tensor:
    """Least common multiple of integers.

    Args:
        x1: tensor of int.
        x2: tensor of int.

    Returns:
        Tensor of the broadcast shape, not negative.

    Raises:
        TypeError: an argument is floating.
    """
    x1, x2 = _integers(x1, x2, "lcm")
    return multiply(floor_divide(absolute(x1), maximum(gcd(x1, x2), 1)), absolute(x2))


@op
def nextafter(x1: TensorLike, x2: TensorLike) -> Tensor:
    """The next floating number after `x1` in the direction of `x2`; it has no gradient.

    Args:
        x1: tensor.
        x2: tensor.

    Returns:
        Tensor of the broadcast shape, floating.
    """
    x1, x2 = to_tensor(x1), to_tensor(x2)
    dtype = dtypes.result_type(x1.dtype, x2.dtype, float)
    return nextafter_(cast(x1, dtype), cast(x2, dtype))


@primitive(flat=("x1", "x2"))
def nextafter_(x1: Typed, x2: Typed) -> Spec:
    """The next floating number after x1 in the direction of x2."""
    return Spec(broadcast_shapes(x1.shape, x2.shape, owner="nextafter"), x1.dtype)


@op
def saturate_cast(x: TensorLike, dtype: DTypeLike) -> Tensor:
    """Convert to another dtype; what lies outside its range becomes its nearest value.

    Args:
        x: tensor.
        dtype: dtype name.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.ops.saturate_cast([-5.0, 300.0], "uint8").numpy()
        array([  0, 255], dtype=uint8)
    """
    x = to_tensor(x)
    name = dtypes.standardize(dtype)
    low, high = _limits(name)
    own_low, own_high = _limits(x.dtype)
    if x.dtype == "bool":
        return cast(x, name)
    kind = dtypes.to_numpy(x.dtype)
    lowest, highest = (kind.type(v) for v in (max(low, own_low), min(high, own_high)))
    # The limit may not be a number of x's dtype: then the next one inside.
    if int(lowest) < low:
        lowest = np.nextafter(lowest, kind.type(0))
    if int(highest) > high:
        highest = np.nextafter(highest, kind.type(0))
    return cast(clip(x, to_tensor(lowest, x.dtype), to_tensor(highest, x.dtype)), name)


def _limits(dtype: str) -> tuple[int, int]:
    if dtype == "bool":
        return 0, 1
    lowest, highest = dtypes.limits(dtype)
    return int(lowest), int(highest)


@op
def psnr(x1: TensorLike, x2: TensorLike, max_val: float) -> Tensor:
    """Peak signal-to-noise ratio in decibel: `20 log10(max_val) - 10 log10(mse)`.

    Args:
        x1: tensor.
        x2: tensor of the same shape.
        max_val: the largest value that a signal can have.

    Returns:
        Scalar tensor.

    Raises:
        ValueError: the shapes differ.
    """
    x1, x2 = to_tensor(x1), to_tensor(x2)
    if x1.shape != x2.shape:
        raise ValueError(
            f"psnr: `x1` and `x2` must have the same shape. Received: {x1.shape} and {x2.shape}"
        )
    error = mean(power(to_floating(x1) - to_floating(x2), 2.0))
    return 20.0 * math.log10(max_val) - multiply(log10(error), 10.0)


@op
def diff(a: TensorLike, n: int = 1, axis: int = -1) -> Tensor:
    """Differences of neighbours along an axis, `n` times.

    Args:
        a: tensor.
        n: how often.
        axis: int.

    Returns:
        Tensor, shorter by `n` along the axis.

    Raises:
        ValueError: `n` is negative.
    """
    x = to_tensor(a)
    if n < 0:
        refuse("n", n, "a non-negative int", "diff")
    axis = normalize_axis(axis, len(x.shape), "diff")
    for _ in range(n):
        after, before = section(x, axis, 1, None), section(x, axis, None, -1)
        x = after != before if x.dtype == "bool" else subtract(after, before)
    return x


@op
def trapezoid(
    y: TensorLike, x: TensorLike | None = None, dx: TensorLike = 1.0, axis: int = -1
) -> Tensor:
    """Integral along an axis by the trapezoidal rule.

    Args:
        y: tensor of values.
        x: tensor of places, of the shape of `y` or of rank 1; None for even distances.
        dx: distance, where `x` is None.
        axis: int.

    Returns:
        Tensor without the axis, floating.
    """
    y = to_tensor(y)
    y = cast(y, dtypes.result_type(y.dtype, float))
    axis = normalize_axis(axis, len(y.shape), "trapezoid")
    if x is None and y.shape[axis] > 1:
        ends = section(y, axis, 0, 1) + section(y, axis, -1, None)
        total = reduce_sum(y, axis=(axis,), keepdims=True) - 0.5 * ends
        return multiply(squeeze(total, axis), dx)
    pairs = section(y, axis, 1, None) + section(y, axis, None, -1)
    if x is None:
        widths = dx
    else:
        x = to_tensor(x)
        if len(x.shape) == 1:
            widths = reshape(diff(x), [-1 if i == axis else 1 for i in range(len(y.shape))])
        else:
            widths = diff(x, axis=axis)
    area = multiply(multiply(pairs, widths), 0.5)
    return reduce_sum(area, axis=(axis,), keepdims=False)


@op
def unravel_index(indices: TensorLike, shape: ShapeLike | int) -> tuple[Tensor, ...]:
    """Coordinates of positions in a flattened tensor.

    Args:
        indices: tensor of int.
        shape: the shape of the tensor before it was flattened.

    Returns:
        One tensor for each axis.
    """
    rest = to_tensor(indices)
    sizes = [int(size) for size in (shape if isinstance(shape, Iterable) else [shape])]
    if not sizes:
        return ()
    rest = _from_start(rest, math.prod(sizes))
    coordinates: list[Tensor] = []
    for size in reversed(sizes[1:]):
        above = floor_divide(rest, size)
        coordinates.insert(0, _rest_of(rest, above, size))
        rest = above
    return (rest, *coordinates)


@op
def select(
    condlist: Sequence[TensorLike], choicelist: Sequence[TensorLike], default: TensorLike = 0
) -> Tensor:
    """From the first choice whose condition holds, else the default.

    Args:
        condlist: bool tensors.
        choicelist: as many tensors.
        default: number or tensor.

    Returns:
        Tensor.

    Raises:
        ValueError: the lists are empty or of different lengths.
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(
            "select: `condlist` and `choicelist` must be equally long and not empty. Received "
            f"lengths {len(condlist)} and {len(choicelist)}"
        )
    result: Any = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where_(condition, choice, result)
    return result
