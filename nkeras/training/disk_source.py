"""Batches of arrays that lie in files, larger than memory perhaps."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import closing

import numpy as np

from nkeras.core import tree
from nkeras.core.typing import Structure
from nkeras.data.rows import Rows
from nkeras.data.windows import Windows
from nkeras.training.source import Source, with_class_weight


class DiskSource(Source):
    """Batches of rows in files, and of arrays beside them.

    Files are read in windows of 32 MiB, by a thread, while the window before is used. Shuffled,
    a window consists of blocks of half a MiB from random places, and its rows are mixed.

    Args:
        data: structure of `Rows`, arrays and None, at least one of them `Rows`.
        samples: their length.
        batch_size: samples of a batch.
        shuffle: False, True (blocks, and rows inside windows) or `"batch"` (inside each batch).
        rng: random numbers for shuffling.
        class_weight: weights of classes, or None.
    """

    def __init__(
        self,
        data: Structure,
        samples: int,
        batch_size: int,
        shuffle: bool | str,
        rng: np.random.Generator | None,
        class_weight: Mapping[int, float] | None,
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.num_batches = math.ceil(samples / batch_size)
        self._data = data
        self._leaves = tree.flatten(data)
        self._shuffle = shuffle
        self.rng = rng
        self._class_weight = class_weight
        self._told: set[int] = set()  # classes without a weight that were warned of

    def head(self) -> Structure:
        """The first samples."""
        first = slice(0, self.batch_size)
        leaves = [
            np.asarray(leaf[first]) if isinstance(leaf, Rows) else _cut(leaf, first)
            for leaf in self._leaves
        ]
        return tree.pack_sequence_as(self._data, leaves)

    def batches(self, skipped: int = 0) -> Generator[Structure, None, None]:
        """Batches of one window after the other."""
        windows = Windows(
            [leaf for leaf in self._leaves if isinstance(leaf, Rows)], self.batch_size
        )
        rng = self.rng if self._shuffle is True else None
        inside = self.rng if self._shuffle == "batch" else None
        number = 0
        before, left_out = divmod(skipped * self.batch_size, windows.size)
        if inside is not None:
            inside = np.random.default_rng(int(inside.integers(2**63)))
            for start in range(0, before * windows.size, self.batch_size):
                inside.permutation(min(self.batch_size, self.samples - start))
        with closing(windows.read(rng, before)) as read:
            for window in read:
                for start in range(0, len(window.rows), self.batch_size):
                    places: slice | np.ndarray = slice(start, start + self.batch_size)
                    if window.order is not None:
                        places = window.order[start : start + self.batch_size]
                    elif inside is not None:
                        count = min(self.batch_size, len(window.rows) - start)
                        places = start + inside.permutation(count)
                    number += 1
                    if number * self.batch_size > left_out:
                        yield self._batch(window.rows, window.buffers, places)

    def _batch(
        self, rows: np.ndarray, buffers: list[np.ndarray], places: slice | np.ndarray
    ) -> Structure:
        taken = iter(buffers)
        wanted: slice | np.ndarray = (
            slice(int(rows[0]) + places.start, int(rows[0]) + places.stop)
            if isinstance(places, slice)
            else rows[places]
        )
        leaves = [
            _cut(next(taken), places) if isinstance(leaf, Rows) else _cut(leaf, wanted)
            for leaf in self._leaves
        ]
        batch = tree.pack_sequence_as(self._data, leaves)
        return with_class_weight(batch, self._class_weight, self._told)


def _cut(array: np.ndarray | None, rows: slice | np.ndarray) -> np.ndarray | None:
    """Rows of an array: a view of a slice, or a copy of those with these indices."""
    if array is None:
        return None
    return array[rows] if isinstance(rows, slice) else array.take(rows, 0)
