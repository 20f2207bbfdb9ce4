"""Datasets of the files in a folder: what images, texts and sounds have in common."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, ClassVar

import numpy as np

from nkeras.core.errors import is_a, refuse
from nkeras.core.typing import Structure
from nkeras.data.ahead import made_ahead
from nkeras.data.chain import Chain
from nkeras.data.listing import Listing, check_split, list_files, split_files
from nkeras.utils.py_dataset import PyDataset

Read = Callable[[str], Any]
"""One sample from the file of that name."""

Stack = Callable[[Sequence[Any], Sequence[str]], np.ndarray]
"""A batch of samples, which the files of these names gave."""

_WORKERS = max(2, min(8, os.cpu_count() or 2))


class FolderDataset(Chain, PyDataset):
    """Batches of the files in a folder, which threads read ahead of the model.

    An epoch of `fit`, and each iteration from the beginning to the end, has the files in another
    order if they are shuffled. The first has the order of `file_paths`. The order depends on the
    seed alone, not on the number of threads.

    Args:
        listing: the files and their labels.
        read: makes a sample of a file.
        stack: makes a batch of samples.
        batch_size: samples of a batch; None for single samples without an axis for the batch.
        seed: seed of the order, or None for one that stays.

    Attributes:
        class_names: names of the classes, in the order of the labels; None without labels.
        file_paths: the files, in the order of the first epoch.
        batch_size: samples of a batch, or None.
        workers: threads that read; may be set.
    """

    saved_attributes: ClassVar[Sequence[str]] = ("_order", "_random")

    def __init__(
        self, listing: Listing, read: Read, stack: Stack, batch_size: int | None, seed: int | None
    ) -> None:
        super().__init__(workers=_WORKERS, max_queue_size=_WORKERS + 2)
        self.class_names = listing.class_names
        self.file_paths = listing.paths
        self.batch_size = batch_size
        self._listing = listing
        self._labels = listing.encoded()
        self._read = read
        self._stack = stack
        self._seed = seed
        self._order = np.arange(len(listing.paths))
        self._random = None if seed is None else np.random.default_rng(seed)

    def __len__(self) -> int:
        return math.ceil(len(self._order) / (self.batch_size or 1))

    def __getitem__(self, index: int) -> Structure:
        """The batch, or the single sample, at a position of this epoch."""
        if not 0 <= index < len(self):
            raise IndexError(f"The dataset has {len(self)} batches. Received: index={index}")
        return self._taken(self._order, index)

    def arrays(self) -> Iterator[Structure]:
        """The batches, as arrays, which threads read ahead."""
        order = self._order

        def make(index: int) -> Structure:
            return self._taken(order, index)

        with closing(made_ahead(make, range(len(self)), self.workers, self.max_queue_size)) as made:
            yield from made
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Change the order, if files are shuffled."""
        if self._random is not None:
            self._order = self._random.permutation(self._order)

    def batch(self, batch_size: int) -> FolderDataset:
        """The same files in batches.

        Args:
            batch_size: samples of a batch.

        Returns:
            Another dataset.

        Raises:
            ValueError: `batch_size` is no positive int.
        """
        check_batch_size(batch_size, "batch()")
        return FolderDataset(self._listing, self._read, self._stack, batch_size, self._seed)

    def _taken(self, order: np.ndarray, index: int) -> Structure:
        if self.batch_size is None:
            rows: Any = order[index]
            found = self._read(self.file_paths[rows])
        else:
            rows = order[index * self.batch_size : (index + 1) * self.batch_size]
            paths = [self.file_paths[row] for row in rows]
            found = self._stack([self._read(path) for path in paths], paths)
        return found if self._labels is None else (found, self._labels[rows])


def check_batch_size(batch_size: object, owner: str) -> None:
    """Refuse what is no positive int."""
    is_count = is_a(batch_size, (int, np.integer)) and not is_a(batch_size, bool)
    if not is_count or int(batch_size) < 1:  # type: ignore[call-overload]
        refuse("batch_size", batch_size, "a positive int, or None", owner)


def datasets_of_folder(
    owner: str,
    kind: str,
    formats: tuple[str, ...],
    read: Read,
    stack: Stack,
    directory: Any,
    labels: Any,
    label_mode: Any,
    class_names: Sequence[str] | None,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
) -> Any:
    """What the public functions return: a `FolderDataset`, or a list of two for both subsets."""
    check_split(owner, validation_split, subset, shuffle, seed)
    if batch_size is not None:
        check_batch_size(batch_size, owner)
    if seed is None:
        seed = int(np.random.randint(10**6))  # noqa: NPY002  drawn as Keras draws it
    listing = list_files(
        owner,
        kind,
        formats,
        directory,
        labels,
        label_mode,
        class_names,
        shuffle,
        seed,
        follow_links,
        verbose,
    )
    parts = split_files(listing, validation_split, subset, verbose)
    seeds = [seed if shuffle else None, None]  # of both subsets, validation keeps its order
    datasets = [
        FolderDataset(part, read, stack, batch_size, order)
        for part, order in zip(parts, seeds, strict=False)
    ]
    return datasets if subset == "both" else datasets[0]
