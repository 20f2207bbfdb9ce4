"""Normalization of groups of channels in each sample: a warp or a block works on a group."""

from __future__ import annotations

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import square_root, udiv, umod
from nkeras_numba_cuda.device.warps import WARP, sum_in_team
from nkeras_numba_cuda.kernels.column_sums import BY_GROUP, sums
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import THREADS, blocks_for, team_for
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import group_norm as reference
from nkeras_numpy.namespace import in_float32


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}, int64, int64, int64, int64, "
    "boolean, boolean",
    threads=THREADS,
    T=FLOATING,
)
def normalize_groups(
    y, means, inverses, x, gamma, beta, epsilon, size, channels, groups, team, has_gamma, has_beta
):
    """A group has `size` elements, `channels` of them side by side."""
    shared = cuda.shared.array(WARP, y.dtype)
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    count = y.dtype.type(size)
    step = channels * groups
    for first in range(cuda.blockIdx.x * together, means.size, cuda.gridDim.x * together):
        item = first + udiv(cuda.threadIdx.x, team)
        sample = udiv(item, groups)
        channel = (item - sample * groups) * channels
        start = sample * size * groups + channel
        end = size if item < means.size else 0
        total = y.dtype.type(0)
        for j in range(lane, end, team):
            position = udiv(j, channels)
            total += x[start + position * step + j - position * channels]
        mean = sum_in_team(total, team, shared) / count
        total = y.dtype.type(0)
        for j in range(lane, end, team):
            position = udiv(j, channels)
            off = x[start + position * step + j - position * channels] - mean
            total += off * off
        total = sum_in_team(total, team, shared)
        inverse = y.dtype.type(1) / square_root(total / count + epsilon)
        for j in range(lane, end, team):
            position = udiv(j, channels)
            c = j - position * channels
            found = (x[start + position * step + c] - mean) * inverse
            if has_gamma:
                found *= gamma[channel + c]
            if has_beta:
                found += beta[channel + c]
            y[start + position * step + c] = found
        if lane == 0 and item < means.size:
            means[item] = mean
            inverses[item] = inverse


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], int64, int64, int64, int64, "
    "boolean",
    threads=THREADS,
    T=FLOATING,
)
def normalize_groups_grad(
    grad_x, grad_y, x, means, inverses, gamma, size, channels, groups, team, has_gamma
):
    shared = cuda.shared.array(WARP, x.dtype)
    team = min(team, cuda.blockDim.x)
    together = udiv(cuda.blockDim.x, team)
    lane = umod(cuda.threadIdx.x, team)
    count = x.dtype.type(size)
    step = channels * groups
    for first in range(cuda.blockIdx.x * together, means.size, cuda.gridDim.x * together):
        item = first + udiv(cuda.threadIdx.x, team)
        sample = udiv(item, groups)
        channel = (item - sample * groups) * channels
        start = sample * size * groups + channel
        end = size if item < means.size else 0
        mean, inverse = x.dtype.type(0), x.dtype.type(0)
        if item < means.size:
            mean, inverse = means[item], inverses[item]
        base, share = x.dtype.type(0), x.dtype.type(0)
        for j in range(lane, end, team):
            position = udiv(j, channels)
            c = j - position * channels
            at = start + position * step + c
            slope = grad_y[at] * gamma[channel + c] if has_gamma else grad_y[at]
            base += slope
            share += slope * ((x[at] - mean) * inverse)
        base = sum_in_team(base, team, shared) / count
        share = sum_in_team(share, team, shared) / count
        for j in range(lane, end, team):
            position = udiv(j, channels)
            c = j - position * channels
            at = start + position * step + c
            slope = grad_y[at] * gamma[channel + c] if has_gamma else grad_y[at]
            grad_x[at] = (slope - base - (x[at] - mean) * inverse * share) * inverse


def _cut(x: Array, groups: int) -> tuple[int, tuple[int, int, int, int]]:
    """The grid of blocks; elements of a group, channels of one, groups and threads for one."""
    channels = x.shape[-1] // groups
    size = x.size // (len(x) * groups)
    team = team_for(size)
    return blocks_for(len(x) * groups, team), (size, channels, groups, team)


@OWN.register
@in_float32
def group_norm(
    x: Array, gamma: Array | None, beta: Array | None, *, groups: int, epsilon: float
) -> tuple[Array, Array, Array]:
    """Mean 0 and variance 1 in each group, times gamma plus beta; mean, and 1 / deviation."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.group_norm(x, gamma, beta, groups=groups, epsilon=epsilon)
    x = contiguous(x)
    y = empty(x.shape, x.dtype)
    mean, inverse = empty((len(x), groups), x.dtype), empty((len(x), groups), x.dtype)
    vectors = [x if a is None else contiguous(a) for a in (gamma, beta)]
    grid, sizes = _cut(x, groups)
    given = gamma is not None, beta is not None
    arrays = y, mean, inverse, x, *vectors
    normalize_groups.launch_blocks(grid, *arrays, x.dtype.type(epsilon), *sizes, *given)
    return y, mean, inverse


@OWN.register
@in_float32
def group_norm_grad(
    grad_y: Array, x: Array, gamma: Array | None, mean: Array, inverse: Array, *, groups: int
) -> tuple[Array, Array, Array]:
    """Gradients of `group_norm` by x, gamma and beta."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.group_norm_grad(grad_y, x, gamma, mean, inverse, groups=groups)
    grad_y, x, mean, inverse = map(contiguous, (grad_y, x, mean, inverse))
    grad_x = empty(x.shape, x.dtype)
    grid, sizes = _cut(x, groups)
    scale = x if gamma is None else contiguous(gamma)
    arrays = grad_x, grad_y, x, mean, inverse, scale
    normalize_groups_grad.launch_blocks(grid, *arrays, *sizes, gamma is not None)
    size, channels, *_ = sizes
    by_gamma, by_beta = sums(
        BY_GROUP, grad_y, x, mean, inverse, positions=size // channels, channels=channels
    )
    return grad_x, by_gamma, by_beta
