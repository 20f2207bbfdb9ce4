"""The functions: NumPy's, those of them that CuPy has, with CuPy's parameters and dtypes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from nkeras_numba_cuda.capturing import queue, refuse
from nkeras_numba_cuda.counting import note, note_place
from nkeras_numba_cuda.strict.arrays import (
    computed,
    garbage,
    ndarray,
    of,
    on_device,
    refuse_numpy,
    wrapped,
)
from nkeras_numba_cuda.strict.cupy_names import FILE, MODULES

CUPY: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
ADDABLE = frozenset("iIefdFDLQ")
COMPARABLE = frozenset("iIfdLQ")
WAITING = frozenset(
    "argwhere bincount compress count_nonzero extract flatnonzero histogram nonzero unique".split()
)
"""What CuPy waits for: the size of the result follows from values."""
COPYING = frozenset("concatenate stack hstack vstack column_stack block".split())
"""What copies addresses to the device first."""
TAKES_LISTS = frozenset(
    "concatenate stack hstack vstack column_stack dstack broadcast_arrays empty full ones zeros "
    "broadcast_shapes einsum meshgrid result_type promote_types can_cast array asarray "
    "choose select ix_ lexsort".split()
)


@cache
def function(name: str) -> Any:
    """CuPy's function of a name, dots inside for those of `linalg` and `fft`.

    Raises:
        AttributeError: CuPy has none.
    """
    if name in CUPY["ufuncs"]:
        return Ufunc(name)
    if name in MODULES:
        return Module(name)
    if name in CUPY["constants"]:
        return getattr(np, name)
    if name not in CUPY["functions"]:
        raise AttributeError(f"CuPy {CUPY['version']} has no {name!r}")
    computes: Any = np
    for part in name.split("."):
        computes = getattr(computes, part)
    return _counted(name, computes, signature(name))


def signature(name: str) -> inspect.Signature:
    """The parameters that CuPy's function has."""
    scope: dict[str, Any] = {}
    exec(f"def function({CUPY['functions'][name]}): pass", scope)
    return inspect.signature(scope["function"])


def _counted(
    name: str, computes: Callable[..., Any], parameters: inspect.Signature
) -> Callable[..., Any]:
    """A function on our arrays that refuses what CuPy's refuses."""
    short = name.rpartition(".")[2]

    def call(*arguments: Any, **named: Any) -> Any:
        parameters.bind(*arguments, **named)
        refuse_numpy(*arguments, *named.values())
        if short not in TAKES_LISTS and arguments and _is_list_of_numbers(arguments[0]):
            raise TypeError(f"{name}: CuPy takes no list in place of an array")
        if short in WAITING:
            note_place("synchronizations", name)
        if short in COPYING:
            note_place("to_device", f"addresses for {name}")
        with np.errstate(all="ignore"):
            found = computes(*of(arguments), **{key: of(value) for key, value in named.items()})
        found = wrapped(found)
        if not _is_view(found, arguments):
            refuse(name)
            note("computations", name)
        return found

    call.__name__ = call.__qualname__ = short
    return call


def _is_list_of_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and not any(isinstance(v, ndarray) for v in value)


