"""Layer and RMS normalization over the last axis: a warp or a block works on a row."""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import square_root, udiv, umod
from nkeras_numba_cuda.device.vectors import accesses
from nkeras_numba_cuda.device.warps import WARP, sum_in_team
from nkeras_numba_cuda.kernels.column_sums import BY_ROW, sums
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import (
    THREADS,
    WIDTHS,
    blocks_for,
    by_width,
    team_for,
    width_for,
)
from nkeras_numba_cuda.launch import FLOATING, Kernel, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import layer_norm as reference
from nkeras_numpy.namespace import in_float32


def _normalize_rows(width: int) -> Kernel:
    read, write = accesses(width)

    @kernel(
        "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}, int64, int64, boolean, "
        "boolean, boolean",
        name=f"normalize_rows_{width}",
        threads=THREADS,
        T=WIDTHS[width],
    )
    def normalize_rows(
        y, means, inverses, x, gamma, beta, epsilon, size, team, centred, has_gamma, has_beta
    ):
        shared = cuda.shared.array(WARP, y.dtype)
        held = cuda.local.array(width, y.dtype)
        other = cuda.local.array(width, y.dtype)
        team = min(team, cuda.blockDim.x)
        together = udiv(cuda.blockDim.x, team)
        lane = umod(cuda.threadIdx.x, team)
        rows = udiv(y.size, size)
        count = y.dtype.type(size)
        for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
            row = first + udiv(cuda.threadIdx.x, team)
            start = row * size
            end = size if row < rows else 0
            mean = y.dtype.type(0)
            if centred:
                for j in range(lane * width, end, team * width):
                    read(x, start + j, held)
                    for k in range(width):
                        mean += held[k]
                mean = sum_in_team(mean, team, shared) / count
            total = y.dtype.type(0)
            for j in range(lane * width, end, team * width):
                read(x, start + j, held)
                for k in range(width):
                    off = held[k] - mean
                    total += off * off
            total = sum_in_team(total, team, shared)
            inverse = y.dtype.type(1) / square_root(total / count + epsilon)
            for j in range(lane * width, end, team * width):
                read(x, start + j, held)
                for k in range(width):
                    held[k] = (held[k] - mean) * inverse
                if has_gamma:
                    read(gamma, j, other)
                    for k in range(width):
                        held[k] *= other[k]
                if has_beta:
                    read(beta, j, other)
                    for k in range(width):
                        held[k] += other[k]
                write(y, start + j, held)
            if lane == 0 and row < rows:
                inverses[row] = inverse
                if centred:
                    means[row] = mean

    return normalize_rows


def _normalize_rows_grad(width: int) -> Kernel:
    read, write = accesses(width)

    @kernel(
        "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], int64, int64, boolean, "
        "boolean",
        name=f"normalize_rows_grad_{width}",
        threads=THREADS,
        T=WIDTHS[width],
    )
    def normalize_rows_grad(
        grad_x, grad_y, x, means, inverses, gamma, size, team, centred, has_gamma
    ):
        shared = cuda.shared.array(WARP, x.dtype)
        held = cuda.local.array(width, x.dtype)
        grad = cuda.local.array(width, x.dtype)
        scale = cuda.local.array(width, x.dtype)
        team = min(team, cuda.blockDim.x)
        together = udiv(cuda.blockDim.x, team)
        lane = umod(cuda.threadIdx.x, team)
        rows = udiv(x.size, size)
        count = x.dtype.type(size)
        for first in range(cuda.blockIdx.x * together, rows, cuda.gridDim.x * together):
            row = first + udiv(cuda.threadIdx.x, team)
            start = row * size
            end = size if row < rows else 0
            mean, inverse = x.dtype.type(0), x.dtype.type(0)
            if row < rows:
                inverse = inverses[row]
                if centred:
                    mean = means[row]
            base, share = x.dtype.type(0), x.dtype.type(0)
            for j in range(lane * width, end, team * width):
                read(x, start + j, held)
                read(grad_y, start + j, grad)
                if has_gamma:
                    read(gamma, j, scale)
                for k in range(width):
                    slope = grad[k] * scale[k] if has_gamma else grad[k]
                    base += slope
                    share += slope * ((held[k] - mean) * inverse)
            base = sum_in_team(base, team, shared) / count if centred else x.dtype.type(0)
            share = sum_in_team(share, team, shared) / count
            for j in range(lane * width, end, team * width):
                read(x, start + j, held)
                read(grad_y, start + j, grad)
                if has_gamma:
                    read(gamma, j, scale)
                for k in range(width):
                    slope = grad[k] * scale[k] if has_gamma else grad[k]
                    normalized = (held[k] - mean) * inverse
                    held[k] = (slope - base - normalized * share) * inverse
                write(grad_x, start + j, held)

    return normalize_rows_grad


