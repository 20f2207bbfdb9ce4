"""Matrix products."""

from nkeras_numpy.namespace import Array, in_float32, namespace


@in_float32
def matmul(x: Array, y: Array) -> Array:
    """Matrix product over the last two dimensions; the batch dimensions broadcast."""
    return namespace(x).matmul(x, y)


@in_float32
def dense(x: Array, kernel: Array, bias: Array | None, *, activation: str) -> Array:
    """`activation(x @ kernel + bias)`; activation is "linear" or "relu"."""
    xp = namespace(x)
    y = xp.matmul(x, kernel)
    if bias is not None:
        y = y + bias
    return xp.where(y < 0, 0, y).astype(y.dtype) if activation == "relu" else y
