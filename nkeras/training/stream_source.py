"""Batches that come from elsewhere: generators, loaders of other libraries, PyDatasets."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from numbers import Number
from typing import Any

import numpy as np

from nkeras.core.errors import cut_text
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.core.variable import Variable
from nkeras.data.ahead import batches_ahead, made_ahead
from nkeras.data.chain import Chain
from nkeras.training.data import is_tuple_of_arrays, map_batch, to_array
from nkeras.training.source import Source, with_class_weight
from nkeras.utils.py_dataset import PyDataset

# Their loaders may run in a thread: they do not look at the model that is trained meanwhile.
_LOADERS = ("datasets", "grain", "pandas", "polars", "pyarrow", "tensorflow", "torch")
_AHEAD = 2  # batches
_END = object()


class Checked:
    """Batches of arrays, of which all have the structure of the first.

    Args:
        name: of what gives them, for errors.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._first = ""

    def batch(self, batch: Structure, number: int) -> Structure:
        """A batch as it is trained on: arrays of NumPy, which share memory with what came.

        Args:
            batch: what the user's data gave.
            number: which one it is, from 0.

        Raises:
            ValueError: it has no arrays, or another structure than the first.
        """
        if not is_tuple_of_arrays(batch) and type(batch) is not np.ndarray:
            try:
                if type(batch) in (tuple, list):  # x, y and weights, each perhaps a list of numbers
                    batch = tuple([map_batch(_to_array, part) for part in batch])
                else:
                    batch = map_batch(_to_array, batch)
            except ValueError as error:
                message = f"Batch {number} of the {self._name}: {cut_text(str(error), 280)}"
                if _is_one_sample(batch):
                    message += " Samples that come one by one must be put into batches first."
                raise ValueError(message) from error
        found = _outline(batch)
        if not self._first:
            self._first = found
        elif found != self._first:
            raise ValueError(
                f"Batch {number} of the {self._name}, counted from 0, has another structure than "
                f"the first: {cut_text(found, 120)} instead of {cut_text(self._first, 120)}."
            )
        return batch


def _to_array(leaf: Structure) -> Structure:
    if leaf is None or isinstance(leaf, (Tensor, Variable)):
        return leaf
    return to_array(leaf, "x")


def _is_one_sample(batch: Structure) -> bool:
    """Whether something in it has no axis of samples."""
    leaves: list[Any] = []
    map_batch(leaves.append, batch)
    return any(isinstance(leaf, Number) or getattr(leaf, "shape", None) == () for leaf in leaves)


_TUPLES = ("()", "(array,)", "(array, array)", "(array, array, array)")


def _outline(batch: Structure) -> str:
    """A structure as a text."""
    if is_tuple_of_arrays(batch) and len(batch) < len(_TUPLES):
        return _TUPLES[len(batch)]
    if isinstance(batch, Mapping):
        return (
            f"{{{', '.join(f'{key}: {_outline(batch[key])}' for key in sorted(batch, key=str))}}}"
        )
    if isinstance(batch, (list, tuple)):
        inner = ", ".join(map(_outline, batch))
        return f"({inner},)" if len(batch) == 1 else f"({inner})"
    return "None" if batch is None else "array"


