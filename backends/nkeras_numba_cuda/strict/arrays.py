"""The arrays: NumPy's memory, and what CuPy's arrays can do and refuse."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import ml_dtypes  # noqa: F401  makes "bfloat16" a dtype name that NumPy knows
import numpy as np

from nkeras_numba_cuda.capturing import queue, refuse
from nkeras_numba_cuda.counting import note, note_place
from nkeras_numba_cuda.strict import indexing
from nkeras_numba_cuda.strict.device import Device, Stream, told

Shape = tuple[int, ...]


class Flags(NamedTuple):
    """How an array lies in memory."""

    c_contiguous: bool
    f_contiguous: bool
    owndata: bool


class MemoryPointer(NamedTuple):
    """Where an array begins."""

    ptr: int

    def copy_from_host_async(self, mem: int, size: int, stream: Any = None) -> None:
        """Copy bytes of the host's pinned memory here."""
        refuse("a copy to the device")
        note_place("to_device", "copy")
        ctypes.memmove(self.ptr, mem, size)


class ndarray:
    """An array on the device.

    `of` and `wrapped` are for this package alone; all else is as in CuPy.
    """

    __slots__ = ("__weakref__", "_device", "_memory")
    __module__ = "nkeras_numba_cuda.strict"
    __array_priority__ = 100
    __hash__ = None  # pyright: ignore[reportAssignmentType]
    _memory: Any
    _device: int

    def __init__(self, shape: Shape, dtype: Any = float) -> None:
        self._memory = allocated(garbage(np.empty(shape, dtype)))
        self._device = Device().id

    # What arrays are

    @property
    def shape(self) -> Shape:
        return self._memory.shape

    @property
    def dtype(self) -> np.dtype:
        return self._memory.dtype

    @property
    def ndim(self) -> int:
        return self._memory.ndim

    @property
    def size(self) -> int:
        return self._memory.size

    @property
    def nbytes(self) -> int:
        return self._memory.nbytes

    @property
    def itemsize(self) -> int:
        return self._memory.itemsize

    @property
    def strides(self) -> Shape:
        return self._memory.strides

    @property
    def flags(self) -> Flags:
        flags = self._memory.flags
        return Flags(flags.c_contiguous, flags.f_contiguous, flags.owndata)

    @property
    def data(self) -> MemoryPointer:
        return MemoryPointer(self._memory.ctypes.data)

    @property
    def T(self) -> ndarray:
        return wrapped(self._memory.T)

    @property
    def mT(self) -> ndarray:
        return wrapped(self._memory.swapaxes(-1, -2))

    @property
    def real(self) -> ndarray:
        return wrapped(self._memory.real)

    @real.setter
    def real(self, value: Any) -> None:
        wrapped(self._memory.real)[...] = value

    @property
    def imag(self) -> ndarray:
        return wrapped(self._memory.imag)

    @imag.setter
    def imag(self, value: Any) -> None:
        wrapped(self._memory.imag)[...] = value

    @property
    def __cuda_array_interface__(self) -> dict[str, object]:
        return {**self._memory.__array_interface__, "stream": 1}

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._device  # CUDA's number

    def __len__(self) -> int:
        return len(self._memory)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    # What brings values to the host, and waits for them

    def get(self) -> np.ndarray:
        """A copy on the host."""
        refuse("a copy to the host")
        note_place("to_host", "copy")
        note_place("synchronizations", "copy to the host")
        return self._memory.copy()

    def set(self, arr: np.ndarray, stream: Stream | None = None) -> None:
        """Copy from the host; on a stream, when it comes to that: the host's memory must stay."""
        refuse("a copy to the device")
        note_place("to_device", "copy")
        told(f"copy of {arr.nbytes} bytes")

        def copy() -> None:
            self._memory[...] = arr.reshape(self.shape)

        if stream is None:
            copy()
        else:
            stream.queue(copy)

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __reduce__(self) -> tuple[Callable[[np.ndarray], ndarray], tuple[np.ndarray]]:
        return on_device, (self.get(),)

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct "
            "a NumPy array explicitly."
        )

    # Elements

    def __getitem__(self, key: Any) -> ndarray:
        if indexing.is_basic(key):
            return wrapped(self._memory[indexing.with_ellipsis(key)])
        note("computations", "getitem")
        indexing.note_transfers(key)
        return computed(self._memory[of(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        refuse_numpy(value)
        if not indexing.is_basic(key):
            refuse("indices that are arrays")
            indexing.note_transfers(key)
            indexing.refuse_conflicts(self._memory, of(key), of(value))
        queue(self._set, of(key), of(value))

    def _set(self, index: Any, value: Any) -> None:
        note("computations", "setitem")
        if isinstance(value, np.ndarray) and value.dtype != self.dtype:
            value = converted(value, self.dtype)
        with np.errstate(all="ignore"):
            self._memory[index] = value

    def fill(self, value: Any) -> None:
        refuse_numpy(value)
        queue(self._fill, of(value))

    def _fill(self, value: Any) -> None:
        note("computations", "fill")
        self._memory.fill(value)

    def astype(
        self,
        dtype: Any,
        order: str = "K",
        casting: str | None = None,
        subok: bool | None = None,
        copy: bool = True,
    ) -> ndarray:
        if casting is not None or subok is not None:
            raise TypeError("astype: `casting` and `subok` are not here")
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        note("computations", "astype")
        return computed(converted(self._memory, np.dtype(dtype)))

    def copy(self, order: str = "C") -> ndarray:
        note("computations", "copy")
        return computed(self._memory.copy(order))  # pyright: ignore[reportArgumentType]

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: object) -> ndarray:
        return self.copy()


def allocated(array: np.ndarray) -> np.ndarray:
    """New memory of the device."""
    refuse("new memory of the device")
    note("allocations", str(array.nbytes))
    return array


def computed(array: np.ndarray) -> ndarray:
    """A result in new memory."""
    return wrapped(allocated(array))


def wrapped(value: Any) -> Any:
    """What NumPy computed, as CuPy gives it: scalars are arrays too."""
    if isinstance(value, (np.ndarray, np.generic)):
        array: Any = object.__new__(ndarray)
        array._memory = np.asarray(value)
        array._device = Device().id
        return array
    if isinstance(value, (tuple, list)):
        return type(value)(map(wrapped, value)) if type(value) in (tuple, list) else _pair(value)
    return value


def _pair(value: Any) -> Any:
    """A named tuple of arrays, such as that of `linalg.eigh`."""
    return type(value)(*map(wrapped, value))


def of(value: Any) -> Any:
    """NumPy's arrays in place of ours, also in tuples and lists.

    Raises:
        ValueError: an array lies on another device than the current one.
    """
    if isinstance(value, ndarray):
        device, current = value._device, Device().id  # pyright: ignore[reportPrivateUsage]
        if device != current:
            raise ValueError(f"an array of device {device} is used on device {current}")
        return value._memory  # pyright: ignore[reportPrivateUsage]
    if isinstance(value, (tuple, list)):
        return type(value)([of(item) for item in value])
    return value


def refuse_numpy(*values: Any) -> None:
    """CuPy takes no NumPy arrays, in lists neither.

    Raises:
        TypeError: there is one.
    """
    for value in values:
        if isinstance(value, np.ndarray):
            raise TypeError(f"Unsupported type {type(value)}")
        if isinstance(value, (tuple, list)):
            refuse_numpy(*value)


def on_device(value: Any, dtype: Any = None) -> ndarray:
    """A copy of what is on the host."""
    refuse("a copy to the device")
    note_place("to_device", "copy")
    return wrapped(np.array(value, dtype))


def view_of(memory: np.ndarray) -> ndarray:
    """An array of the device that *is* a NumPy array, with its strides: for tests."""
    return wrapped(memory)


def part(array: ndarray, start: int, shape: Shape, dtype: np.dtype, strides: Shape) -> ndarray:
    """An array that lies in the memory of another one, `start` bytes behind its beginning."""
    memory: np.ndarray = of(array)
    start += memory.ctypes.data
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    start -= memory.ctypes.data
    return wrapped(np.ndarray(shape, dtype, memory.reshape(-1).view(np.uint8), start, strides))


def garbage(array: np.ndarray) -> np.ndarray:
    """The array full of what shows when it is read: NaN, or bits at random."""
    if array.dtype.kind in "fcV" or array.dtype.name == "bfloat16":
        array.fill(np.nan)
    elif array.dtype.kind in "iub" and array.size:
        bits = np.random.default_rng(array.size).integers(1, 100, array.shape)
        array[...] = bits % 2 if array.dtype.kind == "b" else bits
    return array


def converted(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A cast by the rules of the device: floats beyond an integer's range become its ends."""
    with np.errstate(all="ignore"):
        if dtype.kind not in "iu" or array.dtype.kind not in "fV":
            return array.astype(dtype)
        wide = np.nan_to_num(array.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
        ends = np.iinfo(dtype)
        found = np.clip(wide, ends.min, ends.max).astype(dtype)
        return np.where(wide >= ends.max, ends.max, found).astype(dtype)
