"""What `adapt` of a preprocessing layer is given, as batches of inputs."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from nkeras.core.errors import is_a, refuse, refuse_ragged, short
from nkeras.core.strings import begins_with_text
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.core.variable import Variable
from nkeras.utils.py_dataset import PyDataset

AdaptData: TypeAlias = "Structure"
"""One array (also a list of numbers or texts, a column of a table), a PyDataset, or what gives
batches: a list of arrays, a generator, a data loader. Of a batch `(x, y, ...)` x alone is used."""


def is_one_array(data: object) -> bool:
    """Whether it is all data at once: an array, tensor, column, or nested lists of plain values."""
    if isinstance(data, (np.ndarray, Tensor, Variable)):
        return True
    if isinstance(data, (list, tuple)):
        return begins_with_text(data) or (bool(data) and _is_plain(data))
    return hasattr(data, "__array__") and not isinstance(data, (type, str))


def batches_of(data: AdaptData, owner: str, steps: int | None = None) -> Iterator[Any]:
    """The inputs to learn from, one batch after the other; one array is one batch.

    Args:
        data: see `AdaptData`.
        owner: name of the layer, for messages.
        steps: how many batches to take; all by default.

    Yields:
        Arrays, tensors, columns or lists of plain values, as the user has them.

    Raises:
        ValueError: there is no batch, or one is empty.
        TypeError: these are no data, or a batch is no array.
    """
    if steps is not None and (not is_a(steps, (int, np.integer)) or steps < 1):
        refuse("steps", steps, "a positive integer or None", f"{owner}.adapt")
    if is_one_array(data):
        yield _checked(data, owner)
        return
    count = 0
    for batch in itertools.islice(_stream(data, owner, steps), steps):
        yield _checked(_inputs_of(batch, owner), owner)
        count += 1
    if not count:
        raise ValueError(
            f"{owner}.adapt() received an empty iterable: {short(data, 60)} gives no batch. Pass "
            "an array, or at least one batch of inputs; a generator can be used once only."
        )


def numbers_of(batch: object, owner: str) -> np.ndarray:
    """A batch as an array of numbers on the host.

    Raises:
        ValueError: it holds text or objects; the message has the first of them.
    """
    array = batch.numpy() if isinstance(batch, (Tensor, Variable)) else np.asarray(batch)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        found = next((one for one in array.flat if not is_a(one, numbers.Real)), array.dtype)
        raise ValueError(
            f"{owner}.adapt() needs numbers. Received: {short(found)} in an array of dtype "
            f"{array.dtype}. For text there are StringLookup, Hashing and TextVectorization."
        )
    return array


def parts_of(batch: Any, elements: int = 1 << 21) -> Iterator[Any]:
    """Slices of a batch along its first axis, so that what lies in a file is never read whole."""
    shape = getattr(batch, "shape", ())
    if hasattr(batch, "iloc") or not shape or math.prod(shape) <= elements:
        yield batch
        return
    rows = max(1, elements * shape[0] // math.prod(shape))
    for start in range(0, shape[0], rows):
        yield batch[start : start + rows]


def _stream(data: AdaptData, owner: str, steps: int | None) -> Iterator[Any]:
    if isinstance(data, PyDataset):
        if data.num_batches is None and steps is None:
            refuse("steps", steps, "given for a dataset without end", f"{owner}.adapt")
        return iter(data)
    if isinstance(data, Mapping):
        raise TypeError(
            f"{owner}.adapt() learns from one column. Received: a dict with the keys "
            f"{short(list(data))}; pass one of its values, or use `nkeras.utils.FeatureSpace`."
        )
    refuse_ragged(data, f"{owner}.adapt()")
    if isinstance(data, (str, bytes)) or not hasattr(data, "__iter__"):
        raise TypeError(
            f"{owner}.adapt(): argument `data` must be an array, tensor, list, PyDataset or "
            f"another iterable of batches. Received: {short(data)} (of type {type(data).__name__})"
        )
    return iter(data)


def _inputs_of(batch: Structure, owner: str) -> Any:
    """The x of a batch `x`, `(x,)`, `(x, y)`, `(x, y, sample_weight)`; loaders also give lists."""
    is_several = isinstance(batch, (list, tuple)) and not is_one_array(batch)
    if is_several and 1 <= len(batch) <= 3:
        batch = batch[0]
    if is_one_array(batch):
        return batch
    if isinstance(batch, Mapping):
        raise TypeError(
            f"{owner}.adapt() learns from one column. Received: batches that are dicts with the "
            f"keys {short(list(batch))}; pass `(batch[key] for batch in data)`."
        )
    raise TypeError(
        f"{owner}.adapt() expects an iterable that yields arrays or tensors with a `.shape`, or "
        f"tuples that begin with one. Received: {short(batch)} (of type {type(batch).__name__})"
    )


def _checked(batch: Any, owner: str) -> Any:
    shape = np.shape(batch) if isinstance(batch, (list, tuple)) else tuple(batch.shape)
    if 0 in shape:
        raise ValueError(
            f"{owner}.adapt(): there is nothing to learn from in an array of shape {shape}."
        )
    return batch


def _is_plain(values: object) -> bool:
    """Whether it is a number or text, or nested lists of them, which are one array."""
    if isinstance(values, (list, tuple)):
        return all(_is_plain(value) for value in values)
    return values is None or isinstance(values, (numbers.Number, np.generic, str, bytes))
