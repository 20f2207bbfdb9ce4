"""Optimizer updates by gradients of rows that were taken from a variable."""

from nkeras_numpy.indexing import take_grad
from nkeras_numpy.namespace import Array
from nkeras_numpy.optimizers import adagrad_update, sgd_update
from nkeras_numpy.registry import KERNELS


@KERNELS.register
def sgd_row_update(w: Array, grad_y: Array, indices: Array, *, learning_rate: float) -> Array:
    grad = take_grad(grad_y, indices, shape=w.shape, axis=0)
    return sgd_update(w, grad, None, learning_rate=learning_rate, momentum=0.0, nesterov=False)[0]


@KERNELS.register
def adagrad_row_update(
    w: Array, grad_y: Array, indices: Array, a: Array, *, learning_rate: float, epsilon: float
) -> tuple[Array, Array]:
    grad = take_grad(grad_y, indices, shape=w.shape, axis=0)
    return adagrad_update(w, grad, a, learning_rate=learning_rate, epsilon=epsilon)
