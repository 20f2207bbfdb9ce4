"""Gradients clipped by their common norm: a launch for all sums, one for all products."""

from __future__ import annotations

from nkeras_numba_cuda.cuda import TARGET, cuda
from nkeras_numba_cuda.device.intrinsics import square_root
from nkeras_numba_cuda.device.pointers import accesses_at
from nkeras_numba_cuda.device.warps import WARP, sum_in_team
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.updates import THREADS, pieces_of, results_like
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, Pointers, contiguous, empty
from nkeras_numpy.namespace import in_float32

read, write = accesses_at(1)


@kernel("{T}[::1], int64[::1], int64[::1]", threads=THREADS, T=FLOATING)
def squares_of_pieces(sums, pointers, pieces):
    """The sum of squares of each block's piece of a gradient."""
    shared = cuda.shared.array(WARP, sums.dtype)
    held = cuda.local.array(1, sums.dtype)
    which = pieces[3 * cuda.blockIdx.x] * 2
    start, stop = pieces[3 * cuda.blockIdx.x + 1], pieces[3 * cuda.blockIdx.x + 2]
    total = sums.dtype.type(0)
    for i in range(start + cuda.threadIdx.x, stop, cuda.blockDim.x):
        read(pointers, which, i, held)
        total += held[0] * held[0]
    total = sum_in_team(total, cuda.blockDim.x, shared)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = total


@kernel("{T}[::1], int64[::1], int64[::1], {T}", threads=THREADS, T=FLOATING)
def scale_pieces(sums, pointers, pieces, most):
    """Each piece scaled so that the norm is at most `most`; NaN where that is infinite."""
    shared = cuda.shared.array(WARP, sums.dtype)
    held = cuda.local.array(1, sums.dtype)
    total = sums.dtype.type(0)
    for i in range(cuda.threadIdx.x, sums.size, cuda.blockDim.x):
        total += sums[i]
    norm = square_root(sum_in_team(total, cuda.blockDim.x, shared))
    larger = norm if norm > most or norm != norm else most
    scale = most / larger + (norm - norm)
    which = pieces[3 * cuda.blockIdx.x] * 2
    start, stop = pieces[3 * cuda.blockIdx.x + 1], pieces[3 * cuda.blockIdx.x + 2]
    for i in range(start + cuda.threadIdx.x, stop, cuda.blockDim.x):
        read(pointers, which, i, held)
        held[0] *= scale
        write(pointers, which + 1, i, held)


@in_float32
def clip_together(*grads: Array, clipnorm: float) -> tuple[Array, ...]:
    """The gradients, of one floating dtype, scaled to a common norm of at most `clipnorm`."""
    dtype = grads[0].dtype
    made = results_like([grad.shape for grad in grads], 1, dtype)
    pieces, count = pieces_of(tuple(grad.size for grad in grads))
    if count:
        pairs = [(contiguous(grad), new[0]) for grad, new in zip(grads, made, strict=True)]
        table = Pointers([array for pair in pairs for array in pair])
        sums = empty((count,), dtype)
        squares_of_pieces.launch_blocks(count, sums, table, pieces)
        scale_pieces.launch_blocks(count, sums, table, pieces, dtype.type(clipnorm))
    return tuple(new[0] for new in made)


if TARGET == "numba-cuda":  # numba-cuda-mlir takes no intrinsics
    OWN.register(clip_together)
