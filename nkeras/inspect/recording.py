"""Arrays for a page: whole if they are few, else rounded to 256 levels, then thinned out."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import numpy as np

LEVELS = 254  # of 256; 255 is what is not finite
_LEAST_PLACES = 14**2


@dataclass(frozen=True)
class Kept:
    """Values of a layer for some samples, as they are shown.

    Attributes:
        values: `(samples, ...)`, float32.
        step: every how manieth place of the inner axes was kept.
        channels: how many of the last axis were kept.
    """

    values: np.ndarray
    step: int
    channels: int


class Arrays:
    """What goes into a page beside its text, and what it takes.

    Args:
        rounds: whether values of layers are rounded to 256 levels.
    """

    def __init__(self, rounds: bool) -> None:
        self.rounds = rounds
        self.texts: list[str] = []

    def add(self, values: np.ndarray, exact: bool = False) -> dict[str, Any]:
        """Keep an array; gives what the page has to know to find it."""
        values = np.ascontiguousarray(values, np.float32)
        found: dict[str, Any] = {"id": len(self.texts), "shape": list(values.shape)}
        if exact or not self.rounds:
            self.texts.append(b64encode(values.astype("<f4").tobytes()).decode())
            return found
        finite = np.isfinite(values)
        low = float(values[finite].min()) if finite.any() else 0.0
        high = float(values[finite].max()) if finite.any() else 0.0
        scale = (high - low) / LEVELS or 1.0
        levels = np.full(values.shape, 255, np.uint8)
        levels[finite] = np.rint((values[finite] - low) / scale)
        self.texts.append(b64encode(levels.tobytes()).decode())
        return found | {"low": low, "scale": scale}


def limit_of(sizes: list[int], budget: int) -> int:
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
    if not shape:
        return Kept(values, 1, 1)
    places, channels, step = shape[:-1], shape[-1], 1

    def count() -> int:
        return int(np.prod([-(-size // step) for size in places]))

    while count() * channels > limit and count() > _LEAST_PLACES and max(places) // (step + 1) >= 8:
        step += 1
    channels = max(1, min(channels, limit // count()))
    inner = (slice(None, None, step),) * len(places)
    return Kept(values[(slice(None), *inner, slice(channels))], step, channels)
