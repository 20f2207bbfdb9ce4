"""Folders of small files for the tests."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Write = Callable[[Path, int], None]


def write_image(path: Path, index: int) -> None:
    shape = (5 + index % 4, 8 - index % 3, 3)
    pixels = np.random.default_rng(index).integers(0, 256, shape, "uint8")
    Image.fromarray(pixels).save(path.with_suffix(".png"))


def write_text(path: Path, index: int) -> None:
    path.with_suffix(".txt").write_text(f"text {index} of a café" * 3, "utf-8")


def write_sound(path: Path, index: int) -> None:
    samples = np.random.default_rng(index).integers(-9999, 9999, 10 + index, "int16")
    write_wav(path.with_suffix(".wav"), samples.astype("<i2").tobytes(), 2)


def write_wav(path: Path, frames: bytes, width: int, channels: int = 1, rate: int = 1000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(frames)


def filled(
    folder: Path, write: Write, classes: int = 2, count: int = 16, nested: bool = False
) -> Path:
    """A folder with a subfolder for each class, as Keras' tests have it."""
    places: list[Path] = []
    for index in range(classes):
        place = folder / f"class_{index}"
        inner = [place / "subfolder_1", place / "subfolder_2", place / "subfolder_1" / "deeper"]
        places += [place, *inner] if nested else [place]
    for place in places:
        place.mkdir(parents=True)
    for index in range(count):
        write(places[index % len(places)] / f"file_{index}", index)
    return folder
