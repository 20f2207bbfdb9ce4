"""Fused losses: a warp or a block works on a row of classes.

A label out of range gives the loss NaN and the gradient 0: to check labels on the host would make
every step wait for the device.
"""

from __future__ import annotations

import math
from typing import Any

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import exponential, logarithm, udiv, umod
from nkeras_numba_cuda.device.warps import WARP, larger, max_in_team, sum_in_team
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import THREADS, blocks_for, team_for
from nkeras_numba_cuda.launch import FLOATING, Kernel, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy.namespace import in_float32

LOWEST, NOT_A_NUMBER = -math.inf, math.nan
_LABELS = ("int32",)


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {L}[::1], int64, int64", threads=THREADS, T=FLOATING, L=_LABELS
)
def sparse_softmax_loss(loss, y, x, labels, size, team):
    shared = cuda.shared.array(WARP, y.dtype)
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    rows = loss.size
    for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
        row = first + udiv(cuda.threadIdx.x, team)
        start = row * size
        end = size if row < rows else 0
        largest = y.dtype.type(LOWEST)
        for j in range(lane, end, team):
            largest = larger(x[start + j], largest)
        largest = max_in_team(largest, team, shared)
        total = y.dtype.type(0)
        for j in range(lane, end, team):
            total += exponential(x[start + j] - largest)
        shift = logarithm(sum_in_team(total, team, shared))
        for j in range(lane, end, team):
            y[start + j] = x[start + j] - largest - shift
        if lane == 0 and row < rows:
            label = labels[row]
            if label >= 0 and label < size:
                loss[row] = shift - (x[start + label] - largest)
            else:
                loss[row] = y.dtype.type(NOT_A_NUMBER)


@kernel("{T}[::1], {T}[::1], int64, {T}[::1], {L}[::1], int64", T=FLOATING, L=_LABELS)
def sparse_softmax_loss_grad(grad_x, grad_loss, each, log_probabilities, labels, size):
    for i in range(cuda.grid(1), grad_x.size, cuda.gridsize(1)):
        row = udiv(i, size)
        label = labels[row]
        chance = exponential(log_probabilities[i])
        if i - row * size == label:
            chance -= grad_x.dtype.type(1)
        if label >= 0 and label < size:
            grad_x[i] = chance * grad_loss[row * each]
        else:
            grad_x[i] = grad_x.dtype.type(0)


@kernel("{T}[::1], {T}[::1], {T}[::1], {T}[::1], int64, int64", threads=THREADS, T=FLOATING)
def softmax_loss(loss, y, x, target, size, team):
    shared = cuda.shared.array(WARP, y.dtype)
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    rows = loss.size
    for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
        row = first + udiv(cuda.threadIdx.x, team)
        start = row * size
        end = size if row < rows else 0
        largest = y.dtype.type(LOWEST)
        for j in range(lane, end, team):
            largest = larger(x[start + j], largest)
        largest = max_in_team(largest, team, shared)
        total = y.dtype.type(0)
        for j in range(lane, end, team):
            total += exponential(x[start + j] - largest)
        shift = logarithm(sum_in_team(total, team, shared))
        total = y.dtype.type(0)
        for j in range(lane, end, team):
            found = x[start + j] - largest - shift
            y[start + j] = found
            total -= target[start + j] * found
        total = sum_in_team(total, team, shared)
        if lane == 0 and row < rows:
            loss[row] = total


@kernel("{T}[::1], {T}[::1], int64, {T}[::1], {T}[::1], int64, int64", threads=THREADS, T=FLOATING)
def softmax_loss_grad(grad_x, grad_loss, each, target, log_probabilities, size, team):
    shared = cuda.shared.array(WARP, grad_x.dtype)
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    rows = udiv(grad_x.size, size)
    for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
        row = first + udiv(cuda.threadIdx.x, team)
        start = row * size
        end = size if row < rows else 0
        total = grad_x.dtype.type(0)
        for j in range(lane, end, team):
            total += target[start + j]
        total = sum_in_team(total, team, shared)
        for j in range(lane, end, team):
            chance = exponential(log_probabilities[start + j])
            grad_x[start + j] = (chance * total - target[start + j]) * grad_loss[row * each]


