"""Samples one by one and in batches, and datasets that are split into two."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nkeras.core import tree
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.typing import Structure
from nkeras.data.chain import Chain
from nkeras.tree import lists_to_tuples
from nkeras.utils.py_dataset import PyDataset

Take = Callable[[np.ndarray], Structure]
"""The samples of some indices, stacked along a first axis."""


class Samples(Chain):
    """Samples by index; `batch` makes a dataset of batches of them, for `fit`.

    Args:
        take: function of an array of indices that gives these samples, stacked.
        order: indices of the samples.
        rng: random numbers by which the order changes behind each epoch, or None.

    Example:
        >>> import numpy as np
        >>> import nkeras
        >>> x, y = np.arange(10.0)[:, None], np.arange(10)
        >>> left, right = nkeras.utils.split_dataset((x, y), left_size=0.8)
        >>> len(left), len(right), len(left.batch(3))
        (8, 2, 3)
    """

    def __init__(
        self, take: Take, order: np.ndarray, rng: np.random.RandomState | None = None
    ) -> None:
        self._take = take
        self._order = order
        self._rng = rng

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> Structure:
        one = self._take(self._order[[index]])
        return tree.map_structure(lambda array: array[0], one)

    def arrays(self) -> Iterator[Structure]:
        """The samples, as arrays."""
        for index in range(len(self)):
            yield self[index]

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Batches:
        """The samples in batches.

        Args:
            batch_size: samples of a batch.
            drop_remainder: leave out a last batch that is smaller.

        Returns:
            PyDataset for `fit`, `evaluate` and `predict`.

        Raises:
            ValueError: `batch_size` is no positive int.
        """
        if not is_a(batch_size, int) or batch_size < 1:
            refuse("batch_size", batch_size, "a positive int", "batch()")
        count = len(self) - len(self) % batch_size if drop_remainder else len(self)
        return Batches(self._take, self._order, count, batch_size, self._rng)


class Batches(Chain, PyDataset):
    """Batches of samples, made when they are asked for.

    Args:
        take: function of an array of indices that gives these samples, stacked.
        order: indices of the samples.
        count: how many of them are used.
        batch_size: samples of a batch.
        rng: random numbers by which the order changes behind each epoch, or None.
    """

    def __init__(
        self,
        take: Take,
        order: np.ndarray,
        count: int,
        batch_size: int,
        rng: np.random.RandomState | None = None,
    ) -> None:
        super().__init__()
        self._take = take
        self._order = order.copy()
        self._count = count
        self.batch_size = batch_size
        self._rng = rng

    def __len__(self) -> int:
        return -(-self._count // self.batch_size)

    def __getitem__(self, index: int) -> Structure:
        first = index * self.batch_size
        return self._take(self._order[first : min(first + self.batch_size, self._count)])

    def on_epoch_end(self) -> None:
        """Change the order, if samples are shuffled."""
        if self._rng is not None:
            self._rng.shuffle(self._order)


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Two parts of a dataset, such as for training and for tests.

    Args:
        dataset: array, list or tuple of arrays of equal length, PyDataset, or samples by index such
            as a `torch.utils.data.Dataset`.
        left_size: int, how many samples come to the left, or float, which part of them; what the
            right leaves for None.
        right_size: likewise for the right.
        shuffle: whether samples are shuffled first.
        seed: seed for that; the same gives the same order.
        preferred_backend: must be None: the parts belong to no other framework.

    Returns:
        Two `Samples`, whose method `batch` makes datasets for `fit`; two PyDatasets with its
        batches' size for a PyDataset.

    Raises:
        ValueError: a size is out of range.
        TypeError: it is no such dataset, or a size is no number.

    Example:
        >>> import numpy as np
        >>> left, right = split_dataset(np.arange(10), right_size=3)
        >>> len(left), int(right[0])
        (7, 7)

    Source: https://keras.io/api/utils/python_utils/
    """
    if preferred_backend is not None:
        refuse("preferred_backend", preferred_backend, "None in nkeras", "split_dataset")
    if left_size is None and right_size is None:
        raise ValueError("split_dataset: `left_size` or `right_size` must be given.")
    batch_size = None
    if isinstance(dataset, PyDataset):
        given = dataset.arrays() if isinstance(dataset, Chain) else dataset
        batches = [lists_to_tuples(batch) for batch in given]
        batch_size = len(tree.flatten(batches[0])[0]) if batches else None
        arrays = tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
    else:
        arrays = _as_arrays(dataset)
    counts = {len(array) for array in tree.flatten(arrays)}
    if len(counts) != 1:
        raise ValueError(
            "split_dataset: all arrays of `dataset` must have the same length. Received lengths: "
            f"{short(sorted(counts))}"
        )
    total = counts.pop()
    left, right = _sizes(left_size, right_size, total)
    order = list(range(total))
    if shuffle:
        random.Random(seed).shuffle(order)
    take = functools.partial(_rows, arrays)
    parts = [Samples(take, np.array(part, int)) for part in (order[:left], order[-right:])]
    if batch_size is None:
        return parts[0], parts[1]
    return parts[0].batch(batch_size), parts[1].batch(batch_size)


def _rows(arrays: Structure, indices: np.ndarray) -> Structure:
    return tree.map_structure(lambda array: array[indices], arrays)


def _as_arrays(dataset: Any) -> Structure:
    if hasattr(dataset, "shape"):
        return np.asarray(dataset)
    if isinstance(dataset, (list, tuple)):
        items: Sequence[Any] = dataset
        if not items or not all(hasattr(item, "shape") for item in items):
            raise ValueError(
                "split_dataset: a list or tuple as `dataset` must hold arrays, at least one. "
                f"Received: {short(items)}"
            )
        return tuple(np.asarray(item) for item in items)
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise TypeError(
            "split_dataset: argument `dataset` must be an array, a list or tuple of arrays, a "
            f"PyDataset, or have samples by index. Received: {short(dataset)}"
        )
    samples = [lists_to_tuples(dataset[index]) for index in range(len(dataset))]
    if not samples:
        raise ValueError("split_dataset: argument `dataset` is empty.")
    return tree.map_structure(lambda *leaves: np.stack([np.asarray(x) for x in leaves]), *samples)


def _sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """How many samples come to each part."""
    for name, size in (("left_size", left), ("right_size", right)):
        if size is not None and type(size) not in (int, float):
            raise TypeError(
                f"split_dataset: argument `{name}` must be an int, a float or None. "
                f"Received: {short(size)}"
            )
        most = 1 if isinstance(size, float) else total
        if size is not None and not 0 < size < most:
            expected = f"a positive integer smaller than {total}, or a float between 0 and 1"
            refuse(name, size, expected, "split_dataset")
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise ValueError(
            "split_dataset: the sum of `left_size` and `right_size` is greater than 1. Received: "
            f"{left} and {right}"
        )
    first, second = (
        round(size * total) if isinstance(size, float) else size for size in (left, right)
    )
    first = total - int(second or 0) if first is None else int(first)
    second = total - first if second is None else int(second)
    if first + second > total or 0 in (first, second):
        raise ValueError(
            f"split_dataset: {total} samples cannot be split into {first} and {second}. Received: "
            f"left_size={left}, right_size={right}"
        )
    return first, second
