"""Spectrograms: the frequency of a tone, inputs without a batch, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops

_TIME = np.arange(4000) / 8000.0
TONE = np.sin(2 * np.pi * 1000.0 * _TIME).astype("float32")


def test_a_tone_is_found() -> None:
    layer = layers.STFTSpectrogram("magnitude", frame_length=64, trainable=False)
    spectrum = np.asarray(layer(TONE[None, :, None]))
    assert (spectrum.argmax(-1) == 8).all()  # of 64 elements at 8,000 each second
    assert layer.trainable_variables == []


def test_a_length_that_is_unknown() -> None:
    inputs = nkeras.Input((None,))
    outputs = layers.MelSpectrogram(num_mel_bins=10, fft_length=2048)(inputs)
    assert outputs.shape == (None, 10, None)
    assert nkeras.Model(inputs, outputs)(TONE[None]).shape == (1, 10, 8)


def test_a_signal_without_a_batch() -> None:
    layer = layers.MelSpectrogram(num_mel_bins=20, sampling_rate=8000, fft_length=256)
    alone, batch = layer(TONE), layer(TONE[None])
    assert alone.shape == (20, 8)
    np.testing.assert_array_equal(alone, batch[0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_float16", "mixed_bfloat16"])
def test_dtypes(dtype: str) -> None:
    layer = layers.MelSpectrogram(num_mel_bins=20, sampling_rate=8000, dtype=dtype)
    assert layer(TONE).dtype == dtype.removeprefix("mixed_")


def test_kernels_learn_in_fit() -> None:
    model = nkeras.Sequential(
        [
            nkeras.Input((64, 1)),
            layers.STFTSpectrogram("psd", frame_length=16),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = TONE[: 32 * 64].reshape(32, 64, 1)
    before = np.array(model.layers[0].real_kernel)
    losses = model.fit(x, np.ones((32, 1), "float32"), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert (before != np.asarray(model.layers[0].real_kernel)).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "power"}, "argument `mode` must be 'log', 'magnitude'"),
        ({"frame_step": 300}, "argument `frame_step` must be an int from 1 to 256"),
        ({"fft_length": 128}, "argument `fft_length` must be an int >= frame_length=256"),
        ({"scaling": "sum"}, "argument `scaling`"),
        ({"padding": "causal"}, "argument `padding`"),
        ({"window": "flat"}, "argument `window` must be one of boxcar"),
        ({"frame_length": 0}, "argument `frame_length`"),
    ],
)
def test_refusals(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"STFTSpectrogram: {message}"):
        layers.STFTSpectrogram(**arguments)


def test_other_refusals() -> None:
    with pytest.warns(UserWarning, match="should be a power of two. Received: 20"):
        layers.STFTSpectrogram(frame_length=16, fft_length=20)
    with pytest.raises(TypeError, match="inputs must be floating"):
        layers.STFTSpectrogram()(ops.ones((1, 300, 1), "int32"))
    with pytest.raises(ValueError, match="MelSpectrogram: argument `fft_length` must not be less"):
        layers.MelSpectrogram(fft_length=16, sequence_length=32)