@kernel(
    "{T}[::1], {T}[::1], {L}[::1], int64, int64, {T}, {T}",
    threads=THREADS,
    T=FLOATING,
    L=_LABELS,
)
def sparse_loss(loss, probabilities, labels, size, team, low, high):
    shared = cuda.shared.array(WARP, loss.dtype)
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    rows = loss.size
    for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
        row = first + udiv(cuda.threadIdx.x, team)
        start = row * size
        end = size if row < rows else 0
        total = loss.dtype.type(0)
        for j in range(lane, end, team):
            total += probabilities[start + j]
        total = sum_in_team(total, team, shared)
        if lane == 0 and row < rows:
            label = labels[row]
            if label >= 0 and label < size:
                chance = probabilities[start + label] / total
                if chance < low:
                    chance = low
                elif chance > high:
                    chance = high
                loss[row] = -logarithm(chance)
            else:
                loss[row] = loss.dtype.type(NOT_A_NUMBER)


@kernel(
    "{T}[::1], {T}[::1], int64, {T}[::1], {L}[::1], int64, int64, {T}, {T}",
    threads=THREADS,
    T=FLOATING,
    L=_LABELS,
)
def sparse_loss_grad(grad_x, grad_loss, each, probabilities, labels, size, team, low, high):
    shared = cuda.shared.array(WARP, grad_x.dtype)
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    rows = udiv(grad_x.size, size)
    for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
        row = first + udiv(cuda.threadIdx.x, team)
        start = row * size
        end = size if row < rows else 0
        total = grad_x.dtype.type(0)
        for j in range(lane, end, team):
            total += probabilities[start + j]
        total = sum_in_team(total, team, shared)
        label, chosen, scale = -1, total, grad_x.dtype.type(0)
        if row < rows and labels[row] >= 0 and labels[row] < size:
            label = labels[row]
            chosen = probabilities[start + label]
            if not (chosen / total < low or chosen / total > high):
                scale = grad_loss[row * each]
            else:
                chosen = grad_x.dtype.type(1)
        share = scale / total
        for j in range(lane, end, team):
            grad_x[start + j] = share - scale / chosen if j == label else share


@kernel("{T}[::1], {T}[::1], {T}[::1], int64, int64, {T}, {T}", threads=THREADS, T=FLOATING)
def dense_loss(loss, target, probabilities, size, team, low, high):
    shared = cuda.shared.array(WARP, loss.dtype)
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    rows = loss.size
    for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
        row = first + udiv(cuda.threadIdx.x, team)
        start = row * size
        end = size if row < rows else 0
        total = loss.dtype.type(0)
        for j in range(lane, end, team):
            total += probabilities[start + j]
        total = sum_in_team(total, team, shared)
        found = loss.dtype.type(0)
        for j in range(lane, end, team):
            chance = probabilities[start + j] / total
            if chance < low:
                chance = low
            elif chance > high:
                chance = high
            found -= target[start + j] * logarithm(chance)
        found = sum_in_team(found, team, shared)
        if lane == 0 and row < rows:
            loss[row] = found


@kernel(
    "{T}[::1], {T}[::1], int64, {T}[::1], {T}[::1], int64, int64, {T}, {T}",
    threads=THREADS,
    T=FLOATING,
)
def dense_loss_grad(grad_x, grad_loss, each, target, probabilities, size, team, low, high):
    shared = cuda.shared.array(WARP, grad_x.dtype)
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    rows = udiv(grad_x.size, size)
    for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
        row = first + udiv(cuda.threadIdx.x, team)
        start = row * size
        end = size if row < rows else 0
        total = grad_x.dtype.type(0)
        for j in range(lane, end, team):
            total += probabilities[start + j]
        total = sum_in_team(total, team, shared)
        mean = grad_x.dtype.type(0)
        for j in range(lane, end, team):
            chance = probabilities[start + j] / total
            if not (chance < low or chance > high):
                mean -= target[start + j] / chance * chance
        mean = sum_in_team(mean, team, shared)
        for j in range(lane, end, team):
            chance = probabilities[start + j] / total
            slope = -mean
            if not (chance < low or chance > high):
                slope -= target[start + j] / chance
            grad_x[start + j] = slope * grad_loss[row * each] / total


def _launch(
    kernel: Kernel, source: Array, arguments: tuple[Any, ...], numbers: tuple[Any, ...] = ()
) -> None:
    """Launch a kernel of rows of classes: arrays, their size and the team, further numbers."""
    rows, size = source.shape
    if source.size:
        team = team_for(size)
        kernel.launch_blocks(blocks_for(rows, team), *arguments, size, team, *numbers)
    elif rows:
        raise ValueError("Cross-entropy needs at least one class.")


