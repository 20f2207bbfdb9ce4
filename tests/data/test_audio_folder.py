"""Folders of sounds."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nkeras.data.resampling import resampled
from nkeras.data.wav import read_wav
from nkeras.utils import audio_dataset_from_directory
from tests.data.folders import filled, write_sound, write_wav


def test_samples_of_each_width(tmp_path: Path) -> None:
    values = np.array([-1.0, -0.5, 0.0, 0.25, 0.5])
    for width in (1, 2, 3, 4):
        whole = (values * 2 ** (8 * width - 1)).astype("int64")
        whole = whole + 128 if width == 1 else whole
        frames = b"".join(int(v).to_bytes(width, "little", signed=width > 1) for v in whole)
        path = tmp_path / f"{width}.wav"
        write_wav(path, frames, width, rate=16000)
        sound, rate = read_wav(str(path), "test")
        assert rate == 16000
        assert sound.dtype == "float32"
        np.testing.assert_array_equal(sound[:, 0], values)


def test_sixteen_bits_are_tensorflows(tmp_path: Path) -> None:
    """Values of `tf.audio.decode_wav` of TensorFlow 2.21 for these frames of two channels."""
    frames = np.array([[-32768, 1], [32767, -1], [1000, -12345]], "<i2").tobytes()
    write_wav(tmp_path / "a.wav", frames, 2, channels=2)
    sound, _ = read_wav(str(tmp_path / "a.wav"), "test")
    expected = [[-1.0, 3.0517578e-05], [0.9999695, -3.0517578e-05], [0.030517578, -0.37673950]]
    np.testing.assert_allclose(sound, expected, rtol=1e-7)


def test_lengths(tmp_path: Path) -> None:
    folder = filled(tmp_path, write_sound)
    options: dict[str, Any] = {"verbose": False, "shuffle": False, "label_mode": None}
    longest = audio_dataset_from_directory(folder, batch_size=2, **options)
    assert [batch.shape for batch in longest][:3] == [(2, 20, 1), (2, 24, 1), (2, 14, 1)]
    fixed = audio_dataset_from_directory(folder, batch_size=8, output_sequence_length=12, **options)
    assert [batch.shape for batch in fixed] == [(8, 12, 1), (8, 12, 1)]
    np.testing.assert_array_equal(fixed[0][0, 10:], np.zeros((2, 1)))
    np.testing.assert_array_equal(fixed[0][0, :10], longest[0][0, :10])
    alone = audio_dataset_from_directory(folder, batch_size=None, **options)
    assert alone[1].shape == (20, 1)


def test_another_rate(tmp_path: Path) -> None:
    time = np.arange(4000) / 8000
    tone = np.sin(2 * np.pi * 440 * time)
    write_wav(tmp_path / "tone.wav", (tone * 32767).astype("<i2").tobytes(), 2, rate=8000)
    for rate, length in ((16000, 8000), (11025, 5513), (6000, 3000)):
        dataset = audio_dataset_from_directory(
            tmp_path, labels=None, sampling_rate=rate, verbose=False
        )
        (sound,) = dataset[0]
        assert sound.shape == (length, 1)
        expected = np.sin(2 * np.pi * 440 * np.arange(length) / rate)
        np.testing.assert_allclose(sound[100:-100, 0], expected[100:-100], atol=2e-4)
    cut = audio_dataset_from_directory(
        tmp_path, labels=None, sampling_rate=16000, output_sequence_length=5000, verbose=False
    )
    assert cut[0].shape == (1, 5000, 1)


def test_frequencies_that_do_not_fit_are_cut_off() -> None:
    time = np.arange(8000)[:, None] / 8000
    low, high = np.sin(2 * np.pi * 500 * time), np.sin(2 * np.pi * 3000 * time)
    assert np.abs(resampled(high.astype("float32"), 8000, 4000)[100:-100]).max() < 1e-3
    kept = resampled((low + high).astype("float32"), 8000, 4000)
    np.testing.assert_allclose(kept[100:-100], low[::2][100:-100], atol=1e-3)
    assert resampled(np.zeros((0, 2), "float32"), 8000, 4000).shape == (0, 2)
    same = resampled(np.full((50, 1), 0.5, "float32"), 3, 7)
    np.testing.assert_allclose(same[len(same) // 2], 0.5, atol=1e-3)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def wav(form: bytes, data: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + chunk(b"fmt ", form) + chunk(b"data", data))


FLOATS = struct.pack("<HHIIHH", 3, 1, 8000, 32000, 4, 32)
PLAIN = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
BROKEN = {
    "nothing": b"",
    "another file": b"fLaC" + bytes(40),
    "floats": wav(FLOATS, bytes(8)),
    "no channels": wav(struct.pack("<HHIIHH", 1, 0, 8000, 0, 0, 16), bytes(8)),
    "64 bits": wav(struct.pack("<HHIIHH", 1, 1, 8000, 64000, 8, 64), bytes(16)),
    "cut off": wav(PLAIN, bytes(100))[:-60],
    "claims 4 GB": wav(PLAIN, bytes(8)).replace(
        b"data" + struct.pack("<I", 8), b"data" + struct.pack("<I", 2**32 - 2)
    ),
    "half a header": wav(PLAIN, bytes(8))[:25],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(BROKEN[name])
    dataset = audio_dataset_from_directory(tmp_path, labels=None, verbose=False)
    with pytest.raises(ValueError, match=r"file '.*broken\.wav' cannot be read: \w") as found:
        dataset[0]
    assert len(str(found.value)) <= 400


def test_channels_of_a_batch_agree(tmp_path: Path) -> None:
    write_wav(tmp_path / "mono.wav", bytes(8), 2)
    write_wav(tmp_path / "stereo.wav", bytes(8), 2, channels=2)
    dataset = audio_dataset_from_directory(tmp_path, labels=None, shuffle=False, verbose=False)
    with pytest.raises(ValueError, match=r"1 of '.*mono\.wav', 2 of '.*stereo\.wav'"):
        dataset[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sampling_rate": -1}, "`sampling_rate` should be higher than 0. Received:"),
        ({"sampling_rate": 1.2}, "`sampling_rate` should have an integer value. Received:"),
        (
            {"ragged": True, "output_sequence_length": 30},
            "Cannot set both `ragged` and `output_sequence_length`",
        ),
        ({"ragged": True}, "`ragged` must be False"),
        ({"output_sequence_length": 0}, "`output_sequence_length` must be"),
    ],
)
def test_errors(options: dict[str, Any], text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=text):
        audio_dataset_from_directory(tmp_path, **options)
