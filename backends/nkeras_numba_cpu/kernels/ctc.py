"""Alignments of label sequences with longer sequences of class probabilities (CTC).

A task is a sample. It works with logarithms, in which a number that stands for no alignment takes
the place of -inf, so that the loops over states have no branches. At each step the largest is taken
off: sums over hundreds of steps would leave float32 with three digits.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.vector_math import exp, log, maximum, subtract
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

NOTHING = -1e30
_inlined = functools.partial(inner, forceinline=True)  # or LLVM makes no vectors of some calls
_in_any_order = functools.partial(inner, fastmath={"contract", "reassoc"})
_STATE_WORK = 60  # operations of a state in a step, in both directions


@KERNELS.register
def ctc(
    log_probabilities: np.ndarray,
    target: np.ndarray,
    target_length: np.ndarray,
    output_length: np.ndarray,
    *,
    mask_index: int,
) -> tuple[np.ndarray, np.ndarray]:
    """`-log` of the sum over all alignments, and how these share the classes of each step."""
    source, dtype = operand(log_probabilities), log_probabilities.dtype
    batch, steps, _ = source.shape
    states = 2 * target.shape[1] + 1
    losses, occupancies = empty((batch,), source.dtype), empty(source.shape, source.dtype)
    if batch:
        _align(
            batch,
            batch * steps * states * _STATE_WORK,
            source,
            operand(target),
            operand(target_length),
            operand(output_length),
            mask_index,
            states + 2,
            empty((batch, states), np.int32),
            empty((batch, (steps + 4) * (states + 2)), source.dtype),
            losses,
            occupancies,
        )
    return stored(losses, dtype), stored(occupancies, dtype)


@tasks
def _align(
    n,
    log_probabilities,
    target,
    target_length,
    output_length,
    mask_index,
    width,
    labels,
    rows,
    losses,
    occupancies,
):
    steps = min(max(output_length[n], 0), log_probabilities.shape[1])
    states = 2 * min(max(target_length[n], 0), target.shape[1]) + 1
    nothing = log_probabilities.dtype.type(NOTHING)
    zero = log_probabilities.dtype.type(0)
    given, occupancy, label, row = log_probabilities[n], occupancies[n], labels[n], rows[n]
    for step in range(occupancy.shape[0]):
        for c in range(occupancy.shape[1]):
            occupancy[step, c] = zero
    if steps == 0:
        losses[n] = zero if states == 1 else math.inf
        return
    for s in range(states):
        label[s] = mask_index if s % 2 == 0 else min(max(target[n, s // 2], 0), given.shape[1] - 1)
    behind = log_probabilities.shape[1] * width  # four rows more
    emitted, skip = part(row, behind, states), part(row, behind + width, states + 2)
    for s in range(states + 2):
        allowed = 2 <= s < states and label[s] != label[s - 2]
        skip[s] = zero if allowed else nothing

    taken_off = 0.0
    for step in range(steps):  # what leads to each state, behind two states that nothing leads to
        start = step * width
        row[start] = row[start + 1] = nothing
        _emit(given[step], label, emitted)
        reached = part(row, start + 2, states)
        if step == 0:
            for s in range(states):
                reached[s] = emitted[s] if s < 2 else nothing
        else:
            last = part(row, start - width, states + 2)
            stay, go = part(last, 2, states), part(last, 1, states)
            _advance(stay, go, last, skip, emitted, reached)
        taken_off += _take_off_largest(reached)

    last = part(row, (steps - 1) * width, states + 2)
    total = last[states + 1] if states == 1 else _join(last[states], last[states + 1], nothing)
    if total < nothing / 2:
        losses[n] = math.inf
        return
    losses[n] = -(taken_off + total)
    following = part(row, behind + 2 * width, states + 2)
    ahead = part(row, behind + 3 * width, states)
    for s in range(states):
        ahead[s] = zero if states - 2 <= s else nothing
    for step in range(steps - 1, -1, -1):
        _share(part(row, step * width + 2, states), ahead, emitted)
        masked = zero
        for s in range(0, states, 2):
            masked += emitted[s]
        for s in range(1, states, 2):
            occupancy[step, label[s]] += emitted[s]
        occupancy[step, mask_index] += masked
        if step > 0:
            _emit(given[step], label, emitted)
            for s in range(states):
                following[s] = ahead[s] + emitted[s]
                emitted[s] = zero
            following[states] = following[states + 1] = nothing
            go, leap = part(following, 1, states), part(following, 2, states)
            _advance(following, go, leap, part(skip, 2, states), emitted, ahead)
            _take_off_largest(ahead)


@inner
def _emit(given, label, emitted):
    for s in range(emitted.size):
        emitted[s] = maximum(given[label[s]], given.dtype.type(NOTHING))


@_inlined
def _join(a, b, c):
    """`log(exp(a) + exp(b) + exp(c))`."""
    most = maximum(maximum(a, b), c)
    return most + log(exp(a - most) + exp(b - most) + exp(c - most))


@_inlined
def _advance(stay, go, leap, skip, emitted, reached):
    for s in range(emitted.size):
        reached[s] = _join(stay[s], go[s], leap[s] + skip[s]) + emitted[s]


@inner
def _take_off_largest(x):
    """The largest element, which is taken off all, unless they all stand for nothing."""
    most = _largest(x)
    if most > NOTHING / 2:
        for s in range(x.size):
            x[s] -= most
        return most
    return x.dtype.type(0)


@_in_any_order
def _largest(x):
    most = x[0]
    for s in range(1, x.size):
        most = maximum(most, x[s])
    return most


@_in_any_order
def _share(forward, backward, shares):
    """How alignments are divided among states."""
    for s in range(shares.size):
        shares[s] = forward[s] + backward[s]
    most, total = _largest(shares), shares.dtype.type(0)
    for s in range(shares.size):
        shares[s] = exp(subtract(shares[s], most))
        total += shares[s]
    scale = 1 / total
    for s in range(shares.size):
        shares[s] *= scale
