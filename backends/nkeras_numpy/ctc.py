"""Alignments of label sequences with longer sequences of class probabilities (CTC)."""

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def ctc(
    log_probabilities: Array,
    target: Array,
    target_length: Array,
    output_length: Array,
    *,
    mask_index: int,
) -> tuple[Array, Array]:
    """Sample by sample: `-log` of the sum over all alignments, and how they share each step."""
    xp = namespace(log_probabilities)
    losses = xp.empty(len(target), log_probabilities.dtype)
    occupancies = xp.zeros_like(log_probabilities)
    for n, row in enumerate(target):
        steps = min(max(int(output_length[n]), 0), log_probabilities.shape[1])
        labels = row[: max(int(target_length[n]), 0)]
        losses[n] = _align(log_probabilities[n, :steps], labels, mask_index, occupancies[n])
    return losses, occupancies


def _align(log_probabilities: Array, target: Array, mask_index: int, occupancy: Array) -> Array:
    xp = namespace(log_probabilities)
    labels = xp.full(2 * len(target) + 1, mask_index)  # a mask before, between and behind labels
    labels[1::2] = target
    steps, states = len(log_probabilities), len(labels)
    if not steps:
        return 0.0 if states == 1 else np.inf
    emitted = log_probabilities[:, labels]
    skip = xp.full(states + 2, -np.inf)  # a mask between different labels may be left out
    skip[2:states] = xp.where(labels[2:] != labels[:-2], 0.0, -np.inf)

    forward = xp.full((steps, states + 2), -np.inf)  # with two columns of nothing in front
    forward[0, 2:4] = emitted[0, :2]
    for step in range(1, steps):
        last = forward[step - 1]
        reached = xp.logaddexp(last[2:], last[1:-1])
        forward[step, 2:] = xp.logaddexp(reached, last[:-2] + skip[:-2]) + emitted[step]
    forward = forward[:, 2:]

    backward = xp.full((steps, states + 2), -np.inf)  # with two columns of nothing behind
    backward[-1, max(states - 2, 0) : states] = 0.0
    for step in reversed(range(steps - 1)):
        following = backward[step + 1].copy()
        following[:-2] += emitted[step + 1]
        reached = xp.logaddexp(following[:-2], following[1:-1])
        backward[step, :-2] = xp.logaddexp(reached, following[2:] + skip[2:])

    ends = forward[-1, -2:]
    total = ends[0] if states == 1 else xp.logaddexp(ends[0], ends[1])
    if total != -np.inf:
        shares = xp.exp(forward + backward[:, :-2] - total)
        for state in range(states):
            occupancy[:steps, labels[state]] += shares[:, state]
    return -total