def _is_view(found: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether nothing was computed: a part of an argument, or no array."""
    first = found[0] if isinstance(found, (list, tuple)) and found else found
    if not isinstance(first, ndarray):
        return True
    source = arguments[0] if arguments else None
    sources = source if isinstance(source, (list, tuple)) else arguments
    return any(isinstance(s, ndarray) and np.may_share_memory(of(first), of(s)) for s in sources)


class Ufunc:
    """A function of elements."""

    def __init__(self, name: str) -> None:
        self.name = self.__name__ = name
        self.numpy: np.ufunc = getattr(np, name)
        self.loops = [_dtypes(loop) for loop in CUPY["ufuncs"][name].split()]

    def __call__(self, *arguments: Any, out: Any = None, dtype: Any = None) -> Any:
        refuse_numpy(*arguments, out)
        for argument in arguments:
            if not isinstance(argument, (ndarray, bool, int, float, complex, np.generic)):
                raise TypeError(f"Unsupported type {type(argument)}")
        if out is not None:
            self._check(arguments, out.dtype)
            queue(self._into, of(out), of(arguments))
            return out
        refuse(self.name)
        note("computations", self.name)
        with np.errstate(all="ignore"):
            found = self.numpy(*of(arguments), dtype=dtype)
        first = np.asarray(found[0] if isinstance(found, tuple) else found)
        self._check(arguments, first.dtype)
        note("allocations", str(first.nbytes))
        return wrapped(found)

    def _into(self, out: np.ndarray, arguments: tuple[Any, ...]) -> None:
        note("computations", self.name)
        with np.errstate(all="ignore"):
            self.numpy(*arguments, out=out)

    def _check(self, arguments: tuple[Any, ...], dtype: np.dtype) -> None:
        given = [argument.dtype for argument in arguments if isinstance(argument, ndarray)]
        for inputs, output in self.loops:
            if output == dtype and all(np.can_cast(d, inputs[0]) for d in given):
                return
        names = ", ".join(d.name for d in given)
        raise TypeError(f"CuPy's {self.name} has no loop for {names} that gives {dtype.name}")

    def at(self, array: ndarray, indices: Any, values: Any) -> None:
        """Add, or compare, in an order that nobody knows."""
        allowed = {"add": ADDABLE, "maximum": COMPARABLE, "minimum": COMPARABLE}.get(self.name)
        if allowed is None:
            raise NotImplementedError(f"CuPy has no {self.name}.at")
        if array.dtype.char not in allowed:
            raise TypeError(f"CuPy's {self.name}.at takes no {array.dtype.name}")
        refuse_numpy(indices, values)
        note("computations", f"{self.name}.at")
        memory: np.ndarray = of(array)
        places = np.arange(memory.size).reshape(memory.shape)[of(indices)]
        added = np.broadcast_to(np.asarray(of(values), memory.dtype), places.shape).reshape(-1)
        order = np.random.default_rng(places.size).permutation(places.size)
        flat = memory.copy().reshape(-1)
        self.numpy.at(flat, places.reshape(-1)[order], added[order])
        memory[...] = flat.reshape(memory.shape)

    def reduce(self, array: ndarray, **named: Any) -> Any:
        """The elements along an axis joined by it."""
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"CuPy has no {self.name}.reduce")
        note("computations", f"{self.name}.reduce")
        return wrapped(self.numpy.reduce(of(array), **named))


def _dtypes(loop: str) -> tuple[list[np.dtype], np.dtype]:
    """The dtypes of inputs and first result of `ff->f`; E is bfloat16."""
    inputs, outputs = [
        [np.dtype("bfloat16" if letter == "E" else letter) for letter in letters]
        for letters in loop.split("->")
    ]
    return inputs, outputs[0]


class Module:
    """A module inside CuPy."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return function(f"{self.__name__}.{name}")


# What is not as in NumPy


def asarray(a: Any, dtype: Any = None, order: Any = None, **named: Any) -> ndarray:
    """The array, or what is on the host copied to the device."""
    if isinstance(a, ndarray):
        return a if dtype is None else a.astype(dtype, copy=False)
    refuse_device_arrays(a)
    return on_device(a, dtype)


def array(obj: Any, dtype: Any = None, copy: bool = True) -> ndarray:
    """A copy on the device."""
    if isinstance(obj, ndarray):
        return obj.copy() if dtype is None else obj.astype(dtype)
    refuse_device_arrays(obj)
    return on_device(obj, dtype)


def refuse_device_arrays(value: Any) -> None:
    """CuPy stacks arrays in a list, one launch each: nobody wants that here."""
    if isinstance(value, (list, tuple)) and any(isinstance(v, ndarray) for v in value):
        raise TypeError("a list of arrays is stacked by `stack`")


def asnumpy(a: Any) -> np.ndarray:
    """A copy on the host."""
    if not isinstance(a, ndarray):
        raise TypeError(f"asnumpy takes arrays of the device, not {type(a)}")
    return a.get()


def copyto(dst: ndarray, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    """Write values into an array, where a condition holds."""
    refuse_numpy(dst, src, where)
    queue(_copy_to, of(dst), of(src), True if where is None else of(where))


def _copy_to(target: np.ndarray, source: Any, where: Any) -> None:
    note("computations", "copyto")
    np.copyto(target, source, where=where)


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """An array full of garbage."""
    return ndarray(shape, dtype)


def empty_like(prototype: ndarray, dtype: Any = None) -> ndarray:
    """An array full of garbage, of the shape and dtype of another."""
    return computed(garbage(np.empty_like(of(prototype), dtype)))


def ascontiguousarray(a: ndarray, dtype: Any = None) -> ndarray:
    """The array, or a copy of it, with its elements in row-major order."""
    if dtype is not None:
        a = a.astype(dtype, copy=False)
    return a if a.flags.c_contiguous else a.copy()


def install() -> None:
    """Give the arrays the methods and operators that follow from functions."""
    kept = {name: _method(name) for name in METHODS}
    for name, ufunc in OPERATORS.items():
        kept[f"__{name}__"] = _operator(ufunc, False)
        kept[f"__r{name}__"] = _operator(ufunc, True)
        kept[f"__i{name}__"] = _in_place(ufunc)
    for name, ufunc in COMPARISONS.items():
        kept[f"__{name}__"] = _operator(ufunc, False)
    for name, ufunc in UNARY.items():
        kept[f"__{name}__"] = lambda self, ufunc=ufunc: function(ufunc)(self)
    kept["__array_ufunc__"] = _array_ufunc
    kept["__array_function__"] = _array_function
    kept["__matmul__"] = lambda self, other: function("matmul")(self, other)
    for name, member in kept.items():
        setattr(ndarray, name, member)


METHODS = (
    "all any argmax argmin argpartition argsort choose clip compress conj conjugate cumprod cumsum "
    "diagonal dot flatten max mean min nonzero partition prod ravel repeat reshape round "
    "searchsorted sort squeeze std sum swapaxes take trace transpose var view"
).split()
OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
}
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _array_ufunc(self: ndarray, ufunc: np.ufunc, method: str, *inputs: Any, **named: Any) -> Any:
    """NumPy's function hands over to ours."""
    ours = function(ufunc.__name__)
    return (ours if method == "__call__" else getattr(ours, method))(*inputs, **named)


def _array_function(
    self: ndarray, numpys: Any, types: Any, arguments: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    return function(numpys.__name__)(*arguments, **named)


def _method(name: str) -> Callable[..., Any]:
    computes = getattr(np.ndarray, name)

    def method(self: ndarray, *arguments: Any, **named: Any) -> Any:
        refuse_numpy(*arguments, *named.values())
        if name in WAITING:
            note_place("synchronizations", name)
        with np.errstate(all="ignore"):
            named = {key: of(value) for key, value in named.items()}
            found = wrapped(computes(of(self), *of(arguments), **named))
        if not _is_view(found, (self,)):
            refuse(name)
            note("computations", name)
        return found

    method.__name__ = method.__qualname__ = name
    return method


def _operator(ufunc: str, reflected: bool) -> Callable[[ndarray, Any], Any]:
    def operator(self: ndarray, other: Any) -> Any:
        refuse_numpy(other)
        if not isinstance(other, (ndarray, bool, int, float, complex, np.generic)):
            return NotImplemented
        return function(ufunc)(*((other, self) if reflected else (self, other)))

    return operator


def _in_place(ufunc: str) -> Callable[[ndarray, Any], ndarray]:
    def operator(self: ndarray, other: Any) -> ndarray:
        refuse_numpy(other)
        refuse("an operation in place")
        note("computations", ufunc)
        with np.errstate(all="ignore"):
            memory: np.ndarray = of(self)
            memory[...] = getattr(np, ufunc)(memory, of(other)).astype(memory.dtype)
        return self

    return operator
