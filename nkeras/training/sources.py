"""Sources of batches: arrays, PyDatasets, generators and everything else that can be iterated."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping

import numpy as np

from nkeras.core import tree
from nkeras.core.errors import refuse, short
from nkeras.core.random import draw_seed
from nkeras.core.typing import Structure
from nkeras.data.rows import Rows
from nkeras.training.data import (
    class_weight_to_sample_weights,
    count_samples,
    holds_arrays,
    is_array_like,
    is_tuple_of_arrays,
    pack_x_y_sample_weight,
    rows_or_array,
    to_arrays,
)
from nkeras.training.disk_source import DiskSource
from nkeras.training.source import Source
from nkeras.training.stream_source import PyDatasetSource, StreamSource
from nkeras.utils.py_dataset import PyDataset


def adapt(
    x: Structure,
    y: Structure = None,
    sample_weight: Structure = None,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool | str = False,
    class_weight: Mapping[int, float] | None = None,
) -> Source:
    """A source of batches from what `fit`, `evaluate` or `predict` was given.

    Raises:
        ValueError: the data, or their combination with another argument, cannot be used.
    """
    check_count("batch_size", batch_size)
    check_count("steps_per_epoch", steps)
    if shuffle not in (True, False, "batch"):
        raise ValueError(
            f'Argument `shuffle` must be True, False or "batch". Received: shuffle={short(shuffle)}'
        )
    if x is None:
        raise ValueError("There is no data: argument `x` is None.")
    rng = np.random.default_rng(draw_seed(None)) if shuffle else None
    is_dataset = isinstance(x, PyDataset)
    if not is_dataset and holds_arrays((x, y, sample_weight)):
        return _source_of_arrays(x, y, sample_weight, batch_size, steps, shuffle, class_weight, rng)
    if is_dataset or _is_stream(x):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(
                    f"When `x` is a {type(x).__name__}, `{name}` should not be passed: it belongs "
                    "into the batches, which are tuples (x, y) or (x, y, sample_weight)."
                )
        return (
            PyDatasetSource(x, class_weight, rng) if is_dataset else StreamSource(x, class_weight)
        )
    raise ValueError(
        "Unrecognized data type: arguments `x`, `y` and `sample_weight` must be arrays, tensors, "
        "lists or dicts of them, a PyDataset, a generator or another iterable of batches. "
        f"Received: x of type {type(x).__name__}, y of type {type(y).__name__}, sample_weight of "
        f"type {type(sample_weight).__name__}"
    )


def _is_stream(x: Structure) -> bool:
    plain = (str, bytes, list, tuple, Mapping)
    return hasattr(x, "__iter__") and not isinstance(x, plain) and not is_array_like(x)


def check_count(name: str, value: object) -> None:
    """Refuse what is neither None nor a positive integer."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(
            f"Argument `{name}` must be a positive integer or None. Received: {name}={short(value)}"
        )


def check_epochs(name: str, value: object) -> None:
    """Refuse what is no integer, or negative."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        refuse(name, value, "an integer, at least 0", "fit()")


def _source_of_arrays(
    x: Structure,
    y: Structure,
    sample_weight: Structure,
    batch_size: int | None,
    steps: int | None,
    shuffle: bool | str,
    class_weight: Mapping[int, float] | None,
    rng: np.random.Generator | None,
) -> Source:
    """Batches of arrays, in memory or in files."""
    x, y = to_arrays(x, "x", rows_or_array), to_arrays(y, "y", rows_or_array)
    sample_weight = to_arrays(sample_weight, "sample_weight", rows_or_array)
    in_files = any(isinstance(leaf, Rows) for leaf in tree.flatten((x, y, sample_weight)))
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("You cannot pass `class_weight` and `sample_weight` at the same time.")
        if tree.is_nested(y):
            raise ValueError("`class_weight` is only supported for models with a single output.")
        if not in_files:
            sample_weight = class_weight_to_sample_weights(y, class_weight)
    elif sample_weight is not None and tree.is_nested(y):
        sample_weight = _weights_by_output(y, sample_weight)
    samples = count_samples(x, y, sample_weight)
    if samples == 0:
        raise ValueError("There is no data: the arrays have no samples (their first size is 0).")
    if batch_size is None:
        batch_size = math.ceil(samples / steps) if steps else 32
    data = pack_x_y_sample_weight(x, y, sample_weight)
    if in_files:
        return DiskSource(data, samples, int(batch_size), shuffle, rng, class_weight)
    return ArraySource(data, samples, int(batch_size), shuffle, rng)


class ArraySource(Source):
    """Batches cut from arrays.

    Args:
        data: structure of arrays and None.
        samples: their length.
        batch_size: samples of a batch.
        shuffle: False, True (all samples) or `"batch"` (inside each batch).
        rng: random numbers for shuffling.
    """

    def __init__(
        self,
        data: Structure,
        samples: int,
        batch_size: int,
        shuffle: bool | str,
        rng: np.random.Generator | None,
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.num_batches = math.ceil(samples / batch_size)
        self._data = data
        self._shuffle = shuffle
        self.rng = rng

    def head(self) -> Structure:
        """The first samples."""
        return _cut(self._data, slice(0, self.batch_size))

    def batches(self, skipped: int = 0) -> Generator[Structure, None, None]:
        """Slices in order, or rows in drawn order."""
        order = None
        if self._shuffle is True and self.rng is not None:
            order = self.rng.permutation(self.samples)
        for start in range(0, self.samples, self.batch_size):
            stop = min(start + self.batch_size, self.samples)
            rows: slice | np.ndarray = slice(start, stop)
            if order is not None:
                rows = order[start:stop]
            elif self._shuffle == "batch" and self.rng is not None:
                rows = self.rng.permutation(stop - start) + start
            if start >= skipped * self.batch_size:
                yield _cut(self._data, rows)


def _cut(data: Structure, rows: slice | np.ndarray) -> Structure:
    """The rows of all arrays of a structure: a slice of them, or those of an array of indices."""
    if is_tuple_of_arrays(data):
        if type(rows) is slice:
            return tuple([array[rows] for array in data])
        return tuple([array.take(rows, 0) for array in data])
    return tree.map_structure(lambda leaf: None if leaf is None else leaf[rows], data)


def _weights_by_output(y: Structure, sample_weight: Structure) -> Structure:
    if tree.is_nested(sample_weight):
        try:
            tree.map_structure(lambda *leaves: None, y, sample_weight)
        except ValueError:
            raise ValueError(
                "You should provide one `sample_weight` array per output in `y`. The two "
                f"structures did not match: {short(_outline(y))} and "
                f"{short(_outline(sample_weight))}"
            ) from None
        return sample_weight
    if sample_weight.ndim > 2 or (sample_weight.ndim == 2 and sample_weight.shape[1] != 1):
        raise ValueError(
            "For a model with multiple outputs, a single `sample_weight` array must have one "
            f"number per sample. Received: sample_weight.shape={sample_weight.shape}; pass one "
            "array for each output to weigh inside samples."
        )
    return tree.map_structure(lambda _: sample_weight, y)


def _outline(structure: Structure) -> Structure:
    return tree.map_structure(lambda leaf: None if leaf is None else tuple(leaf.shape), structure)
