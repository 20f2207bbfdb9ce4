"""Products of 8 bit integers, which are summed as 32 bit ones."""

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


@KERNELS.register
def int8_matmul(x: Array, y: Array) -> Array:
    """Product of matrices of int8, as int32."""
    xp = namespace(x)
    return xp.matmul(x.astype(xp.int32), y.astype(xp.int32))


@KERNELS.register
@in_float32
def int8_dense(
    x: Array, kernel: Array, scale: Array, bias: Array, *, low: int, high: int, epsilon: float
) -> Array:
    """A dense layer by integers: each row of x is rounded to multiples of its largest value."""
    xp = namespace(x)
    own = high / (xp.abs(x).max(-1, keepdims=True) + x.dtype.type(epsilon))
    integers = xp.clip(xp.rint(x * own.astype(x.dtype)), low, high).astype(xp.int32)
    sums = xp.matmul(integers, kernel.astype(xp.int32)).astype(x.dtype)
    y = sums / (scale * own.astype(x.dtype))
    return (y if bias is None else y + bias).astype(x.dtype)
