"""Sounds in .wav files."""

from __future__ import annotations

import io
import wave

import numpy as np

from nkeras.core.errors import cut_text, short


def read_wav(path: str, owner: str) -> tuple[np.ndarray, int]:
    """The samples of a sound.

    Args:
        path: name of the file.
        owner: who asks, for errors.

    Returns:
        float32 `(samples, channels)` from -1 to 1, and the number of samples in a second.

    Raises:
        ValueError: it is no .wav file, broken, or of another kind than integers of 8, 16, 24 or 32
            bits.
    """
    with open(path, "rb") as file:
        content = io.BytesIO(file.read())
    try:
        with wave.open(content) as sound:
            count, channels = sound.getnframes(), sound.getnchannels()
            width, rate = sound.getsampwidth(), sound.getframerate()
            frames = sound.readframes(count)
        if len(frames) != count * width * channels:
            raise wave.Error(f"it is cut off: {count} samples are said, {len(frames)} bytes there")
        if width not in (1, 2, 3, 4):
            raise wave.Error(f"samples have {8 * width} bits")
    except (wave.Error, EOFError, ValueError, RuntimeError) as error:
        reason = cut_text(str(error), 80) or "it ends too early"
        raise ValueError(
            f"{owner}: file {short(path, 180)} cannot be read: {reason}. Files with integers of 8, "
            "16, 24 or 32 bits can."
        ) from error
    return _decoded(frames, width).reshape(-1, channels), rate


def _decoded(frames: bytes, width: int) -> np.ndarray:
    """Samples from -1 to 1."""
    if width == 1:
        return np.frombuffer(frames, "uint8").astype("float32") / 128.0 - 1.0
    if width == 2:
        return np.frombuffer(frames, "<i2").astype("float32") / 2.0**15
    if width == 3:
        wide = np.zeros((len(frames) // 3, 4), "uint8")
        wide[:, 1:] = np.frombuffer(frames, "uint8").reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype("float32") / 2.0**31
    return np.frombuffer(frames, "<i4").astype("float32") / 2.0**31