def _scales(grad_loss: Array) -> tuple[Array, int]:
    """The gradient for each row, and the step to the next one: 0 where it is the same for all."""
    each = int(any(grad_loss.strides))
    return contiguous(grad_loss if each else grad_loss[:1]), each


def _labels(labels: Array) -> Array:
    return contiguous(labels if labels.dtype.name in _LABELS else labels.astype("int32"))


def _limits(epsilon: float, like: Array) -> tuple[Any, Any]:
    return like.dtype.type(epsilon), like.dtype.type(1.0 - epsilon)


def _like(x: Array) -> Array:
    return empty(x.shape, x.dtype)


@OWN.register
@in_float32
def sparse_softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """`-log_softmax(logits)` at the labels, `(rows,)`, and the log probabilities."""
    loss, y = empty(logits.shape[:1], logits.dtype), _like(logits)
    _launch(sparse_softmax_loss, logits, (loss, y, contiguous(logits), _labels(labels)))
    return loss, y


@OWN.register
@in_float32
def sparse_softmax_cross_entropy_grad(
    grad_loss: Array, log_probabilities: Array, labels: Array
) -> Array:
    """`(exp(log_p) - onehot) * grad_loss[:, None]`."""
    grad_x = _like(log_probabilities)
    if grad_x.size:
        sparse_softmax_loss_grad.launch(
            grad_x.size,
            grad_x,
            *_scales(grad_loss),
            contiguous(log_probabilities),
            _labels(labels),
            grad_x.shape[1],
        )
    return grad_x


@OWN.register
@in_float32
def softmax_cross_entropy(target: Array, logits: Array) -> tuple[Array, Array]:
    """`-sum(target * log_softmax(logits))`, `(rows,)`, and the log probabilities."""
    loss, y = empty(logits.shape[:1], logits.dtype), _like(logits)
    _launch(softmax_loss, logits, (loss, y, contiguous(logits), contiguous(target)))
    return loss, y


@OWN.register
@in_float32
def softmax_cross_entropy_grad(grad_loss: Array, target: Array, log_probabilities: Array) -> Array:
    """`(exp(log_p) * sum(target) - target) * grad_loss[:, None]`."""
    grad_x = _like(log_probabilities)
    arrays = contiguous(target), contiguous(log_probabilities)
    _launch(softmax_loss_grad, grad_x, (grad_x, *_scales(grad_loss), *arrays))
    return grad_x


@OWN.register
@in_float32
def sparse_cross_entropy(probabilities: Array, labels: Array, *, epsilon: float) -> Array:
    """`-log(clip(p[label] / sum(p)))`, `(rows,)`."""
    loss = empty(probabilities.shape[:1], probabilities.dtype)
    arrays = loss, contiguous(probabilities), _labels(labels)
    _launch(sparse_loss, probabilities, arrays, _limits(epsilon, loss))
    return loss


@OWN.register
@in_float32
def sparse_cross_entropy_grad(
    grad_loss: Array, probabilities: Array, labels: Array, *, epsilon: float
) -> Array:
    """The gradient of `sparse_cross_entropy`."""
    grad_x = _like(probabilities)
    arrays = grad_x, *_scales(grad_loss), contiguous(probabilities), _labels(labels)
    _launch(sparse_loss_grad, grad_x, arrays, _limits(epsilon, grad_x))
    return grad_x


@OWN.register
@in_float32
def cross_entropy(target: Array, probabilities: Array, *, epsilon: float) -> Array:
    """`-sum(target * log(clip(p / sum(p))))`, `(rows,)`."""
    loss = empty(probabilities.shape[:1], probabilities.dtype)
    arrays = loss, contiguous(target), contiguous(probabilities)
    _launch(dense_loss, probabilities, arrays, _limits(epsilon, loss))
    return loss


@OWN.register
@in_float32
def cross_entropy_grad(
    grad_loss: Array, target: Array, probabilities: Array, *, epsilon: float
) -> Array:
    """The gradient of `cross_entropy`."""
    grad_x = _like(probabilities)
    arrays = grad_x, *_scales(grad_loss), contiguous(target), contiguous(probabilities)
    _launch(dense_loss_grad, grad_x, arrays, _limits(epsilon, grad_x))
    return grad_x
