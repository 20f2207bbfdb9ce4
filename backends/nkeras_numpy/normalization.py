"""Softmax and its logarithm."""

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


def _shifted(x: Array, axis: int) -> Array:
    """``x`` minus its maximum, so that exp cannot overflow and the sum of exp is at least 1."""
    return x - namespace(x).max(x, axis=axis, keepdims=True) if x.size else x


@KERNELS.register
@in_float32
def softmax(x: Array, *, axis: int) -> Array:
    xp = namespace(x)
    exponential = xp.exp(_shifted(x, axis))
    return exponential / xp.sum(exponential, axis=axis, keepdims=True)


@KERNELS.register
@in_float32
def log_softmax(x: Array, *, axis: int) -> Array:
    xp = namespace(x)
    shifted = _shifted(x, axis)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


@KERNELS.register
@in_float32
def softmax_grad(grad_y: Array, y: Array, *, axis: int) -> Array:
    return y * (grad_y - namespace(y).sum(grad_y * y, axis=axis, keepdims=True))


@KERNELS.register
@in_float32
def log_softmax_grad(grad_y: Array, y: Array, *, axis: int) -> Array:
    xp = namespace(y)
    return grad_y - xp.exp(y) * xp.sum(grad_y, axis=axis, keepdims=True)
