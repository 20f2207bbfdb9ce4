"""Batch normalization over all axes but the last.

Statistics: a block finds mean and squared deviations of some columns in a chunk of rows, which it
reads twice, the second time from cache; chunks are joined by the formula of Chan, Golub and LeVeque
(1979).
"""

from __future__ import annotations

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import square_root, udiv, umod
from nkeras_numba_cuda.kernels.column_sums import BY_COLUMN, sums
from nkeras_numba_cuda.kernels.reduction import chunks_of_columns, tiles_of
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import THREADS
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import batch_norm as reference
from nkeras_numpy.namespace import in_float32


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], int64, int64, int64, int64, boolean", threads=THREADS, T=FLOATING
)
def column_statistics(means, squares, x, rows, columns, length, tile, final):
    """Of each chunk and column the mean, and the sum of squared deviations or their mean."""
    shared = cuda.shared.array(THREADS, x.dtype)
    wide = min(tile, cuda.blockDim.x)
    lines = udiv(cuda.blockDim.x, wide)
    lane = umod(cuda.threadIdx.x, wide)
    line = udiv(cuda.threadIdx.x, wide)
    tiles = udiv(columns + tile - 1, tile)
    chunk = udiv(cuda.blockIdx.x, tiles)
    from_column = (cuda.blockIdx.x - chunk * tiles) * tile
    begin = chunk * length
    end = min(begin + length, rows)
    count = x.dtype.type(end - begin)
    for first in range(from_column, min(from_column + tile, columns), wide):
        column = first + lane
        total = x.dtype.type(0)
        if column < columns:
            for row in range(begin + line, end, lines):
                total += x[row * columns + column]
        if lines > 1:
            shared[cuda.threadIdx.x] = total
            cuda.syncthreads()
            total = shared[lane]
            for other in range(1, lines):
                total += shared[other * wide + lane]
            cuda.syncthreads()
        mean = total / count
        total = x.dtype.type(0)
        if column < columns:
            for row in range(begin + line, end, lines):
                off = x[row * columns + column] - mean
                total += off * off
        if lines > 1:
            shared[cuda.threadIdx.x] = total
            cuda.syncthreads()
            if line == 0:
                for other in range(1, lines):
                    total += shared[other * wide + lane]
            cuda.syncthreads()
        if line == 0 and column < columns:
            means[chunk * columns + column] = mean
            squares[chunk * columns + column] = total / count if final else total


@kernel("{T}[::1], {T}[::1], {T}[::1], {T}[::1], int64, int64", T=FLOATING)
def joined_statistics(mean, variance, means, squares, rows, length):
    """Mean and variance of columns from those of chunks."""
    columns = mean.size
    chunks = udiv(rows + length - 1, length)
    every = mean.dtype.type(rows)
    for column in range(cuda.grid(1), columns, cuda.gridsize(1)):
        total = mean.dtype.type(0)
        for chunk in range(chunks):
            count = mean.dtype.type(min(length, rows - chunk * length))
            total += means[chunk * columns + column] * count
        middle = total / every
        total = mean.dtype.type(0)
        for chunk in range(chunks):
            count = mean.dtype.type(min(length, rows - chunk * length))
            off = means[chunk * columns + column] - middle
            total += squares[chunk * columns + column] + off * off * count
        mean[column] = middle
        variance[column] = total / every


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}, int64, int64, int64, int64, "
    "boolean, boolean",
    threads=THREADS,
    T=FLOATING,
)
def normalize_columns(
    y, x, mean, variance, gamma, beta, epsilon, rows, columns, length, tile, has_gamma, has_beta
):
    wide = min(tile, cuda.blockDim.x)
    lines = udiv(cuda.blockDim.x, wide)
    lane = umod(cuda.threadIdx.x, wide)
    line = udiv(cuda.threadIdx.x, wide)
    tiles = udiv(columns + tile - 1, tile)
    chunk = udiv(cuda.blockIdx.x, tiles)
    from_column = (cuda.blockIdx.x - chunk * tiles) * tile
    end = min(chunk * length + length, rows)
    for column in range(from_column + lane, min(from_column + tile, columns), wide):
        middle = mean[column]
        factor = y.dtype.type(1) / square_root(variance[column] + epsilon)
        if has_gamma:
            factor *= gamma[column]
        shift = beta[column] if has_beta else y.dtype.type(0)
        for row in range(chunk * length + line, end, lines):
            at = row * columns + column
            if has_beta:
                y[at] = (x[at] - middle) * factor + shift
            else:
                y[at] = (x[at] - middle) * factor


