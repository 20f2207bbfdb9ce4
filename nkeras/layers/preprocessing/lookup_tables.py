"""What lookup layers look terms up in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from nkeras import ops
from nkeras.backend.text import Salt, Table
from nkeras.core.tensor import Tensor
from nkeras.ops import text


class Unknown(NamedTuple):
    """The indices of terms that are not in the vocabulary.

    Attributes:
        only: the only one, where there are no buckets.
        first: the first one, where there are several.
        buckets: how many there are; 0 where there is only one.
        hashes: whether integers are hashed too, instead of divided.
        salt: of the hash.
    """

    only: int
    first: int
    buckets: int
    hashes: bool
    salt: Salt


class LookupTable(Protocol):
    """Gives the index of each term."""

    def __call__(self, x: Tensor) -> Tensor:
        """int64 tensor of the shape of `x`."""
        ...


class TextTable:
    """Indices of text."""

    def __init__(self, terms: Sequence[Any], numbers: np.ndarray, unknown: Unknown) -> None:
        only, first, buckets, _, salt = unknown
        self.table = Table(terms, numbers, only, first, buckets, salt)

    def __call__(self, x: Tensor) -> Tensor:
        """The index of each text."""
        return text.lookup_text(x, table=self.table)


class IntegerTable:
    """Indices of integers, by operations that every backend has."""

    def __init__(self, terms: Sequence[Any], numbers: np.ndarray, unknown: Unknown) -> None:
        keys = np.array(terms, np.int64)
        order = np.argsort(keys)
        self._keys = keys[order]
        self._numbers = numbers[order]
        self._unknown = unknown

    def __call__(self, x: Tensor) -> Tensor:
        """The index of each integer."""
        x = ops.cast(x, "int64")
        unknown = self._index_of_unknown(x)
        if not len(self._keys):
            return unknown
        places = ops.minimum(ops.searchsorted(self._keys, x), len(self._keys) - 1)
        is_known = ops.equal(ops.take(self._keys, places), x)
        return ops.where(is_known, ops.take(self._numbers, places), unknown)

    def _index_of_unknown(self, x: Tensor) -> Tensor:
        only, first, buckets, hashes, salt = self._unknown
        if not buckets:
            return ops.full(x.shape, only, "int64")
        if hashes:
            return text.hash_integers(x, bins=buckets, salt=salt) + first
        return ops.mod(x, buckets) + first
