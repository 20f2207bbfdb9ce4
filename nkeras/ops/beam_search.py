"""Prefix beam search: which label sequences have the most probable alignments, on the host.

Source: Hannun et al., https://arxiv.org/abs/1408.2873
"""

from __future__ import annotations

import numpy as np

_Path = tuple[int, ...]


def beam_search(
    log_probabilities: np.ndarray,
    lengths: np.ndarray,
    beam_width: int,
    top_paths: int,
    mask_index: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The most probable label sequences of each sample.

    Args:
        log_probabilities: `(batch, steps, classes)`.
        lengths: steps of each sample `(batch,)`.
        beam_width: how many sequences are kept at each step.
        top_paths: how many are returned.
        mask_index: the class that stands for no label.

    Returns:
        Arrays: labels `(top_paths, batch, steps)`, -1 behind their end, and the logarithms of their
        probabilities `(batch, top_paths)`, -inf where there are fewer sequences.
    """
    batch, steps, _ = log_probabilities.shape
    labels = np.full((top_paths, batch, steps), -1, np.int32)
    scores = np.full((batch, top_paths), -np.inf, log_probabilities.dtype)
    for n in range(batch):
        found = _search(log_probabilities[n, : max(int(lengths[n]), 0)], beam_width, mask_index)
        for place, (path, score) in enumerate(found[:top_paths]):
            labels[place, n, : len(path)] = path
            scores[n, place] = score
    return labels, scores


def _search(
    log_probabilities: np.ndarray, beam_width: int, mask_index: int
) -> list[tuple[_Path, float]]:
    """All sequences that are left, the most probable first."""
    paths: list[_Path] = [()]
    # Logarithms of the alignments that end with the last label, and of those that end with a mask.
    emitted, masked = np.array([-np.inf]), np.array([0.0])
    for step in log_probabilities.astype(np.float64):
        paths, emitted, masked = _extended(paths, emitted, masked, step, beam_width, mask_index)
    totals = np.logaddexp(emitted, masked)
    order = sorted(range(len(paths)), key=lambda i: (-totals[i], paths[i]))
    return [(paths[i], float(totals[i])) for i in order]


def _extended(
    paths: list[_Path],
    emitted: np.ndarray,
    masked: np.ndarray,
    step: np.ndarray,
    beam_width: int,
    mask_index: int,
) -> tuple[list[_Path], np.ndarray, np.ndarray]:
    totals = np.logaddexp(emitted, masked)
    tails = np.array([path[-1] if path else mask_index for path in paths])
    longer = totals[:, None] + step  # each sequence with each class behind it
    at = np.arange(len(paths))
    longer[at, tails] = masked + step[tails]  # the same label again needs a mask in between
    longer[:, mask_index] = -np.inf
    stay_masked = totals + step[mask_index]
    stay_emitted = np.where(tails == mask_index, -np.inf, emitted + step[tails])

    places = {path: i for i, path in enumerate(paths)}
    for i, path in enumerate(paths):  # a sequence may also come from the one without its last label
        shorter = places.get(path[:-1]) if path else None
        if shorter is not None:
            stay_emitted[i] = np.logaddexp(stay_emitted[i], longer[shorter, path[-1]])
            longer[shorter, path[-1]] = -np.inf

    scores = np.concatenate([np.logaddexp(stay_emitted, stay_masked), longer.ravel()])
    kept = min(beam_width, int(np.isfinite(scores).sum()))
    least = np.partition(scores, -kept)[-kept] if kept else np.inf
    found: list[tuple[float, _Path, int]] = []
    for place in np.flatnonzero(scores >= least):
        source, label = divmod(int(place) - len(paths), len(step))
        path = paths[place] if place < len(paths) else (*paths[source], label)
        found.append((-float(scores[place]), path, int(place)))
    found = sorted(found)[:kept]  # of equal ones the first in the order of labels
    chosen = np.array([place for _, _, place in found], int)
    stays = chosen < len(paths)
    inside = np.where(stays, chosen, 0)
    return (
        [path for _, path, _ in found],
        np.where(stays, stay_emitted[inside], scores[chosen]),
        np.where(stays, stay_masked[inside], -np.inf),
    )
