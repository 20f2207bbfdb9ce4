"""What a backend is: the contract on one screen. Kernels are listed in docs/kernels.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from nkeras.backend.scalar import Scalar

Array = Any
Kernel = Callable[..., Any]


class Backend(Protocol):
    """A plugin found through the entry-point group `nkeras.backends`.

    The entry point is a function without arguments that returns the backend, or raises ImportError
    or `BackendError` with the reason why it cannot work here.
    """

    name: str
    """The name of the entry point."""

    kernels: Mapping[str, Kernel]
    """By primitive name: `kernel(*arrays, **static)` gives an array or a tuple of arrays."""

    dtypes: frozenset[str]
    """Names of the dtypes that arrays of this backend can have."""

    device: str
    """Where arrays live, in words: `"cpu, 2 threads"`."""

    def elementwise(self, scalar: Scalar) -> Kernel:
        """A kernel `f(*arrays)` that maps a scalar function over broadcast arrays of one dtype."""
        ...

    def asarray(self, value: np.ndarray, dtype: str) -> Array:
        """A NumPy array moved to this backend as `dtype`; may share memory."""
        ...

    def to_numpy(self, array: Array) -> np.ndarray:
        """The array as NumPy array; may share memory."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An array with undefined contents."""
        ...

    def synchronize(self) -> None:
        """Wait until all launched kernels are done."""
        ...

    def describe(self) -> dict[str, str]:
        """Facts for `python -m nkeras doctor`: versions, threads, cache folder, device."""
        ...