@kernel(
    "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}, "
    "int64, int64, int64, int64, boolean",
    threads=THREADS,
    T=FLOATING,
)
def normalize_columns_grad(
    grad_x,
    grad_y,
    x,
    mean,
    variance,
    gamma,
    by_gamma,
    by_beta,
    epsilon,
    rows,
    columns,
    length,
    tile,
    has_gamma,
):
    wide = min(tile, cuda.blockDim.x)
    lines = udiv(cuda.blockDim.x, wide)
    lane = umod(cuda.threadIdx.x, wide)
    line = udiv(cuda.threadIdx.x, wide)
    tiles = udiv(columns + tile - 1, tile)
    chunk = udiv(cuda.blockIdx.x, tiles)
    from_column = (cuda.blockIdx.x - chunk * tiles) * tile
    end = min(chunk * length + length, rows)
    count = x.dtype.type(rows)
    for column in range(from_column + lane, min(from_column + tile, columns), wide):
        middle = mean[column]
        inverse = x.dtype.type(1) / square_root(variance[column] + epsilon)
        factor = inverse * gamma[column] if has_gamma else inverse
        base, share = by_beta[column] / count, by_gamma[column] / count
        for row in range(chunk * length + line, end, lines):
            at = row * columns + column
            normalized = (x[at] - middle) * inverse
            grad_x[at] = factor * (grad_y[at] - base - normalized * share)


def _cut(x: Array) -> tuple[int, tuple[int, int, int, int]]:
    """The grid of blocks for a matrix; rows, columns, rows of a chunk and columns of a block."""
    columns = x.shape[-1]
    rows = x.size // columns
    chunks, length = chunks_of_columns(1, rows, columns)
    tile, tiles = tiles_of(columns)
    return chunks * tiles, (rows, columns, length, tile)


def _mapped(
    x: Array, mean: Array, variance: Array, gamma: Array | None, beta: Array | None, epsilon: float
) -> Array:
    y = empty(x.shape, x.dtype)
    grid, sizes = _cut(x)
    arrays = [mean if a is None else a for a in (mean, variance, gamma, beta)]
    given = gamma is not None, beta is not None
    number = x.dtype.type(epsilon)
    normalize_columns.launch_blocks(grid, y, x, *map(contiguous, arrays), number, *sizes, *given)
    return y


@OWN.register
@in_float32
def batch_norm(
    x: Array, gamma: Array | None, beta: Array | None, *, epsilon: float
) -> tuple[Array, Array, Array]:
    """`x` normalized by its own statistics, times gamma plus beta; mean and variance."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.batch_norm(x, gamma, beta, epsilon=epsilon)
    x = contiguous(x)
    grid, sizes = _cut(x)
    rows, columns, length, _ = sizes
    mean, variance = empty((columns,), x.dtype), empty((columns,), x.dtype)
    chunks = -(-rows // length)
    if chunks == 1:
        column_statistics.launch_blocks(grid, mean, variance, x, *sizes, True)
    else:
        means, squares = empty((chunks, columns), x.dtype), empty((chunks, columns), x.dtype)
        column_statistics.launch_blocks(grid, means, squares, x, *sizes, False)
        joined_statistics.launch(columns, mean, variance, means, squares, rows, length)
    return _mapped(x, mean, variance, gamma, beta, epsilon), mean, variance


@OWN.register
@in_float32
def batch_norm_inference(
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None,
    beta: Array | None,
    *,
    epsilon: float,
) -> Array:
    """`x` normalized by given statistics, times gamma plus beta."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.batch_norm_inference(x, mean, variance, gamma, beta, epsilon=epsilon)
    return _mapped(contiguous(x), mean, variance, gamma, beta, epsilon)


@OWN.register
@in_float32
def batch_norm_grad(
    grad_y: Array, x: Array, gamma: Array | None, mean: Array, variance: Array, *, epsilon: float
) -> tuple[Array, Array, Array]:
    """Gradients of `batch_norm` by x, gamma and beta."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.batch_norm_grad(grad_y, x, gamma, mean, variance, epsilon=epsilon)
    grad_y, x, mean, variance = map(contiguous, (grad_y, x, mean, variance))
    by_gamma, by_beta = sums(BY_COLUMN, grad_y, x, mean, variance, epsilon=epsilon)
    grad_x = empty(x.shape, x.dtype)
    grid, sizes = _cut(x)
    scale = mean if gamma is None else contiguous(gamma)
    arrays = grad_x, grad_y, x, mean, variance, scale, by_gamma, by_beta
    number = x.dtype.type(epsilon)
    normalize_columns_grad.launch_blocks(grid, *arrays, number, *sizes, gamma is not None)
    return grad_x, by_gamma, by_beta
