"""Alignments of label sequences with longer sequences of class probabilities (CTC).

A task is a sample. It works with logarithms, in which a number that stands for no alignment takes
the place of -inf, so that the loops over states have no branches.
"""

from __future__ import annotations

import math

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.vector_math import exp, log, maximum
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

NOTHING = -1e30
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
            empty((batch, states), np.int32),
            empty((batch, steps + 4, states + 2), source.dtype),
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
    count = rows.shape[1] - 4
    emitted, skip = row[count, :states], row[count + 1, : states + 2]
    for s in range(states + 2):
        allowed = 2 <= s < states and label[s] != label[s - 2]
        skip[s] = zero if allowed else nothing

    for step in range(steps):  # what leads to each state, behind two states that nothing leads to
        for s in range(2):
            row[step, s] = nothing
        _emit(given[step], label, emitted)
        reached = row[step, 2 : states + 2]
        if step == 0:
            for s in range(states):
                reached[s] = emitted[s] if s < 2 else nothing
        else:
            last = row[step - 1, : states + 2]
            _advance(last[2:], last[1:], last, skip, emitted, reached)

    ends = row[steps - 1, states : states + 2]
    total = ends[1] if states == 1 else _join(ends[0], ends[1], nothing)
    if total < nothing / 2:
        losses[n] = math.inf
        return
    losses[n] = -total
    following, ahead = row[count + 2, : states + 2], row[count + 3, : states + 2]
    for s in range(states + 2):
        ahead[s] = zero if states - 2 <= s < states else nothing
    for step in range(steps - 1, -1, -1):
        _share(row[step, 2 : states + 2], ahead, total, emitted)
        for s in range(states):
            occupancy[step, label[s]] += emitted[s]
        if step > 0:
            _emit(given[step], label, emitted)
            for s in range(states):
                following[s] = ahead[s] + emitted[s]
            following[states] = following[states + 1] = nothing
            for s in range(states):
                emitted[s] = zero
            _advance(following, following[1:], following[2:], skip[2:], emitted, ahead)


@inner
def _emit(given, label, emitted):
    for s in range(emitted.size):
        emitted[s] = maximum(given[label[s]], given.dtype.type(NOTHING))


@inner
def _join(a, b, c):
    """`log(exp(a) + exp(b) + exp(c))`."""
    most = maximum(maximum(a, b), c)
    return most + log(exp(a - most) + exp(b - most) + exp(c - most))


@inner
def _advance(stay, go, leap, skip, emitted, reached):
    for s in range(emitted.size):
        reached[s] = _join(stay[s], go[s], leap[s] + skip[s]) + emitted[s]


@inner
def _share(forward, backward, total, shares):
    for s in range(shares.size):
        shares[s] = exp(forward[s] + backward[s] - total)
