"""Which files a folder has, in the order and with the labels that Keras gives them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nkeras.core.errors import is_a, short, warn
from nkeras.utils.io_utils import print_msg


@dataclass
class Listing:
    """Files of one kind, and how their labels are told.

    Attributes:
        owner: the public function, for errors.
        kind: what the files are: `"image"`, `"text"` or `"audio"`.
        paths: the files, in order.
        labels: their classes as int32, or float32 as they were given, or None.
        class_names: names of the classes, or None.
        label_mode: `"int"`, `"categorical"`, `"binary"` or None.
    """

    owner: str
    kind: str
    paths: list[str]
    labels: np.ndarray | None
    class_names: list[str] | None
    label_mode: str | None

    def part(self, start: int, stop: int) -> Listing:
        """The files from one index to another."""
        labels = None if self.labels is None else self.labels[start:stop]
        paths = self.paths[start:stop]
        return Listing(self.owner, self.kind, paths, labels, self.class_names, self.label_mode)

    def encoded(self) -> np.ndarray | None:
        """Labels as batches hold them, `(files, ...)`.

        Raises:
            ValueError: the mode needs classes counted from 0, and the labels are others.
        """
        if self.labels is None or self.label_mode == "int":
            return self.labels
        count = len(self.class_names or ())
        for path, label in zip(self.paths, self.labels, strict=True):
            if label != int(label) or not 0 <= label < count:
                raise ValueError(
                    f"{self.owner}: label_mode={self.label_mode!r} needs labels from 0 to "
                    f"{count - 1}, as there are {count} different ones. Received: label {label} "
                    f"for {short(path, 120)}"
                )
        if self.label_mode == "binary":
            return self.labels.astype("float32")[:, None]
        return np.eye(count, dtype="float32")[self.labels.astype("int64")]


def list_files(
    owner: str,
    kind: str,
    formats: tuple[str, ...],
    directory: Any,
    labels: Any,
    label_mode: Any,
    class_names: Sequence[str] | None,
    shuffle: bool,
    seed: int,
    follow_links: bool,
    verbose: bool,
) -> Listing:
    """The files of a folder whose names end in one of `formats`.

    Args:
        owner: the public function.
        kind: `"image"`, `"text"` or `"audio"`.
        formats: ends of names, in lower case.
        directory: the folder.
        labels: as the public functions take them; so are the others.
        label_mode: see there.
        class_names: see there.
        shuffle: see there.
        seed: see there.
        follow_links: see there.
        verbose: see there.

    Raises:
        ValueError: an argument is wrong, or there is no such file.
        OSError: there is no such folder.
    """
    _check_labels(owner, kind, labels, label_mode, class_names)
    directory = _folder(owner, directory)
    if labels is None or label_mode is None:
        labels = label_mode = None
    inferred = is_a(labels, str)
    if inferred:
        classes = _classes(owner, directory, class_names)
        found = [list(_walk(os.path.join(directory, name), follow_links)) for name in classes]
    else:
        classes = []
        found = [list(_walk(directory, follow_links))]
    used = [[path for path in part if path.lower().endswith(formats)] for part in found]
    paths = [path for part in used for path in part]
    if not paths:
        raise ValueError(_nothing_found(owner, kind, formats, directory, inferred))
    _tell_of_others(owner, formats, [path for part in found for path in part])
    numbers = None
    if inferred:
        counts = [len(part) for part in used]
        numbers = np.repeat(np.arange(len(counts), dtype="int32"), counts)
    elif labels is not None:
        numbers = _given_labels(owner, directory, labels, len(paths))
        classes = [str(label) for label in sorted(set(numbers.tolist()))]
    names = None if numbers is None else classes
    if label_mode == "binary" and len(classes) != 2:
        raise ValueError(
            f'{owner}: when passing `label_mode="binary"`, there must be exactly 2 classes. '
            f"Received: class_names={short(classes)}"
        )
    if verbose:
        ending = "" if numbers is None else f" belonging to {len(classes)} classes"
        print_msg(f"Found {len(paths)} files{ending}.")
    if shuffle:
        # Twice from the same state, so that files and labels keep together: as Keras does it.
        np.random.RandomState(seed).shuffle(paths)
        if numbers is not None:
            np.random.RandomState(seed).shuffle(numbers)
    return Listing(owner, kind, paths, numbers, names, label_mode)


def split_files(
    listing: Listing, validation_split: float | None, subset: str | None, verbose: bool
) -> list[Listing]:
    """One listing, or two for `subset="both"`.

    Args:
        listing: all files.
        validation_split: share of the files, the last ones, that is for validation.
        subset: `"training"`, `"validation"`, `"both"`, or None for all.
        verbose: say how many there are.

    Raises:
        ValueError: a part is empty.
    """
    if not validation_split:
        return [listing]
    count = len(listing.paths)
    last = int(validation_split * count)
    wanted = ("training", "validation") if subset == "both" else (subset,)
    for name, size in (("training", count - last), ("validation", last)):
        if size == 0 and name in wanted:
            raise ValueError(
                f"{listing.owner}: No {name} {listing.kind} files remain of {count} with "
                f"validation_split={validation_split}."
            )
        if verbose and name in wanted:
            print_msg(f"Using {size} files for {name}.")
    parts = {
        "training": listing.part(0, count - last),
        "validation": listing.part(count - last, count),
    }
    return [parts[str(name)] for name in wanted]


def check_split(owner: str, validation_split: Any, subset: Any, shuffle: bool, seed: Any) -> None:
    """Refuse parts of the data that would mean nothing, or overlap."""
    is_number = is_a(validation_split, (int, float, np.number))
    if validation_split is not None and not (is_number and 0 <= validation_split < 1):
        raise ValueError(
            f"{owner}: `validation_split` must be between 0 and 1. "
            f"Received: validation_split={short(validation_split)}"
        )
    if bool(validation_split) != bool(subset):
        raise ValueError(
            f"{owner}: if `subset` is set, `validation_split` must be set, and inversely. "
            f"Received: subset={short(subset)}, validation_split={validation_split}"
        )
    if subset not in ("training", "validation", "both", None):
        raise ValueError(
            f'{owner}: `subset` must be either "training", "validation" or "both". '
            f"Received: subset={short(subset)}"
        )
    if validation_split and shuffle and seed is None:
        raise ValueError(
            f"{owner}: with `validation_split` and shuffle=True you must provide a `seed`: "
            "otherwise training and validation data, which two calls may give, would overlap."
        )


def _check_labels(owner: str, kind: str, labels: Any, label_mode: Any, class_names: Any) -> None:
    given = labels is not None and not is_a(labels, str)
    if not given and labels not in ("inferred", None):
        raise ValueError(
            f'{owner}: `labels` argument should be "inferred" (from the names of subfolders), None '
            f"(no labels), or a list of integers, one for each {kind} file. Received: "
            f"labels={short(labels)}"
        )
    if label_mode not in ("int", "categorical", "binary", None):
        raise ValueError(
            f'{owner}: `label_mode` argument must be one of "int", "categorical", "binary", or '
            f"None. Received: label_mode={short(label_mode)}"
        )
    if class_names is not None and (given or labels is None):
        raise ValueError(
            f'{owner}: you can only pass `class_names` if `labels="inferred"`. Received: labels='
            f"{short(labels)}, and class_names={short(class_names)}"
        )
    if class_names is not None and label_mode is None:
        raise ValueError(
            f"{owner}: `class_names` cannot be specified with `label_mode=None`. Received: "
            f"class_names={short(class_names)}"
        )


def _folder(owner: str, directory: Any) -> str:
    if not isinstance(directory, (str, os.PathLike)):
        raise TypeError(
            f"{owner}: argument `directory` must be the name of a folder. "
            f"Received: {short(directory)}"
        )
    name = os.fspath(directory)
    if "://" in name and not os.path.exists(name):
        raise ValueError(
            f"{owner}: argument `directory` must be a folder of this machine; nkeras reads none "
            f"from elsewhere. Received: {short(name)}"
        )
    if not os.path.exists(name):
        raise FileNotFoundError(f"{owner}: there is no folder {short(name, 200)}")
    if not os.path.isdir(name):
        raise NotADirectoryError(
            f"{owner}: argument `directory` must be a folder. Received the file {short(name, 200)}"
        )
    return name


def _classes(owner: str, directory: str, class_names: Sequence[str] | None) -> list[str]:
    """Names of the subfolders, in the wanted order."""
    entries = sorted(os.listdir(directory))
    found = [
        name
        for name in entries
        if os.path.isdir(os.path.join(directory, name)) and not name.startswith(".")
    ]
    if class_names is None:
        return found
    if not set(class_names) <= set(found) or len(set(class_names)) != len(class_names):
        raise ValueError(
            f"{owner}: the `class_names` passed did not match the names of the subfolders. "
            f"Expected: {short(found)} (or a subset of it), each once. Received: "
            f"class_names={short(list(class_names))}"
        )
    return list(class_names)


def _walk(directory: str, follow_links: bool) -> Iterator[str]:
    """All files in a folder and below; those of a folder come before those of its subfolders."""
    walk = os.walk(directory, followlinks=follow_links)
    for root, _, names in sorted(walk, key=lambda entry: entry[0]):
        for name in sorted(names):
            yield os.path.join(root, name)


def _given_labels(owner: str, directory: str, labels: Any, count: int) -> np.ndarray:
    try:
        numbers = np.array(labels)
    except ValueError:
        numbers = np.array(None)
    if numbers.dtype.kind not in "iuf" or numbers.ndim != 1:
        raise ValueError(
            f"{owner}: `labels` argument should be a list of integers. Received: {short(labels)}"
        )
    if len(numbers) != count:
        raise ValueError(
            f"{owner}: Expected the lengths of `labels` to match the number of files in the folder."
            f" len(labels) is {len(numbers)} while we found {count} files in {short(directory)}."
        )
    return numbers.astype("float32" if numbers.dtype.kind == "f" else "int32")


def _nothing_found(
    owner: str, kind: str, formats: tuple[str, ...], directory: str, inferred: bool
) -> str:
    what = "images" if kind == "image" else f"{kind} files"
    text = (
        f"{owner}: No {what} found in directory {short(directory, 150)}. Allowed formats: "
        f"{', '.join(formats)}."
    )
    if inferred and any(name.lower().endswith(formats) for name in os.listdir(directory)):
        text += (
            ' There are some in the folder itself, but labels="inferred" takes those of '
            "subfolders, one for each class; pass labels=None for data without labels."
        )
    return text


def _tell_of_others(owner: str, formats: tuple[str, ...], paths: list[str]) -> None:
    """Warn of files that are not read; hidden ones, which systems leave behind, are no news."""
    others = [
        path
        for path in paths
        if not path.lower().endswith(formats) and not Path(path).name.startswith(".")
    ]
    if others:
        warn(
            f"{owner}: {len(others)} files are not read, as their names end in none of "
            f"{', '.join(formats)}: {short(others[0])}{' and others' if others[1:] else ''}."
        )
