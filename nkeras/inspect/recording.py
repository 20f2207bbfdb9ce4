"""What is kept of arrays: all of it if they are few, else rounded to 256 levels and thinned out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

LEVELS = 254  # of 256; 255 is what is not finite
_LEAST_PLACES = 14**2


@dataclass(frozen=True)
class Kept:
    """Values of a layer for some samples, as they are shown.

    Attributes:
        values: `(samples, ...)`, float32, or their levels as uint8.
        shape: of one sample before places and channels were left out.
        step: every how manieth place of the inner axes was kept, a power of two.
        alive: for each channel of `shape` whether it was other than 0 for any sample.
        low: what level 0 means; None where values are not rounded.
        scale: from one level to the next.
    """

    values: np.ndarray
    shape: tuple[int, ...]
    step: int
    alive: np.ndarray
    low: float | None = None
    scale: float = 1.0


def limit_of(sizes: Sequence[int], budget: int) -> int:
    """How many elements each array may keep so that all together stay below a number.

    Example:
        >>> limit_of([10, 100, 1000], 300)
        190
    """
    if sum(sizes) <= budget:
        return max(sizes, default=0)
    left, known = budget, sorted(sizes)
    for place, size in enumerate(known):
        share = left // (len(known) - place)
        if size > share:
            return max(share, 1)
        left -= size
    return known[-1]


def thinned(values: np.ndarray, limit: int) -> Kept:
    """At most about `limit` elements of each sample: fewer places first, then fewer channels."""
    shape = values.shape[1:]
    channels = shape[-1] if shape else 1
    alive = np.any(values.reshape(-1, channels) != 0, axis=0)
    if not shape:
        return Kept(values, shape, 1, alive)
    places, step = shape[:-1], 1

    def count() -> int:
        return int(np.prod([-(-size // step) for size in places]))

    while count() * channels > limit and count() > _LEAST_PLACES and max(places) // (2 * step) >= 8:
        step *= 2
    return Kept(_every(values, step, max(1, limit // count())), shape, step, alive)


def _every(values: np.ndarray, step: int, channels: int) -> np.ndarray:
    """Some places and channels, as an array of its own."""
    inner = (slice(None, None, step),) * (values.ndim - 2)
    return np.array(values[(slice(None), *inner, slice(channels))])


def joined(parts: Sequence[Kept]) -> Kept:
    """What was kept of some samples after the others."""
    alive = reduce(np.logical_or, [part.alive for part in parts])
    return replace(parts[0], values=np.concatenate([part.values for part in parts]), alive=alive)


def rounded(kept: Kept) -> Kept:
    """The values as levels between the least and the largest one."""
    if kept.low is not None:
        return kept
    values, finite = kept.values, np.isfinite(kept.values)
    low = float(values[finite].min()) if finite.any() else 0.0
    high = float(values[finite].max()) if finite.any() else 0.0
    scale = (high - low) / LEVELS or 1.0
    levels = np.full(values.shape, 255, np.uint8)
    levels[finite] = np.rint((values[finite] - low) / scale)
    return replace(kept, values=levels, low=low, scale=scale)


def fitted(kept: Kept, other: Kept) -> Kept:
    """As little of the same layer as was kept at another, later time."""
    if kept.shape != other.shape or not kept.shape:
        return kept
    further, channels = max(other.step // kept.step, 1), other.values.shape[-1]
    step = further * kept.step
    less = replace(kept, values=_every(kept.values, further, channels), step=step)
    return less if other.low is None else rounded(less)


def range_of(kept: Kept) -> list[float]:
    """The least and the largest finite value."""
    if kept.low is None:
        kept = rounded(kept)
    assert kept.low is not None
    return [kept.low, kept.low + kept.scale * LEVELS]
