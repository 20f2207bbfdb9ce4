"""Places: arrays of which only shape and address are known, for kernels whose work is taken down.

Kernels are Python around work that is queued on the device. They are run on places once, while a
plan is made: shapes and views are worked out as ever, by NumPy, and what would be queued goes to
the list of `recording`. A kernel that wants more than this module has (a function of CuPy's that
makes new arrays of unknown shape, or the values) ends with `Computes`; then plans call it again in
each replay. This module stands in for CuPy meanwhile.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partialmethod
from typing import Any, NamedTuple, NoReturn

import numpy as np

from nkeras_numba_cuda import memory
from nkeras_numba_cuda.recording import current, suspended
from nkeras_numba_cuda.replay.strides import bounds, joined

Shape = tuple[int, ...]


class Computes(Exception):
    """A kernel does what cannot be taken down."""


class Pointer(NamedTuple):
    """Where a place begins."""

    ptr: int


class Flags(NamedTuple):
    """How a place lies in memory."""

    c_contiguous: bool
    f_contiguous: bool


class Place:
    """An array that nobody reads while a plan is made.

    Args:
        seen: NumPy's array at that address of the device: good for shapes and strides, never for
            values.
        owner: the array whose memory it is; None in a rehearsal.
        before: what is called before its values are used.
    """

    __slots__ = ("_array", "_seen", "before", "owner")
    __array_priority__ = 100
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(self, seen: Any, owner: Any, before: Callable[[], None] | None = None) -> None:
        self._seen: Any = seen  # NumPy's
        self._array: Any = None
        self.owner = owner
        self.before = before

    # What places are

    @property
    def shape(self) -> Shape:
        return self._seen.shape

    @property
    def dtype(self) -> np.dtype:
        return self._seen.dtype

    @property
    def ndim(self) -> int:
        return self._seen.ndim

    @property
    def size(self) -> int:
        return self._seen.size

    @property
    def nbytes(self) -> int:
        return self._seen.nbytes

    @property
    def itemsize(self) -> int:
        return self._seen.itemsize

    @property
    def strides(self) -> Shape:
        return self._seen.strides

    @property
    def flags(self) -> Flags:
        flags = self._seen.flags
        return Flags(flags.c_contiguous, flags.f_contiguous)

    @property
    def data(self) -> Pointer:
        return Pointer(self.address)

    @property
    def address(self) -> int:
        """Where the first element lies."""
        return self._seen.__array_interface__["data"][0]

    def __len__(self) -> int:
        return len(self._seen)

    def __iter__(self) -> Iterator[Place]:
        return (self[i] for i in range(len(self)))

    def array(self) -> Any:
        """The array that lies here."""
        if self._array is None:
            start = self.address - self.owner.data.ptr
            self._array = memory.part(self.owner, start, self.shape, self.dtype, self.strides)
        return self._array

    def shifted(self, distance: int, owner: Any) -> Place:
        """The place so many bytes further on, in the memory of another array."""
        low, high = bounds(self)
        there = _bytes_at(low + distance, high - low)
        seen = np.ndarray(self.shape, self.dtype, there, self.address - low, self.strides)
        return Place(seen, owner)

    # Views

    def _view(self, seen: np.ndarray) -> Place:
        return Place(seen, self.owner, self.before)

    @property
    def T(self) -> Place:
        return self._view(self._seen.T)

    @property
    def mT(self) -> Place:
        return self._view(self._seen.swapaxes(-1, -2))

    @property
    def real(self) -> Place:
        return self._view(self._seen.real)

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Place:
        return self._view(self._seen.imag)

    @imag.setter
    def imag(self, value: Any) -> None:
        self.imag[...] = value

    def transpose(self, *axes: Any) -> Place:
        return self._view(self._seen.transpose(*axes))

    def swapaxes(self, one: int, other: int) -> Place:
        return self._view(self._seen.swapaxes(one, other))

    def squeeze(self, axis: Any = None) -> Place:
        return self._view(self._seen.squeeze(axis))

    def view(self, dtype: Any) -> Place:
        return self._view(self._seen.view(dtype))

    def reshape(self, *shape: Any) -> Place:
        """A view, or a copy where its elements do not lie so."""
        seen = self._seen if self.flags.c_contiguous else joined(self._seen, *shape)
        return self.copy().reshape(*shape) if seen is None else self._view(seen.reshape(*shape))

    def ravel(self) -> Place:
        return self.reshape(-1)

    def broadcast_to(self, shape: Shape) -> Place:
        """A view that repeats it."""
        return self._view(np.broadcast_to(self._seen, shape))

    def __getitem__(self, key: Any) -> Place:
        parts = key if isinstance(key, tuple) else (key,)
        for one in parts:
            if isinstance(one, bool) or not isinstance(one, _BASIC):
                raise Computes("indices that are arrays")
        return self._view(self._seen[parts if Ellipsis in parts else (*parts, Ellipsis)])

    # What is queued

    def __setitem__(self, key: Any, value: Any) -> None:
        target = self[key]
        if target.size:
            _queue(_assign, target, value)

    def fill(self, value: Any) -> None:
        if self.size:
            _queue(_fill, self, value)

    def copy(self, order: str = "C") -> Place:
        return self.astype(self.dtype)

    def astype(self, dtype: Any, order: str = "C", copy: bool = True) -> Place:
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        if self.dtype.kind == "c" and np.dtype(dtype).kind != "c":
            raise Computes("complex numbers to others")
        made = empty(self.shape, dtype)
        made[...] = self
        return made

    # What cannot be

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Computes(name)

    def _refused(self, *_: object, **__: object) -> NoReturn:
        raise Computes("values")

    __array__ = __bool__ = __int__ = __float__ = __complex__ = __index__ = _refused
    __array_function__ = _refused

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
        if method != "__call__":
            raise Computes(ufunc.__name__)
        return computed(ufunc, *inputs, **named)


_BASIC = (int, np.integer, slice, type(None), type(Ellipsis))
_OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
}
_COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
_UNARY = {"neg": "negative", "abs": "absolute", "invert": "invert"}


def _operator(ufunc: np.ufunc, reflected: bool = False) -> Callable[[Any, Any], Any]:
    return lambda self, other: computed(ufunc, *((other, self) if reflected else (self, other)))


def _unary(self: Place, ufunc: np.ufunc) -> Place:
    return computed(ufunc, self)


for _name, _function in (_OPERATORS | _COMPARISONS).items():
    setattr(Place, f"__{_name}__", _operator(getattr(np, _function)))
for _name, _function in _OPERATORS.items():
    setattr(Place, f"__r{_name}__", _operator(getattr(np, _function), reflected=True))
for _name, _function in _UNARY.items():
    setattr(Place, f"__{_name}__", partialmethod(_unary, getattr(np, _function)))
for _name in ("pow", "rpow", "matmul", "rmatmul", "divmod"):
    setattr(Place, f"__{_name}__", Place._refused)  # pyright: ignore[reportPrivateUsage]


def place(
    address: int, shape: Shape, dtype: Any, owner: Any, before: Callable[[], None] | None = None
) -> Place:
    """A contiguous place that begins at an address."""
    dtype = np.dtype(dtype)
    there = _bytes_at(address, math.prod(shape) * dtype.itemsize)
    return Place(np.ndarray(shape, dtype, there), owner, before)


def place_of(array: Any) -> Any:
    """The place of an array; a place is its own."""
    if array is None or isinstance(array, Place):
        return array
    low, high = bounds(array)
    start, there = array.data.ptr - low, _bytes_at(low, high - low)
    made = Place(np.ndarray(array.shape, array.dtype, there, start, array.strides), array)
    made._array = array  # pyright: ignore[reportPrivateUsage]
    return made


def _bytes_at(address: int, size: int) -> Any:
    """Memory of the device as NumPy takes it for an array; nobody may read it."""
    return (ctypes.c_char * max(size, 1)).from_address(address)


def array_at(place: Any) -> Any:
    """The array that lies at a place; an array is its own."""
    return place.array() if isinstance(place, Place) else place


def _queue(function: Callable[..., Any], *arguments: Any) -> None:
    if current.queue is None:
        raise Computes("outside of a plan")
    current.queue(function, *arguments)


# What is done in each replay


def _assign(target: Any, value: Any) -> None:
    target[...] = value


def _fill(target: Any, value: Any) -> None:
    target.fill(value)


class _Elementwise(NamedTuple):
    """A function of CuPy's that writes into an array that is there."""

    name: str

    def __call__(self, *arguments: Any) -> None:
        *inputs, out = arguments
        getattr(memory.array_module(), self.name)(*inputs, out=out)


