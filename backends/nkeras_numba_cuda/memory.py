"""Arrays: CuPy's on a GPU, those of its strict stand-in elsewhere, and how kernels see them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import ml_dtypes  # noqa: F401  makes "bfloat16" a dtype name that NumPy knows
import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, cuda
from nkeras_numba_cuda.recording import current, suspended

ALIGNMENT = 16
"""Bytes that the widest access of a kernel takes."""
SMALL = 64
"""Elements of arrays that are kept on the device by their values."""
KEPT = 4096
"""Elements of arrays of one value that are kept."""

Array = Any  # cupy.ndarray, or strict.ndarray
_Function = TypeVar("_Function", bound=Callable[..., Any])

_module: Any = None
_kept: list[Callable[[], None]] = []


def array_module() -> Any:
    """`cupy`, or `strict` in the simulator: imported late, for kernels compile without CuPy.

    While a plan is made, what stands for it there.
    """
    return current.module or _module or use(None)


def _devices() -> Any:
    """`cupy.cuda`, also while a plan is made."""
    return (_module or use(None)).cuda


def use(module: Any) -> Any:
    """Take another module for arrays; what was kept of the one before is forgotten.

    Args:
        module: what stands in for CuPy, with a `kernel_view(array, shape)` that says how kernels
            see its arrays; None for that of every day.

    Returns:
        The module.
    """
    global _module
    if module is None:
        if SIMULATOR:
            from nkeras_numba_cuda import strict as module
        else:
            import cupy as module
    for forget in _kept:
        forget()
    _module = module
    return module


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """A device array with undefined contents."""
    if current.empty is not None:
        return current.empty(shape, dtype)
    return array_module().empty(shape, np.dtype(dtype))


def asarray(value: np.ndarray, dtype: str) -> Array:
    """A NumPy array on the device, for readers only: small ones are copied once and kept."""
    array = np.asarray(value, np.dtype(dtype))
    if array.size == 1:
        return full(array.shape, array.item(), dtype)
    if array.size <= SMALL:
        return constant(array.tobytes(), array.shape, dtype)
    return array_module().asarray(array)


def full(shape: tuple[int, ...], value: complex, dtype: str) -> Array:
    """An array of one value, made on the device, for readers only: smaller ones are kept."""
    make = _kept_full if math.prod(shape) <= KEPT else _full
    # 0.0 and -0.0, or 1 and True, are one key, and NaN is none.
    return make(shape, np.asarray(value, np.dtype(dtype)).tobytes(), dtype)


def to_numpy(array: Array) -> np.ndarray:
    """A copy on the host."""
    return array_module().asnumpy(array)


def contiguous(array: Array) -> Array:
    """The array, or a copy of it, with its elements in row-major order."""
    return array if array.flags.c_contiguous else array_module().ascontiguousarray(array)


def is_aligned(array: Array) -> bool:
    """Whether it starts where 128 bits can be read at once; views may start elsewhere."""
    return array.data.ptr % ALIGNMENT == 0


def kept_on_device(make: _Function) -> _Function:
    """Decorator: what a function of hashable values puts on a device is kept there.

    A device has a copy of its own, and each of its streams, for another would have to wait until
    the copy is there.
    """

    @functools.lru_cache(maxsize=8192)
    def kept(place: Hashable, *values: Any) -> Any:
        return make(*values)

    def find(*values: Any) -> Any:
        if current.queue is None:
            return kept(place(), *values)
        with suspended():
            return kept(place(), *values)

    _kept.append(kept.cache_clear)
    functools.update_wrapper(find, make)
    return find  # pyright: ignore[reportReturnType]


def current_device() -> int:
    """The number of the device that arrays are made on."""
    return _devices().Device().id


def place() -> Hashable:
    """The current device and stream."""
    return current_device(), _devices().get_current_stream().ptr


@kept_on_device
def constants(*values: int) -> Array:
    """Integers in device memory: one array argument is cheaper to launch with than many scalars."""
    return array_module().asarray(np.array(values, np.int64))


@kept_on_device
def constant(values: bytes, shape: tuple[int, ...], dtype: str) -> Array:
    """An array with these bytes."""
    return array_module().asarray(np.frombuffer(values, np.dtype(dtype)).reshape(shape))


def _full(shape: tuple[int, ...], value: bytes, dtype: str) -> Array:
    array = empty(shape, dtype)
    array.fill(np.frombuffer(value, np.dtype(dtype))[0])  # an argument of a launch, no copy
    return array


_kept_full = kept_on_device(_full)


class Pointers:
    """Addresses of contiguous arrays, for kernels that take any number of them.

    A table of addresses that were used before is on the device already: steps that take and give
    back memory in the same order meet the same ones.

    Args:
        arrays: the arrays.
    """

    dtype = np.dtype(np.int64)

    def __init__(self, arrays: Sequence[Array]) -> None:
        self.arrays = arrays
        self._table: Array = None

    def __len__(self) -> int:
        return len(self.arrays)

    def table(self) -> Array:
        """The addresses, in device memory; found once, for another stream may have no copy."""
        if self._table is None:
            self._table = constants(*[array.data.ptr for array in self.arrays])
        return self._table


def part(
    array: Array, start: int, shape: tuple[int, ...], dtype: np.dtype, strides: tuple[int, ...]
) -> Array:
    """An array that lies in the memory of another one.

    Args:
        array: the other one.
        start: how many bytes behind its beginning the first element lies.
        shape: of the result.
        dtype: of the result.
        strides: of the result, in bytes.
    """
    module = array_module()
    stand_in = getattr(module, "part", None)
    if stand_in is not None:
        return stand_in(array, start, shape, dtype, strides)
    return module.ndarray(shape, dtype, memptr=array.data + start, strides=strides)


def view(array: Array) -> Any:
    """The elements of a contiguous array as the one-dimensional array that a kernel gets."""
    if isinstance(array, Pointers):
        return list(map(view, array.arrays)) if SIMULATOR else view(array.table())
    return _seen(array, (math.prod(array.shape),))


def shaped(array: Array) -> Any:
    """A contiguous array as a kernel gets it that knows its shape."""
    return _seen(array, array.shape)


def _seen(array: Array, shape: tuple[int, ...]) -> Any:
    stand_in = getattr(array_module(), "kernel_view", None)
    if stand_in is not None:
        return stand_in(array, shape)
    return _view(array.data.ptr, shape, array.dtype.str)


@functools.lru_cache(maxsize=4096)
def _view(pointer: int, shape: tuple[int, ...], dtype: str) -> Any:
    """Numba's view of device memory.

    It owns nothing, so it may be kept: it is right whenever the address is used with that shape and
    dtype again. The caller's array keeps the memory until the launch is queued, and the memory pool
    hands it out again in stream order only. `sync=False`: waiting for a stream here would be slow,
    and an error while a graph is captured.
    """
    description = {
        "shape": shape,
        "strides": None,
        "typestr": dtype,
        "data": (pointer, False),
        "version": 3,
    }
    return cuda.from_cuda_array_interface(description, owner=None, sync=False)


_kept.append(_view.cache_clear)
