"""Arrays of the CUDA backend that are filled with garbage, or cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nkeras_numba_cuda import memory


class _Exchanged:
    """A module of arrays, with another `empty`."""

    def __init__(self, module: Any, empty: Callable[..., Any]) -> None:
        self._module = module
        self.empty = empty

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@contextmanager
def empty_arrays(change: Callable[[Any], None]) -> Iterator[None]:
    """Inside, `change` gets each array that a kernel allocates for its results.

    Args:
        change: fills the array, or raises.
    """
    module = memory.array_module()

    def empty(*arguments: Any, **named: Any) -> Any:
        array = module.empty(*arguments, **named)
        change(array)
        return array

    memory.use(_Exchanged(module, empty))
    try:
        yield
    finally:
        memory.use(module)


def poison(array: Any) -> None:
    """Fill an array with what no result may be: NaN, the largest integer, True."""
    if array.dtype.kind == "b":
        array.fill(True)
    elif array.dtype.kind in "iu":
        array.fill(np.iinfo(array.dtype).max)
    else:
        array.fill(np.nan)


class Fails:
    """A `change` that lets so many arrays pass, and then says what CuPy says without memory.

    Args:
        after: how many pass.
    """

    def __init__(self, after: int) -> None:
        self.left = after
        self.failed = False

    def __call__(self, array: Any) -> None:
        """Count an array."""
        self.left -= 1
        if self.left < 0:
            self.failed = True
            raise MemoryError(f"Out of memory allocating {array.nbytes:,} bytes")