def _choose(target: Any, condition: Any, value: Any) -> None:
    memory.array_module().copyto(target, value, where=condition)


def computed(ufunc: np.ufunc, *inputs: Any, **named: Any) -> Place:
    """A function of elements, into a new place."""
    if named or ufunc.nout != 1 or ufunc.signature is not None:  # those are not of elements
        raise Computes(ufunc.__name__)
    dtypes: list[Any] = []
    for one in inputs:
        if isinstance(one, (Place, np.generic)):
            dtypes.append(_known(one.dtype))
        elif type(one) in (bool, int, float, complex):
            dtypes.append(np.dtype(bool) if type(one) is bool else type(one))
        else:
            raise Computes(ufunc.__name__)
    shape = np.broadcast_shapes(*[getattr(one, "shape", ()) for one in inputs])
    try:
        dtype = ufunc.resolve_dtypes((*dtypes, None))[-1]
    except TypeError as error:
        raise Computes(ufunc.__name__) from error
    made = empty(shape, _known(dtype))
    if made.size:
        _queue(_Elementwise(ufunc.__name__), *inputs, made)
    return made


def _known(dtype: np.dtype) -> np.dtype:
    """A dtype for which NumPy and CuPy have the same rules."""
    if dtype.kind not in "biufc" or dtype.name == "float16":
        raise Computes(f"functions of {dtype.name}")
    return dtype


