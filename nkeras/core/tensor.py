"""Tensor: a thin immutable handle of a backend's array. Operators are primitives, found by name."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nkeras.backend import registry
from nkeras.backend.packed import PackedText
from nkeras.backend.protocol import Array, Backend
from nkeras.core import config, dtypes, host, observer
from nkeras.core.compile_ahead import settled
from nkeras.core.errors import BackendError, refuse_ragged, short
from nkeras.core.strings import STRING, blank, is_text, no_numbers, no_text, packed, text_array

if TYPE_CHECKING:
    from nkeras.core.typing import TensorLike

_next_uid = itertools.count().__next__


class Operators:
    """Python operators for Tensor, Variable and KerasTensor; `install` fills the table from ops."""

    __slots__ = ()
    __array_priority__ = 100
    operators: ClassVar[dict[str, Callable[..., Tensor]]] = {}

    if TYPE_CHECKING:  # made below, from the tables
        # fmt: off
        def __add__(self, other: TensorLike, /) -> Tensor: ...
        def __radd__(self, other: TensorLike, /) -> Tensor: ...
        def __sub__(self, other: TensorLike, /) -> Tensor: ...
        def __rsub__(self, other: TensorLike, /) -> Tensor: ...
        def __mul__(self, other: TensorLike, /) -> Tensor: ...
        def __rmul__(self, other: TensorLike, /) -> Tensor: ...
        def __truediv__(self, other: TensorLike, /) -> Tensor: ...
        def __rtruediv__(self, other: TensorLike, /) -> Tensor: ...
        def __floordiv__(self, other: TensorLike, /) -> Tensor: ...
        def __rfloordiv__(self, other: TensorLike, /) -> Tensor: ...
        def __mod__(self, other: TensorLike, /) -> Tensor: ...
        def __rmod__(self, other: TensorLike, /) -> Tensor: ...
        def __pow__(self, other: TensorLike, /) -> Tensor: ...
        def __rpow__(self, other: TensorLike, /) -> Tensor: ...
        def __matmul__(self, other: TensorLike, /) -> Tensor: ...
        def __rmatmul__(self, other: TensorLike, /) -> Tensor: ...
        def __and__(self, other: TensorLike, /) -> Tensor: ...
        def __rand__(self, other: TensorLike, /) -> Tensor: ...
        def __or__(self, other: TensorLike, /) -> Tensor: ...
        def __ror__(self, other: TensorLike, /) -> Tensor: ...
        def __xor__(self, other: TensorLike, /) -> Tensor: ...
        def __rxor__(self, other: TensorLike, /) -> Tensor: ...
        def __lt__(self, other: TensorLike, /) -> Tensor: ...
        def __le__(self, other: TensorLike, /) -> Tensor: ...
        def __gt__(self, other: TensorLike, /) -> Tensor: ...
        def __ge__(self, other: TensorLike, /) -> Tensor: ...
        def __eq__(self, other: object, /) -> Tensor: ...  # pyright: ignore[reportIncompatibleMethodOverride]
        def __ne__(self, other: object, /) -> Tensor: ...  # pyright: ignore[reportIncompatibleMethodOverride]
        def __pos__(self) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        # fmt: on

    def __getitem__(self, key: Any) -> Tensor:
        return self.operators["getitem"](self, key)

    def __setitem__(self, key: object, value: object) -> None:
        kind = type(self).__name__
        raise TypeError(
            f"{kind}: elements cannot be assigned. `nkeras.ops.slice_update(x, start_indices, "
            "updates)` and `ops.scatter_update` return a changed tensor, which a variable takes "
            f"with `assign`. Received: the index {short(key)}"
        )

    def __round__(self, ndigits: int | None = None) -> Tensor:
        return self.operators["round"](self, ndigits or 0)

    def __hash__(self) -> int:
        return id(self)


_BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
}
_COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
_UNARY = {"pos": "copy", "neg": "negative", "abs": "absolute", "invert": "logical_not"}


def _forward(op: str, reflected: bool = False) -> Callable[[Operators, TensorLike], Tensor]:
    def operator(self: Operators, other: TensorLike) -> Tensor:
        if not _is_operand(type(other)):
            return NotImplemented  # the other may know more; `==` is False, the rest a TypeError
        return Operators.operators[op](*((other, self) if reflected else (self, other)))

    return operator


@functools.cache
def _is_operand(kind: type) -> bool:
    return hasattr(kind, "__array__") or issubclass(
        kind, (Operators, int, float, complex, list, tuple)
    )


for _name, _op in {**_BINARY, **_COMPARISONS}.items():
    setattr(Operators, f"__{_name}__", _forward(_op))
for _name, _op in _BINARY.items():
    setattr(Operators, f"__r{_name}__", _forward(_op, reflected=True))
for _name, _op in _UNARY.items():
    setattr(Operators, f"__{_name}__", lambda self, op=_op: Operators.operators[op](self))


class Tensor(Operators):
    """An array on a backend. Made by `nkeras.ops.convert_to_tensor` and by every operation.

    Attributes:
        data: the backend's own array; do not write into it.
        backend: the backend object it lives on.
        shape: tuple of int.
        dtype: name, for example `"float32"`.
    """

    __slots__ = ("__weakref__", "_keras_mask", "backend", "data", "dtype", "shape", "uid")

    def __init__(self, data: Array, backend: Backend) -> None:
        self.data = data
        self.backend = backend
        self.shape: tuple[int, ...] = data.shape
        self.dtype: str = dtypes.name_of(data.dtype)
        self.uid: int = _next_uid()
        self._keras_mask: Tensor | None = None  # travels with the tensor from layer to layer

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        return self.operators["transpose"](self)

    def numpy(self) -> np.ndarray:
        """A NumPy array of the values; it may share memory, so copy before writing.

        Text is an array of Python objects: `str`, or `bytes` that are no UTF-8.
        """
        recorder = observer.active()
        if recorder is not None:
            recorder.look(self)
        return self.data.numpy() if self.dtype == STRING else self.on_host()

    def on_host(self) -> Any:
        """As `numpy`, for functions of the host that replays call too; text is `PackedText`."""
        return self.data if self.dtype == STRING else self.backend.to_numpy(self.data)

    def handle(self) -> Tensor:
        """Another handle of the same data: to a tape the two are two tensors."""
        handle = Tensor(self.data, self.backend)
        recorder = observer.active()
        if recorder is not None:
            recorder.same(self, handle)
        return handle

    def to(self, backend: str) -> Tensor:
        """The same values on another backend."""
        target = registry.load(backend)
        if target is self.backend:
            return self
        if self.dtype == STRING:
            return Tensor(packed(self.numpy(), "A tensor"), target)
        return Tensor(target.asarray(self.numpy(), self.dtype), target)

    def item(self) -> Any:
        """The single value as a Python number."""
        return self.numpy().item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self.numpy().tolist()

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **arguments: object) -> object:
        recorder = observer.active()
        if recorder is not None:
            recorder.look(self)
        return settled(self).__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> dict[str, object]:
        return self.data.__cuda_array_interface__

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a tensor of rank 0.")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("Iteration over a tensor of rank 0.")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __int__(self) -> int:
        return int(self._real_item())

    def __index__(self) -> int:
        if not (dtypes.is_integer(self.dtype) and self.size == 1):
            raise TypeError(f"A tensor of dtype {self.dtype} and shape {self.shape} is no index.")
        return int(self._real_item())

    def __float__(self) -> float:
        return float(self._real_item())

    def _real_item(self) -> Any:
        value = self.item()
        if isinstance(value, complex):
            raise TypeError(
                f"A tensor of dtype {self.dtype} is no real number; take ops.real or ops.absolute."
            )
        return value

    def __complex__(self) -> complex:
        return complex(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        facts = f"shape={self.shape} dtype={self.dtype} backend={self.backend.name}"
        return f"<Tensor {facts}>\n{self.numpy()}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from nkeras.utils.html import tensor_html

        return tensor_html(self)

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: object) -> Tensor:
        return self

    def __reduce__(self) -> tuple[Callable[..., Tensor], tuple[np.ndarray, str]]:
        return from_numpy, (self.numpy(), self.dtype)


def is_on_host(tensor: Tensor) -> bool:
    """Whether its values can be looked at without waiting for a device."""
    return isinstance(tensor.data, (np.ndarray, PackedText)) or getattr(
        tensor.backend, "is_symbolic", False
    )


def from_numpy(array: np.ndarray, dtype: str | None = None) -> Tensor:
    """A tensor on the active backend; one of text stays on the host."""
    backend = registry.active()
    if is_text(array):
        if dtype not in (None, STRING):
            raise no_text(f"A tensor of dtype {dtype}")
        return Tensor(packed(array, "A tensor"), backend)
    name = dtype or dtypes.standardize(array.dtype)
    if name not in backend.dtypes:
        raise BackendError(f"Backend {backend.name!r} has no dtype {name}.")
    return Tensor(backend.asarray(array, name), backend)


def filled(shape: tuple[int, ...], value: complex, dtype: str) -> Tensor:
    """A tensor of one value on the active backend."""
    backend = registry.active()
    full = getattr(backend, "full", None)
    if full is None:
        return from_numpy(np.full(shape, value, dtypes.to_numpy(dtype)), dtype)
    return Tensor(full(shape, value, dtype), backend)


def as_tensor(value: Any, dtype: str | None = None) -> Tensor:
    """A tensor on the active backend from a tensor, array, number or nested list.

    Args:
        value: what to convert. Python floats (also inside lists) become `floatx`, ints `int32`.
        dtype: name, or None to keep that of `value`. A tensor of another dtype is cast.

    Raises:
        BackendError: `value` is a tensor of another backend.
        ValueError: `value` is ragged, or neither numbers nor text, or text beside something else.
    """
    if isinstance(value, Tensor):
        active = registry.active()
        if value.backend is not active:
            if getattr(active, "is_symbolic", False):
                return Tensor(active.asarray(value.numpy(), dtype or value.dtype), active)
            raise BackendError(
                f"A tensor lives on backend {value.backend.name!r}, the active backend is "
                f"{active.name!r}. Move it with tensor.to({active.name!r})."
            )
        if dtype is not None and dtype != value.dtype:
            return value.operators["cast"](value, dtype)
        return value
    number = host.plain(value)
    if is_text(number):
        return _of_text(number, dtype)
    array, natural = _to_array(number)
    if natural == STRING:
        return _of_text(array, dtype)
    if dtype == STRING:
        if array.size:
            raise no_numbers("A tensor of dtype string", natural)
        return Tensor(blank(array.shape), registry.active())
    if dtype not in (None, "bool", natural) and natural in dtypes.COMPLEX:
        array = array if dtypes.is_complex(dtype) else np.real(array)
    tensor = from_numpy(array, dtype or natural)
    if number is not value:
        value.observer.number(tensor, value)
    return tensor


def _of_text(value: Any, dtype: str | None) -> Tensor:
    if dtype not in (None, STRING):
        raise no_text(f"A tensor of dtype {dtype}")
    return Tensor(packed(value, f"A {type(value).__name__}"), registry.active())


def of_number(value: float, dtype: str) -> Tensor:
    """A tensor of a number, which is kept: nobody may write into it."""
    backend = registry.active()
    return Tensor(_number(value, math.copysign(1.0, value), dtype, backend), backend)


@functools.lru_cache(maxsize=1024)
def _number(value: float, sign: float, dtype: str, backend: Backend) -> Array:
    """The array of a number; zeros of either sign are equal, hence the sign."""
    return as_tensor(value, dtype).data


def to_array(value: Any) -> tuple[np.ndarray, str]:
    """A NumPy array of a value that is no tensor of ours, and the dtype it naturally has."""
    if is_text(value):
        return text_array(value, f"A {type(value).__name__}"), STRING
    return _to_array(value)


def _to_array(value: Any) -> tuple[np.ndarray, str]:
    """The same for what does not look like text."""
    if isinstance(value, bool):
        return np.asarray(value), "bool"
    if isinstance(value, int):
        return np.asarray(value), "int32" if -(2**31) <= value < 2**31 else "int64"
    if isinstance(value, float):
        return np.asarray(value), config.floatx()
    if isinstance(value, complex):
        return np.asarray(value), dtypes.complex_of(config.floatx())
    if isinstance(value, (list, tuple, range)):
        value = [np.asarray(item) if hasattr(item, "__array__") else item for item in value]
        strong = any(isinstance(item, np.ndarray) for item in value)
        array = _asarray(value)
        return array, _natural(array, strong)
    array = _asarray(value)
    return array, _natural(array, strong=True)


def _natural(array: np.ndarray, strong: bool) -> str:
    """The dtype of an array; where it is not `strong`, that of Python's numbers it was made of."""
    kind = array.dtype.kind
    if kind == "O":
        return STRING
    if strong:
        return dtypes.standardize(array.dtype)
    if kind == "f":
        return config.floatx()
    if kind == "c":
        return dtypes.complex_of(config.floatx())
    return _int_name(array) if kind == "i" else dtypes.standardize(array.dtype)


def _int_name(array: np.ndarray) -> str:
    fits = array.size == 0 or (array.min() >= -(2**31) and array.max() < 2**31)
    return "int32" if fits else "int64"


def _asarray(value: object) -> np.ndarray:
    refuse_ragged(value, "A tensor")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{type(value).__name__} cannot become a tensor: {error}") from error
    if is_text(array):  # of an object that NumPy makes text of, such as a column of a table
        return text_array(array, f"A {type(value).__name__}")
    if array.dtype == object or array.dtype.kind in "Mm":
        raise ValueError(
            f"A {type(value).__name__} with dtype {array.dtype} cannot become a tensor; nkeras has "
            f"the dtypes {', '.join(dtypes.DTYPES)}."
        )
    return array
