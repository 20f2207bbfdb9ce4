"""`dataset.map(...).take(1)`: what scripts do with datasets, each a dataset over another one.

Source: https://www.tensorflow.org/api_docs/python/tf/data/Dataset, whose names these are
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sized
from typing import Any

import numpy as np

from nkeras.core import tree
from nkeras.core.errors import is_a, refuse
from nkeras.core.tensor import as_tensor
from nkeras.core.typing import Structure

Batches = Callable[[], Iterator[Structure]]


class Chain:
    """Methods that make a dataset of the batches of another one.

    A `PyDataset` has them by inheriting. What is made can be iterated over as often as what it is
    made of, and `fit` takes it. Functions run in the thread that wants the batch, in order, so that
    random layers give the same numbers each time; files are read ahead as before.

    A `for` loop gets tensors, as over a `tf.data.Dataset`: scripts ask them for `numpy()`.
    Functions of `map` get arrays, as `fit` does: nothing goes to a GPU before it is wanted there.
    """

    def __iter__(self) -> Iterator[Structure]:
        """The batches, as tensors."""
        for batch in self.arrays():
            yield tree.map_structure(as_tensor, batch)

    def arrays(self) -> Iterator[Structure]:
        """The batches, as arrays of NumPy where no function has made tensors of them."""
        source: Any = self
        for index in range(len(source)):
            yield source[index]
        source.on_epoch_end()

    def map(
        self,
        map_func: Callable[..., Structure],
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
    ) -> Derived:
        """What a function makes of each batch; one of two parts is given as two arguments.

        Args:
            map_func: function of a batch.
            num_parallel_calls: accepted; calls follow each other.
            deterministic: accepted; the order is always that of the batches.

        Example:
            >>> import numpy as np
            >>> import nkeras
            >>> left, _ = nkeras.utils.split_dataset((np.arange(5.0), np.arange(5)), left_size=4)
            >>> doubled = left.batch(2).map(lambda x, y: (2 * x, y))
            >>> next(iter(doubled))[0].numpy()
            array([0., 2.])
        """
        if not callable(map_func):
            refuse("map_func", map_func, "a function of a batch", "map()")

        def mapped() -> Iterator[Structure]:
            for batch in self.arrays():
                yield map_func(*batch) if isinstance(batch, tuple) else map_func(batch)

        return Derived(mapped, self._batch_count())

    def take(self, count: int) -> Derived:
        """The first batches; all for -1."""
        _check("count", count, -1, "take()")
        stop = None if count == -1 else count
        known = self._batch_count()
        left = known if stop is None else stop if known is None else min(stop, known)
        return Derived(lambda: itertools.islice(self.arrays(), stop), left)

    def skip(self, count: int) -> Derived:
        """The batches behind the first ones."""
        _check("count", count, 0, "skip()")
        known = self._batch_count()
        left = None if known is None else max(known - count, 0)
        return Derived(lambda: itertools.islice(self.arrays(), count, None), left)

    def cache(self, filename: str = "") -> Derived:
        """The batches of the first whole iteration, kept in memory for later ones.

        Raises:
            ValueError: `filename` is given.
        """
        if filename:
            refuse("filename", filename, '"": batches are kept in memory', "cache()")
        kept: list[list[Structure]] = []

        def cached() -> Iterator[Structure]:
            if not kept:
                batches: list[Structure] = []
                for batch in self.arrays():
                    batches.append(batch)
                    yield batch
                kept.append(batches)
            else:
                yield from kept[0]

        return Derived(cached, self._batch_count())

    def prefetch(self, buffer_size: int | None = None, name: str | None = None) -> Derived:
        """The same batches: files are read ahead, and `fit` sees to the rest."""
        return Derived(self.arrays, self._batch_count())

    def cardinality(self) -> int:
        """The number of batches; -2 where it is not known, as in TensorFlow."""
        known = self._batch_count()
        return -2 if known is None else known

    def as_numpy_iterator(self) -> Iterator[Structure]:
        """The batches, as arrays of NumPy."""
        for batch in self:
            yield tree.map_structure(np.asarray, batch)

    def _batch_count(self) -> int | None:
        return len(self) if isinstance(self, Sized) else None


class Derived(Chain):
    """Batches that a function gives anew for each iteration.

    Args:
        batches: function that gives an iterator.
        count: how many there are, or None.
    """

    def __init__(self, batches: Batches, count: int | None) -> None:
        self._batches = batches
        self._known = count

    def arrays(self) -> Iterator[Structure]:
        """The batches, as the function gives them."""
        return self._batches()

    def _batch_count(self) -> int | None:
        return self._known

    def __len__(self) -> int:
        if self._known is None:
            raise TypeError("The number of batches is not known.")
        return self._known


def _check(name: str, value: Any, least: int, owner: str) -> None:
    if isinstance(value, bool) or not is_a(value, int) or value < least:
        refuse(name, value, f"an int, at least {least}", owner)
