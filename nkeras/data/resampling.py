"""Sounds at another sampling rate."""

from __future__ import annotations

import math

import numpy as np

_CROSSINGS = 24  # zeros of the sinc on each side
_BETA = 8.6  # of the Kaiser window: what is cut off is 85 dB below
_KEPT = 0.94  # share of the frequencies that pass: the window needs the rest


def resampled(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """A sound at another rate, without frequencies that this rate cannot carry.

    Args:
        sound: float32 `(samples, channels)`.
        rate: its samples in a second.
        wanted: those of the result.

    Returns:
        float32 `(ceil(samples * wanted / rate), channels)`.

    Example:
        >>> import numpy as np
        >>> resampled(np.ones((100, 1), "float32"), 8000, 4000).shape
        (50, 1)

    Source: band-limited interpolation, https://ccrma.stanford.edu/~jos/resample/
    """
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    count = math.ceil(len(sound) * up / down)
    result = np.empty((count, sound.shape[1]), "float32")
    if not count:
        return result
    cutoff = _KEPT * min(1.0, up / down)
    reach = math.ceil(_CROSSINGS / cutoff)
    padded = np.pad(sound, ((reach, reach + down), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    for phase in range(min(up, count)):
        # Result number phase + k * up lies at sample (phase * down) / up + k * down.
        first, rest = divmod(phase * down, up)
        taps = _taps(np.arange(-reach, reach + 1) - rest / up, cutoff)
        places = len(range(phase, count, up))
        result[phase::up] = windows[first::down][:places] @ taps.astype("float32")
    return result


def _taps(distance: np.ndarray, cutoff: float) -> np.ndarray:
    """Weights of the samples at these distances; their sum is 1."""
    inside = np.clip(1.0 - (distance * cutoff / _CROSSINGS) ** 2, 0.0, None)
    weights = np.sinc(distance * cutoff) * np.i0(_BETA * np.sqrt(inside)) * (inside > 0)
    return weights / weights.sum()
