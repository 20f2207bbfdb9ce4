"""Batches are copied to a device while it computes the steps before them.

A batch is asked for, and its copy begins, before the step of the batch before it is queued. Where
the backend has no such copies, or the user swaps it in between, batches are handed on as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

import numpy as np

from nkeras.backend import registry
from nkeras.backend.protocol import Backend, Uploads
from nkeras.core import dtypes
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.training.data import map_batch, to_array


def uploaded_ahead(
    batches: Generator[Structure, None, None],
) -> Generator[Structure, None, None]:
    """The batches, whose arrays lie on the device or are on their way when they are handed over.

    Args:
        batches: of NumPy arrays, tensors or None. One more than is handed over may be taken.
    """
    backend = registry.active()
    make = getattr(backend, "uploads", None)
    if make is None:
        yield from batches
        return
    uploads: Uploads = make()
    waiting: Callable[[], Structure] | None = None
    with closing(batches):
        try:
            for batch in batches:
                begun = _begin(uploads, backend, batch)
                if waiting is not None:
                    ready, waiting = waiting, begun
                    yield ready()
                else:
                    waiting = begun
            if waiting is not None:
                ready, waiting = waiting, None
                yield ready()
        finally:
            if waiting is not None:  # broken off: memory is given back, but not under a copy
                waiting()


def _begin(uploads: Uploads, backend: Backend, batch: Structure) -> Callable[[], Structure]:
    """Begin to copy a batch; the function hands it over."""
    arrays: list[np.ndarray] = []
    names: list[str] = []

    def convert(leaf: Structure) -> Structure:
        if leaf is None or isinstance(leaf, Tensor):
            return leaf
        array = to_array(leaf, "x")
        if array.dtype == object:  # text
            return array
        name = dtypes.standardize(array.dtype)
        if name not in backend.dtypes:  # who computes with it says so
            return array
        arrays.append(array)
        names.append(name)
        return _Place(len(arrays) - 1)

    outline = map_batch(convert, batch)
    copies, wait = uploads.begin(arrays, names)

    def ready() -> Structure:
        wait()
        if registry.active() is not backend:
            return batch
        return map_batch(
            lambda leaf: Tensor(copies[leaf.number], backend) if isinstance(leaf, _Place) else leaf,
            outline,
        )

    return ready


class _Place:
    """Stands for an array of a batch."""

    def __init__(self, number: int) -> None:
        self.number = number
