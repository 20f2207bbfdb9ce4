"""The body of a user's array kernel: plain Python for one work item, which each backend runs.

The work items are the indices of the leading axes of one of its arrays. They are cut into chunks;
where a result is a sum over all items, each chunk adds up one of its own, and the sums of the
chunks are added in order: the numbers are the same on every backend and any number of threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from nkeras.core.errors import short

MOST_SUMS = 64
"""Chunks, where each has sums of its own."""

_USABLE = (
    *(bool, int, float, str, type(None), np.generic, np.ndarray),
    *(ModuleType, type, BuiltinFunctionType, np.ufunc),
)


class Body:
    """A function of one work item, and what its parameters are.

    Args:
        function: called with the indices, the inputs, the results, and by name the static values.
        indices: names of its first parameters.
        inputs: names of the arrays that it reads.
        outputs: names of the arrays that it writes, which start as zeros.
        static: names of its keyword-only parameters.
        over: the array whose leading axes the indices run over.
        sums: the results that items add to.
    """

    def __init__(
        self,
        function: FunctionType,
        indices: tuple[str, ...],
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        static: tuple[str, ...],
        over: str,
        sums: tuple[str, ...],
    ) -> None:
        self.function = function
        self.name = function.__name__
        self.indices = indices
        self.inputs = inputs
        self.outputs = outputs
        self.static = static
        self.over = over
        self.sums = sums
        self.digest = _digest(function)

    def sizes(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[int, ...]:
        """How many values each index takes, from the shapes of the arrays."""
        names = (*self.inputs, *self.outputs)
        shape = (*inputs, *outputs)[names.index(self.over)].shape
        return tuple(shape[: len(self.indices)])

    def chunks(self, items: int, most: int) -> int:
        """Into how many chunks the items are cut; `most` where no sums say otherwise."""
        return min(items, MOST_SUMS if self.sums else most)

    def chunk(self, wrap: Callable[[FunctionType], Any], dtype: str) -> Any:
        """A Python function that calls the body for the items of a chunk.

        It takes the number of the chunk, how many there are, the sizes, the inputs, the results
        (sums with a leading axis of chunks), and the static values, all by position.

        Args:
            wrap: what the backend does to each function that is called: the body, and its callees.
            dtype: the floating dtype that constants in the body have.
        """
        sizes = [f"{name}_size" for name in self.indices]
        results = [f"{name}[chunk]" if name in self.sums else name for name in self.outputs]
        lines = [
            f"def chunk({', '.join(('chunk', 'chunks', *sizes, *self._arrays, *self.static))}):",
            f"    items = {' * '.join(sizes)}",
            "    for item in range(chunk * items // chunks, (chunk + 1) * items // chunks):",
            "        rest = item",
        ]
        for name, size in list(zip(self.indices, sizes, strict=True))[:0:-1]:
            lines += [f"        {name} = rest % {size}", f"        rest = rest // {size}"]
        lines += [
            f"        {self.indices[0]} = rest",
            f"        _body({', '.join((*self.indices, *self.inputs, *results, *self.static))})",
        ]
        names: dict[str, Any] = {"_body": _bound(self.function, wrap, dtype)}
        exec(compile("\n".join(lines), f"<chunk of {self.name}>", "exec"), names)
        made = names["chunk"]
        made.__module__ = self.function.__module__
        made.__qualname__ = f"{self.function.__qualname__}_{dtype}_{self.digest}"
        return made

    @property
    def _arrays(self) -> tuple[str, ...]:
        return (*self.inputs, *self.outputs)


def _bound(function: FunctionType, wrap: Callable[[FunctionType], Any], dtype: str) -> Any:
    """The function with constants of the dtype, all parameters positional, and wrapped callees."""
    code = function.__code__
    code = code.replace(
        co_argcount=code.co_argcount + code.co_kwonlyargcount,
        co_kwonlyargcount=0,
        co_consts=tuple(_narrow(constant, dtype) for constant in code.co_consts),
    )
    names: dict[str, Any] = {"__builtins__": function.__globals__["__builtins__"]}
    for name, value in _names_in(function):
        called = _python_function(value)
        names[name] = _narrow(value, dtype) if called is None else _bound(called, wrap, dtype)
    bound = FunctionType(code, names, function.__name__, function.__defaults__)
    bound.__qualname__ = function.__qualname__
    bound.__module__ = function.__module__
    return wrap(bound)


def _narrow(value: Any, dtype: str) -> Any:
    """A float literal would make compiled code compute in float64."""
    return np.dtype(dtype).type(value) if type(value) is float else value


def _python_function(value: Any) -> FunctionType | None:
    """The Python function that a global is, also where the user has compiled it with Numba."""
    value = getattr(value, "py_func", value)
    return value if isinstance(value, FunctionType) else None


def _names_in(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals that a body names, which must be things that every backend can use."""
    if function.__code__.co_freevars:
        raise ValueError(
            f"The kernel {function.__name__} uses {short(function.__code__.co_freevars)} of the "
            "function around it; pass them as arguments or make them globals of the module."
        )
    for name in function.__code__.co_names:
        if name in function.__globals__:
            value = function.__globals__[name]
            if _python_function(value) is None and not _is_constant(value):
                raise ValueError(
                    f"The kernel {function.__name__} uses the global {short(name)}, a "
                    f"{type(value).__name__[:40]}. It may use numbers, tuples of them, NumPy "
                    "arrays, modules such as math, and functions of plain Python."
                )
            yield name, value


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, _USABLE)


def _digest(function: FunctionType) -> str:
    """Identifies a body with all that it uses, for kernel caches."""
    return hashlib.sha256("\n".join(_parts(function, ())).encode()).hexdigest()[:16]


def _parts(function: FunctionType, callers: tuple[FunctionType, ...]) -> Iterator[str]:
    if function in callers:
        raise ValueError(f"The function {function.__name__}, which a kernel uses, calls itself.")
    yield from _code_parts(function.__code__)
    yield repr(function.__defaults__)
    for name, value in _names_in(function):
        called = _python_function(value)
        yield name
        if called is not None:
            yield from _parts(called, (*callers, function))
        elif isinstance(value, np.ndarray):
            yield f"{value.dtype}{value.shape}{value.tobytes().hex()}"
        else:
            yield getattr(value, "__name__", None) or repr(value)


def _code_parts(code: CodeType) -> Iterator[str]:
    yield repr((code.co_code, code.co_names, code.co_varnames, code.co_argcount))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_parts(constant)
        else:
            yield repr(constant)


def values_of(body: Body, static: Mapping[str, Any], dtype: str) -> list[Any]:
    """The static values by position; floats have the kernel's dtype, as literals do."""
    return [_narrow(static[name], dtype) for name in body.static]
