# ruff: noqa: E501
"""Expressions of Fourier transforms, evaluated by nkeras and by Keras."""

from __future__ import annotations

import numpy as np

from tests.ops.keras_cases import INPUTS, add

_random = np.random.default_rng(41)
INPUTS.update(
    wave=_random.uniform(-1, 1, (2, 60)).astype("float32"),
    weights=_random.uniform(0.5, 1, 8).astype("float32"),
)

add("fft", "{}((x, y))", "{}((cube, cube * 2.0))")
add("fft2 ifft2", "{}((x, y))", "{}((cube, cube * 2.0))")
add("rfft", "{}(wave)", "{}(wave, 59)", "{}(wave, 64)", "{}(wave, 10)", "{}(j)")
add(
    "irfft",
    "{}((x, y))",
    "{}((x, y), 7)",
    "{}((x, y), 4)",
    "{}((x, y), 20)",
    "{}(ops.rfft(wave, 59), 59)",
)
add("extract_sequences", "{}(wave, 8, 3)", "{}(i, 2, 1)", "{}(i, 4, 4)")
add("stft", "{}(wave, 8, 4, 8)", "{}(wave, 8, 3, 11)", "{}(wave, 8, 4, 16, window='hamming')",
    "{}(wave, 8, 4, 8, window=weights)", "{}(wave[0], 7, 7, 8, window=None, center=False)",
    "{}(wave, 8, 5, 8, center=False)")  # fmt: skip
add("istft", "{}(ops.stft(wave, 8, 4, 8), 8, 4, 8)", "{}(ops.stft(wave, 8, 3, 11), 8, 3, 11)",
    "{}(ops.stft(wave, 8, 4, 16), 8, 4, 16, length=50)",
    "{}(ops.stft(wave, 8, 4, 8, window=weights), 8, 4, 8, window=weights)",
    "{}(ops.stft(wave, 8, 4, 8, center=False, window=None), 8, 4, 8, center=False, window=None)",
    "{}((wave[:, :20].reshape(2, 4, 5), wave[:, 20:40].reshape(2, 4, 5)), 8, 4, 8, center=False)")  # fmt: skip
