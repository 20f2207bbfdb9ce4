"""Folders of texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from nkeras.core.errors import is_a, refuse, short
from nkeras.data.folders import datasets_of_folder

_OWNER = "text_dataset_from_directory"


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A dataset of the texts in a folder, with their classes.

    Works as `image_dataset_from_directory` does, on files that end in `.txt`, in UTF-8.

    Args:
        directory: the folder.
        labels: `"inferred"`: the subfolders are the classes, in alphabetical order. A list of
            integers: one for each file, in the order of their paths. None: no labels.
        label_mode: `"int"`: int32 `(batch,)`. `"binary"`: float32 `(batch, 1)`, for two classes.
            `"categorical"`: float32 `(batch, classes)`. None: no labels.
        class_names: subfolders to use, in the order of their labels.
        batch_size: texts of a batch; None for single texts.
        max_length: characters of a text that are read; all for None.
        shuffle: draw the order, anew behind each epoch; else it is alphabetical.
        seed: seed for that.
        validation_split: share of the files, the last in order, that is for validation.
        subset: `"training"`, `"validation"` or `"both"`, with `validation_split`.
        follow_links: also go into folders that are symbolic links.
        format: `"tf"` or `"grain"`, for Keras' sake: both give a dataset of nkeras.
        verbose: say how many files there are.

    Returns:
        PyDataset of arrays of texts `(batch,)`, of Python strings, or of pairs
        `(texts, labels)`, with attributes `class_names` and `file_paths`. A list of two, for
        training and validation, where `subset="both"`.

    Raises:
        ValueError: an argument is wrong, there are no texts, or a file is not in UTF-8.
        OSError: there is no such folder.

    Example:
        >>> import os
        >>> for name, text in (("bad/1", "No."), ("good/1", "Yes!")):
        ...     os.makedirs(os.path.dirname(name))
        ...     with open(f"{name}.txt", "w") as file:
        ...         _ = file.write(text)
        >>> dataset = text_dataset_from_directory(".", shuffle=False)
        Found 2 files belonging to 2 classes.
        >>> texts, labels = dataset[0]
        >>> texts.tolist(), labels
        (['No.', 'Yes!'], array([0, 1], dtype=int32))

    Source: https://keras.io/api/data_loading/text/#textdatasetfromdirectory-function
    """
    if format not in ("tf", "grain"):
        refuse("format", format, '"tf" or "grain"', _OWNER)
    if max_length is not None and (not is_a(max_length, (int, np.integer)) or max_length < 1):
        refuse("max_length", max_length, "a positive int, or None", _OWNER)
    return datasets_of_folder(
        _OWNER,
        "text",
        (".txt",),
        partial(_text, max_length=max_length),
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


def _text(path: str, max_length: int | None) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read(-1 if max_length is None else max_length)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{_OWNER}: file {short(path, 200)} is no text in UTF-8: {error.reason} at byte "
            f"{error.start}."
        ) from error


def _stacked(texts: Sequence[str], paths: Sequence[str]) -> np.ndarray:
    return np.array(texts, object)
