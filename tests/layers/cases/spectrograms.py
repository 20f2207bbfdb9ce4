"""Spectrograms."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


def cases(long: bool) -> Iterator[Case]:
    for mode in _MODES if long else ("log", "real"):
        yield case("STFTSpectrogram", (2, 40, 2), mode=mode, frame_length=8)
    yield case(
        "STFTSpectrogram",
        (2, 2, 41),
        mode="stft",
        frame_length=8,
        frame_step=3,
        fft_length=16,
        window="hamming",
        periodic=True,
        scaling="spectrum",
        padding="same",
        data_format="channels_first",
    )
    yield case(
        "STFTSpectrogram",
        (2, 40, 2),
        mode="psd",
        frame_length=6,
        window=None,
        scaling=None,
        expand_dims=True,
        data_format="channels_last",
    )
    yield case(
        "STFTSpectrogram",
        (2, 2, 40),
        mode="imag",
        frame_length=4,
        window=[0.5, 1.0, 1.0, 0.5],
        expand_dims=True,
        data_format="channels_first",
    )
    small = {"fft_length": 32, "sequence_stride": 16, "num_mel_bins": 5, "sampling_rate": 8000}
    yield case("MelSpectrogram", (2, 100), **small)
    yield case(
        "MelSpectrogram",
        (2, 100),
        **small,
        sequence_length=20,
        window="hamming",
        min_freq=50.0,
        max_freq=3000,
        power_to_db=False,
        mag_exp=1.0,
    )
    yield case(
        "MelSpectrogram", (2, 100), **small, window=None, top_db=20.0, ref_power=2.0, min_power=1e-3
    )
