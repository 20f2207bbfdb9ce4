"""Matrix products."""

from nkeras_numpy.namespace import Array, in_float32, namespace


@in_float32
def matmul(x: Array, y: Array) -> Array:
    """Matrix product over the last two dimensions; the batch dimensions broadcast."""
    return namespace(x).matmul(x, y)
