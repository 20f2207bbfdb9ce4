"""Folders of sounds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from nkeras.core.errors import is_a, refuse, short
from nkeras.data.folders import datasets_of_folder
from nkeras.data.resampling import resampled
from nkeras.data.wav import read_wav

_OWNER = "audio_dataset_from_directory"


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """A dataset of the sounds in a folder, with their classes.

    Works as `image_dataset_from_directory` does, on files that end in `.wav`, with samples as
    integers of 8, 16, 24 or 32 bits.

    Args:
        directory: the folder.
        labels: `"inferred"`: the subfolders are the classes, in alphabetical order. A list of
            integers: one for each file, in the order of their paths. None: no labels.
        label_mode: `"int"`: int32 `(batch,)`. `"binary"`: float32 `(batch, 1)`, for two classes.
            `"categorical"`: float32 `(batch, classes)`. None: no labels.
        class_names: subfolders to use, in the order of their labels.
        batch_size: sounds of a batch; None for single sounds.
        sampling_rate: samples of a second that sounds get; that of each file for None.
        output_sequence_length: samples that each sound gets, at that rate, by a cut or zeros at
            the end; for None sounds get those of the longest in their batch. (Keras 3.15 cuts
            before it changes the rate, so that lengths are others than asked for.)
        ragged: must be False: there are no ragged tensors in nkeras.
        shuffle: draw the order, anew behind each epoch; else it is alphabetical.
        seed: seed for that.
        validation_split: share of the files, the last in order, that is for validation.
        subset: `"training"`, `"validation"` or `"both"`, with `validation_split`.
        follow_links: also go into folders that are symbolic links.
        verbose: say how many files there are.

    Returns:
        PyDataset of sounds, float32 `(batch, samples, channels)` from -1 to 1, or of pairs
        `(sounds, labels)`, with attributes `class_names` and `file_paths`. A list of two, for
        training and validation, where `subset="both"`.

    Raises:
        ValueError: an argument is wrong, there are no sounds, or a file is broken.
        OSError: there is no such folder.

    Example:
        >>> import os, wave
        >>> for name, length in (("hum", 4), ("click", 2)):
        ...     os.mkdir(name)
        ...     with wave.open(f"{name}/1.wav", "wb") as file:
        ...         file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        ...         file.writeframes(bytes([0, 64]) * length)
        >>> dataset = audio_dataset_from_directory(".", shuffle=False)
        Found 2 files belonging to 2 classes.
        >>> sounds, labels = dataset[0]
        >>> sounds[:, :, 0]
        array([[0.5, 0.5, 0. , 0. ],
               [0.5, 0.5, 0.5, 0.5]], dtype=float32)

    Source: https://keras.io/api/data_loading/audio/#audiodatasetfromdirectory-function
    """
    if ragged:
        text = "Cannot set both `ragged` and `output_sequence_length`; " * bool(
            output_sequence_length
        )
        raise ValueError(
            f"{_OWNER}: {text}`ragged` must be False: nkeras has no ragged tensors. Sounds get the "
            "length of the longest in their batch, or `output_sequence_length`; batch_size=None "
            "gives each as it is."
        )
    if sampling_rate is not None:
        if not is_a(sampling_rate, (int, np.integer)):
            raise ValueError(
                f"{_OWNER}: `sampling_rate` should have an integer value. Received: sampling_rate="
                f"{short(sampling_rate)}"
            )
        if sampling_rate <= 0:
            raise ValueError(
                f"{_OWNER}: `sampling_rate` should be higher than 0. Received: sampling_rate="
                f"{short(sampling_rate)}"
            )
    length = output_sequence_length
    if length is not None and (not is_a(length, (int, np.integer)) or length < 1):
        refuse("output_sequence_length", length, "a positive int, or None", _OWNER)
    return datasets_of_folder(
        _OWNER,
        "audio",
        (".wav",),
        partial(_sound, sampling_rate=sampling_rate, length=length),
        _stacked,
        directory,
        labels,
        label_mode,
        class_names,
        batch_size,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        verbose,
    )


def _sound(path: str, sampling_rate: int | None, length: int | None) -> np.ndarray:
    sound, rate = read_wav(path, _OWNER)
    if sampling_rate is not None and sampling_rate != rate:
        sound = resampled(sound, rate, sampling_rate)
    return sound if length is None else _lengthened(sound[:length], length)


def _lengthened(sound: np.ndarray, length: int) -> np.ndarray:
    if len(sound) == length:
        return sound
    return np.concatenate([sound, np.zeros((length - len(sound), sound.shape[1]), sound.dtype)])


def _stacked(sounds: Sequence[np.ndarray], paths: Sequence[str]) -> np.ndarray:
    for sound, path in zip(sounds, paths, strict=True):
        if sound.shape[1] != sounds[0].shape[1]:
            raise ValueError(
                f"{_OWNER}: sounds of a batch must have one number of channels. Received: "
                f"{sounds[0].shape[1]} of {short(paths[0], 110)}, {sound.shape[1]} of "
                f"{short(path, 110)}"
            )
    longest = max(len(sound) for sound in sounds)
    return np.stack([_lengthened(sound, longest) for sound in sounds])