# The functions of CuPy's that are taken down

ndarray = Place


def empty(shape: Any, dtype: Any = float, order: str = "C") -> Place:
    """Memory of the plan's."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return memory.empty(shape, np.dtype(dtype))


def empty_like(prototype: Place, dtype: Any = None) -> Place:
    """Memory of the plan's, for an array of the same shape."""
    return empty(prototype.shape, prototype.dtype if dtype is None else dtype)


def zeros(shape: Any, dtype: Any = float) -> Place:
    """Memory that is full of zeros."""
    made = empty(shape, dtype)
    made.fill(0)
    return made


def zeros_like(a: Place, dtype: Any = None) -> Place:
    """Zeros in the shape of another."""
    return zeros(a.shape, a.dtype if dtype is None else dtype)


def asarray(a: Any, dtype: Any = None) -> Place:
    """The place, or what the host has for good: it does not depend on values."""
    if isinstance(a, Place):
        return a if dtype is None else a.astype(dtype, copy=False)
    if not isinstance(a, np.ndarray):
        raise Computes("asarray")
    with suspended():
        return place_of(memory.array_module().asarray(a, dtype))


def ascontiguousarray(a: Place, dtype: Any = None) -> Place:
    """The place, or a copy of it, with its elements in row-major order."""
    a = asarray(a, dtype)
    return a if a.flags.c_contiguous else a.copy()


def asnumpy(a: Any) -> NoReturn:
    """Values are not to be had."""
    raise Computes("asnumpy")


def reshape(a: Place, newshape: Any) -> Place:
    """A view, or a copy where its elements do not lie so."""
    return a.reshape(newshape)


def transpose(a: Place, axes: Any = None) -> Place:
    """A view."""
    return a.transpose(axes)


def broadcast_to(array: Place, shape: Any) -> Place:
    """A view that repeats it."""
    return array.broadcast_to(shape)


def flip(m: Place, axis: Any = None) -> Place:
    """A view from the end."""
    axes = range(m.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    turned = {one % m.ndim for one in axes}
    return m[tuple(slice(None, None, -1 if i in turned else 1) for i in range(m.ndim))]


def repeat(a: Place, repeats: Any, axis: int | None = None) -> Place:
    """Each element along an axis several times in a row."""
    if axis is None or not isinstance(repeats, int):
        raise Computes("repeat")
    axis %= a.ndim
    front, length, back = a.shape[:axis], a.shape[axis], a.shape[axis + 1 :]
    made = empty((*front, length, repeats, *back), a.dtype)
    made[...] = a[(slice(None),) * (axis + 1) + (None,)]
    return made.reshape((*front, length * repeats, *back))


def pad(array: Place, pad_width: Sequence[tuple[int, int]], mode: str, **named: Any) -> Place:
    """An array inside others of one value."""
    if mode != "constant":
        raise Computes("pad")
    sizes = zip(array.shape, pad_width, strict=True)
    made = empty([low + size + high for size, (low, high) in sizes], array.dtype)
    made.fill(named.get("constant_values", 0))
    ends = zip(array.shape, pad_width, strict=True)
    made[tuple(slice(low, low + size) for size, (low, _) in ends)] = array
    return made


def where(condition: Place, x: Any, y: Any) -> Place:
    """Elements of x where the condition holds, else those of y."""
    given = (condition, x, y)
    scalars = (bool, int, float, np.generic)
    if not all(isinstance(one, (Place, *scalars)) for one in given) or condition.dtype != bool:
        raise Computes("where")
    kinds = [_known(one.dtype) if hasattr(one, "dtype") else one for one in (x, y)]
    dtype = np.add.resolve_dtypes(
        (*[one if isinstance(one, np.dtype) else type(one) for one in kinds], None)
    )[-1]
    made = empty(np.broadcast_shapes(*[getattr(one, "shape", ()) for one in given]), dtype)
    made[...] = y
    if made.size:
        _queue(_choose, made, condition, x)
    return made


def __getattr__(name: str) -> Any:
    known = getattr(np, name, None)
    if name.startswith("__") or known is None:
        raise AttributeError(name)
    if isinstance(known, np.ufunc):
        return lambda *inputs, **named: computed(known, *inputs, **named)
    if callable(known) and not isinstance(known, type):

        def refused(*_: object, **__: object) -> NoReturn:
            raise Computes(name)

        return refused
    return known