normalize_rows = by_width(_normalize_rows)
normalize_rows_grad = by_width(_normalize_rows_grad)


def _forward(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float, centred: bool
) -> tuple[Array, Array, Array]:
    x, size = contiguous(x), x.shape[-1]
    y = empty(x.shape, x.dtype)
    inverse = empty(x.shape[:-1], x.dtype)
    mean = empty(x.shape[:-1], x.dtype) if centred else inverse
    vectors = [x if a is None else contiguous(a) for a in (gamma, beta)]
    team, width = team_for(size), width_for(size, x, *vectors)
    normalize_rows[width].launch_blocks(
        blocks_for(inverse.size, team),
        *(y, mean, inverse, x, *vectors),
        x.dtype.type(epsilon),
        *(size, team, centred, gamma is not None, beta is not None),
    )
    return y, mean, inverse


def _backward(
    grad_y: Array, x: Array, gamma: Array | None, mean: Array | None, inverse: Array
) -> tuple[Array, Any]:
    grad_y, x, inverse = contiguous(grad_y), contiguous(x), contiguous(inverse)
    grad_x, size = empty(x.shape, x.dtype), x.shape[-1]
    means = inverse if mean is None else contiguous(mean)
    scale = x if gamma is None else contiguous(gamma)
    team, width = team_for(size), width_for(size, grad_y, x, scale)
    normalize_rows_grad[width].launch_blocks(
        blocks_for(inverse.size, team),
        *(grad_x, grad_y, x, means, inverse, scale),
        *(size, team, mean is not None, gamma is not None),
    )
    means = empty((0,), x.dtype) if mean is None else means
    return grad_x, sums(BY_ROW, grad_y, x, means, inverse)


@OWN.register
@in_float32
def layer_norm(
    x: Array, gamma: Array | None, beta: Array | None, *, epsilon: float
) -> tuple[Array, Array, Array]:
    """Each row with mean 0 and variance 1, times gamma plus beta; mean, and 1 / deviation."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.layer_norm(x, gamma, beta, epsilon=epsilon)
    return _forward(x, gamma, beta, epsilon, True)


@OWN.register
@in_float32
def rms_norm(x: Array, scale: Array | None, *, epsilon: float) -> tuple[Array, Array]:
    """Each row divided by the root of its mean square, times scale; and that factor."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.rms_norm(x, scale, epsilon=epsilon)
    y, _, inverse = _forward(x, scale, None, epsilon, False)
    return y, inverse


@OWN.register
@in_float32
def layer_norm_grad(
    grad_y: Array, x: Array, gamma: Array | None, mean: Array, inverse: Array
) -> tuple[Array, Array, Array]:
    """Gradients of `layer_norm` by x, gamma and beta."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.layer_norm_grad(grad_y, x, gamma, mean, inverse)
    grad_x, (by_gamma, by_beta) = _backward(grad_y, x, gamma, mean, inverse)
    return grad_x, by_gamma, by_beta


@OWN.register
@in_float32
def rms_norm_grad(
    grad_y: Array, x: Array, scale: Array | None, inverse: Array
) -> tuple[Array, Array]:
    """Gradients of `rms_norm` by x and scale."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.rms_norm_grad(grad_y, x, scale, inverse)
    grad_x, (by_scale, _) = _backward(grad_y, x, scale, None, inverse)
    return grad_x, by_scale
