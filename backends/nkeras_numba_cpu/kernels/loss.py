"""Fused losses: a task owns some rows of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras_numba_cpu.emit.vector_math import exp, log
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.normalization import WORK, row_tasks, softmax_row
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import Tasks, tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty


@KERNELS.register
def sparse_softmax_cross_entropy(
    logits: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`-log_softmax(logits)` at the labels, `(rows,)`, and the log probabilities."""
    source, dtype = operand(logits), logits.dtype
    loss, result = empty((logits.shape[0],), source.dtype), empty(source.shape, source.dtype)
    _launch(_softmax_loss, source, operand(labels), loss, result)
    return stored(loss, dtype), stored(result, dtype)


@KERNELS.register
def sparse_softmax_cross_entropy_grad(
    grad_loss: np.ndarray, log_probabilities: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """`(exp(log_p) - onehot) * grad_loss[:, None]`."""
    source = operand(log_probabilities)
    result = empty(source.shape, source.dtype)
    _launch(_softmax_loss_grad, source, operand(labels), *_scales(grad_loss), result)
    return stored(result, log_probabilities.dtype)


@KERNELS.register
def softmax_cross_entropy(target: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`-sum(target * log_softmax(logits))`, `(rows,)`, and the log probabilities."""
    source, dtype = operand(logits), logits.dtype
    loss, result = empty((logits.shape[0],), source.dtype), empty(source.shape, source.dtype)
    _launch(_dense_softmax_loss, source, operand(target), loss, result)
    return stored(loss, dtype), stored(result, dtype)


@KERNELS.register
def softmax_cross_entropy_grad(
    grad_loss: np.ndarray, target: np.ndarray, log_probabilities: np.ndarray
) -> np.ndarray:
    """`(exp(log_p) * sum(target) - target) * grad_loss[:, None]`."""
    source = operand(log_probabilities)
    result = empty(source.shape, source.dtype)
    _launch(_dense_softmax_loss_grad, source, operand(target), *_scales(grad_loss), result)
    return stored(result, log_probabilities.dtype)


@KERNELS.register
def sparse_cross_entropy(
    probabilities: np.ndarray, labels: np.ndarray, *, epsilon: float
) -> np.ndarray:
    """`-log(clip(p[label] / sum(p)))`, `(rows,)`."""
    source = operand(probabilities)
    loss = empty((source.shape[0],), source.dtype)
    _launch(_sparse_loss, source, operand(labels), loss, *_limits(epsilon, source.dtype))
    return stored(loss, probabilities.dtype)


@KERNELS.register
def sparse_cross_entropy_grad(
    grad_loss: np.ndarray, probabilities: np.ndarray, labels: np.ndarray, *, epsilon: float
) -> np.ndarray:
    source = operand(probabilities)
    result = empty(source.shape, source.dtype)
    limits = _limits(epsilon, source.dtype)
    _launch(_sparse_loss_grad, source, operand(labels), *_scales(grad_loss), result, *limits)
    return stored(result, probabilities.dtype)


@KERNELS.register
def cross_entropy(target: np.ndarray, probabilities: np.ndarray, *, epsilon: float) -> np.ndarray:
    """`-sum(target * log(clip(p / sum(p))))`, `(rows,)`."""
    source = operand(probabilities)
    loss = empty((source.shape[0],), source.dtype)
    _launch(_dense_loss, source, operand(target), loss, *_limits(epsilon, source.dtype))
    return stored(loss, probabilities.dtype)


@KERNELS.register
def cross_entropy_grad(
    grad_loss: np.ndarray, target: np.ndarray, probabilities: np.ndarray, *, epsilon: float
) -> np.ndarray:
    source = operand(probabilities)
    result = empty(source.shape, source.dtype)
    limits = _limits(epsilon, source.dtype)
    _launch(_dense_loss_grad, source, operand(target), *_scales(grad_loss), result, *limits)
    return stored(result, probabilities.dtype)


def _scales(grad_loss: np.ndarray) -> tuple[np.ndarray, int]:
    """The gradient for each row, and the step to the next one: 0 where it is the same for all."""
    each = int(any(grad_loss.strides))
    return operand(grad_loss if each else grad_loss[:1]), each


def _limits(epsilon: float, dtype: np.dtype) -> tuple[Any, Any]:
    return dtype.type(epsilon), dtype.type(1.0 - epsilon)


def _launch(kernel: Tasks, source: np.ndarray, *arguments: Any) -> None:
    """Call a kernel `(task, source, classes, rows of a task, *arguments)`; all arrays flat."""
    if source.size:
        rows, n = source.shape
        step, count = row_tasks(rows, n)
        flat = [
            argument.reshape(-1) if isinstance(argument, np.ndarray) else argument
            for argument in arguments
        ]
        kernel(count, source.size * WORK, source.reshape(-1), n, step, *flat)
    elif source.shape[0]:
        raise ValueError("Cross-entropy needs at least one class.")


@tasks(reassociate=True)
def _softmax_loss(task, logits, n, step, labels, loss, y):
    for row in range(task * step, min((task + 1) * step, loss.size)):
        target = part(y, row * n, n)
        softmax_row(part(logits, row * n, n), target, True)
        loss[row] = -target[labels[row]]


@tasks(reassociate=True)
def _softmax_loss_grad(task, log_probabilities, n, step, labels, grad_loss, each, grad_x):
    start = task * step * n
    size = min(step * n, grad_x.size - start)
    source, flat = part(log_probabilities, start, size), part(grad_x, start, size)
    for j in range(size):
        flat[j] = exp(source[j])
    for row in range(start // n, (start + size) // n):
        target, scale = part(grad_x, row * n, n), grad_loss[row * each]
        target[labels[row]] -= grad_x.dtype.type(1)
        for j in range(n):
            target[j] *= scale


@tasks(reassociate=True)
def _dense_softmax_loss(task, logits, n, step, truth, loss, y):
    for row in range(task * step, min((task + 1) * step, loss.size)):
        target, weights = part(y, row * n, n), part(truth, row * n, n)
        softmax_row(part(logits, row * n, n), target, True)
        value = y.dtype.type(0)
        for j in range(n):
            value -= weights[j] * target[j]
        loss[row] = value


@tasks(reassociate=True)
def _dense_softmax_loss_grad(task, log_probabilities, n, step, truth, grad_loss, each, grad_x):
    start = task * step * n
    size = min(step * n, grad_x.size - start)
    source, flat = part(log_probabilities, start, size), part(grad_x, start, size)
    for j in range(size):
        flat[j] = exp(source[j])
    for row in range(start // n, (start + size) // n):
        target, weights, scale = (
            part(grad_x, row * n, n),
            part(truth, row * n, n),
            grad_loss[row * each],
        )
        total = grad_x.dtype.type(0)
        for j in range(n):
            total += weights[j]
        for j in range(n):
            target[j] = (target[j] * total - weights[j]) * scale


@tasks(reassociate=True)
def _sparse_loss(task, probabilities, n, step, labels, loss, low, high):
    for row in range(task * step, min((task + 1) * step, loss.size)):
        source = part(probabilities, row * n, n)
        total = source[0] * 0
        for j in range(n):
            total += source[j]
        chosen = source[labels[row]] / total
        chosen = low if chosen < low else high if chosen > high else chosen
        loss[row] = -log(chosen)


@tasks(reassociate=True)
def _sparse_loss_grad(task, probabilities, n, step, labels, grad_loss, each, grad_x, low, high):
    for row in range(task * step, min((task + 1) * step, grad_x.size // n)):
        source, target = part(probabilities, row * n, n), part(grad_x, row * n, n)
        total = source[0] * 0
        for j in range(n):
            total += source[j]
        label, scale = labels[row], grad_loss[row * each]
        chosen = source[label] / total
        outside = chosen < low or chosen > high
        share = grad_x.dtype.type(0) if outside else scale / total
        for j in range(n):
            target[j] = share
        if not outside:
            target[label] -= scale / source[label]


@tasks(reassociate=True)
def _dense_loss(task, probabilities, n, step, truth, loss, low, high):
    for row in range(task * step, min((task + 1) * step, loss.size)):
        source, weights = part(probabilities, row * n, n), part(truth, row * n, n)
        total = source[0] * 0
        for j in range(n):
            total += source[j]
        value = source[0] * 0
        for j in range(n):
            chance = source[j] / total
            chance = low if chance < low else high if chance > high else chance
            value += weights[j] * log(chance)
        loss[row] = -value


@tasks(reassociate=True)
def _dense_loss_grad(task, probabilities, n, step, truth, grad_loss, each, grad_x, low, high):
    for row in range(task * step, min((task + 1) * step, grad_x.size // n)):
        source, weights = part(probabilities, row * n, n), part(truth, row * n, n)
        target = part(grad_x, row * n, n)
        total = source[0] * 0
        for j in range(n):
            total += source[j]
        # target: the gradient by the clipped chances; mean: its product with the chances.
        mean = source[0] * 0
        for j in range(n):
            chance = source[j] / total
            outside = (chance < low) | (chance > high)
            slope = -weights[j] / chance
            target[j] = 0 if outside else slope
        # Apart, or the order of the sum would depend on where arrays lie; see softmax_row.
        for j in range(n):
            mean += target[j] * (source[j] / total)
        scale = grad_loss[row * each] / total
        for j in range(n):
            target[j] = (target[j] - mean) * scale