class StreamSource(Source):
    """Batches from a generator, or from anything that can be iterated (data loaders, tf.data).

    Loaders of other libraries are read by a thread, up to two batches ahead.

    Args:
        stream: gives batches.
        class_weight: weights of classes, or None.
    """

    def __init__(self, stream: Structure, class_weight: Mapping[int, float] | None) -> None:
        self._stream = stream
        self._class_weight = class_weight
        self._told: set[int] = set()  # classes without a weight that were warned of
        self._given = 0  # batches of a generator
        self.restarts = not hasattr(stream, "__next__")
        if self.restarts and hasattr(stream, "__len__"):
            try:
                self.num_batches = len(stream)
            except TypeError:  # a data loader over an iterable, or an infinite tf.data set
                self.num_batches = None
            if self.num_batches == 0:
                raise ValueError(f"There is no data: the {type(stream).__name__} has length 0.")

    def batches(self, skipped: int = 0) -> Generator[Structure, None, None]:
        """What the stream gives; one that goes on, such as a generator, skips nothing."""
        checked = Checked(type(self._stream).__name__)
        if not self.restarts:
            for batch in self._stream:
                self._given += 1
                yield self._weighted(checked.batch(batch, self._given - 1))
            return
        given = self._stream.arrays() if isinstance(self._stream, Chain) else self._stream
        stream = itertools.islice(given, skipped, None)
        with closing(_ahead(stream) if _is_loader(self._stream) else _as_it_comes(stream)) as read:
            for number, batch in enumerate(read, skipped):
                yield self._weighted(checked.batch(batch, number))

    def _weighted(self, batch: Structure) -> Structure:
        return with_class_weight(batch, self._class_weight, self._told)


def _is_loader(stream: object) -> bool:
    return any(base.__module__.partition(".")[0] in _LOADERS for base in type(stream).__mro__)


def _as_it_comes(stream: Iterator[Structure]) -> Generator[Structure, None, None]:
    yield from stream


def _ahead(stream: Iterator[Structure]) -> Generator[Structure, None, None]:
    """What a thread takes from the stream, in order; its errors come where they happened."""

    def take(_: None) -> Structure:
        return next(stream, _END)

    with closing(made_ahead(take, itertools.repeat(None), 1, _AHEAD)) as taken:
        for batch in taken:
            if batch is _END:
                return
            yield batch


class PyDatasetSource(Source):
    """Batches of a PyDataset, made ahead by its workers, in order.

    Args:
        dataset: gives batches.
        class_weight: weights of classes, or None.
        rng: random numbers for the order of the batches, or None.
    """

    def __init__(
        self,
        dataset: PyDataset,
        class_weight: Mapping[int, float] | None,
        rng: np.random.Generator | None,
    ) -> None:
        self.dataset = self._dataset = dataset
        self._class_weight = class_weight
        self._told: set[int] = set()  # classes without a weight that were warned of
        self.rng = rng
        self.num_batches = dataset.num_batches
        if self.num_batches == 0:
            raise ValueError(f"There is no data: the {type(dataset).__name__} has length 0.")

    def on_epoch_begin(self) -> None:
        """Tell the dataset."""
        self._dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Tell the dataset; its length may have changed."""
        self._dataset.on_epoch_end()
        self.num_batches = self._dataset.num_batches

    def batches(self, skipped: int = 0) -> Generator[Structure, None, None]:
        """The dataset's batches, in drawn order if they are shuffled."""
        count = self._dataset.num_batches
        order: Iterable[int] = itertools.count() if count is None else range(count)
        if count is not None and self.rng is not None:
            order = [int(i) for i in self.rng.permutation(count)]
        order, numbers = itertools.tee(itertools.islice(order, skipped, None))
        checked = Checked(type(self._dataset).__name__)
        with closing(self._made(order)) as made:
            for number, batch in zip(numbers, made, strict=False):
                batch = checked.batch(self._standardized(batch), number)
                yield with_class_weight(batch, self._class_weight, self._told)

    def _made(self, order: Iterator[int]) -> Generator[Structure, None, None]:
        workers, processes = self._dataset.workers, self._dataset.use_multiprocessing
        if workers > 1 or (workers > 0 and processes):
            return batches_ahead(self._dataset, order, workers, processes)
        return (self._dataset[index] for index in order)

    def _standardized(self, batch: Structure) -> Structure:
        if not isinstance(batch, (list, tuple, Mapping)):
            batch = (batch,)
        if isinstance(batch, (list, tuple)) and not 1 <= len(batch) <= 3:
            raise ValueError(
                f"{type(self._dataset).__name__}.__getitem__() must return (x,), (x, y) or "
                f"(x, y, sample_weight). Received a {type(batch).__name__} of length {len(batch)}."
            )
        return batch
