"""A task that says what compiled code sees of its arguments, run before the first kernel.

Kernels read Python's and NumPy's objects in place, and are made with internals of Numba. Here code
made and called in the same ways writes down what it reads, which must be what Python says of the
same objects.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from nkeras.core.errors import BackendError
from nkeras_numba_cpu import threads
from nkeras_numba_cpu.compile import native
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.launch import launcher, layout
from nkeras_numba_cpu.launch.launcher import INT

_DOUBLE = ir.DoubleType()
_TASKS = 3


def check() -> None:
    """Run the task in a plain loop.

    Raises:
        BackendError: compiled code reads something else than Python.
    """
    layout.check()
    _check(_echo())


def check_region(region: int) -> None:
    """Run the task in the parallel region at an address, before any other.

    Raises:
        BackendError: compiled code reads something else than Python, or a task is not run.
    """
    _check(functools.partial(threads.launch, _echo()), region)


def _check(echo: Callable[..., None], region: int = 0) -> None:
    shown = _shown()
    expected = [_TASKS, *_words(shown)]
    seen = np.zeros((_TASKS, len(expected)), np.int64)
    echo(region, _TASKS, (seen, *shown))
    for task, row in enumerate(seen.tolist()):
        for place, word in enumerate(row):
            if word != expected[place]:
                raise BackendError(
                    "Compiled code does not read arguments as Python has them: "
                    f"task {task} saw {word} for {expected[place]}, word {place}."
                )


def _shown() -> tuple[Any, ...]:
    """One argument of each kind that kernels have, with odd strides and extreme values."""
    cube = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    fixed = np.array([1.5, -2.5])
    fixed.flags.writeable = False
    return (
        cube[::-1, :, ::2].transpose(2, 0, 1),
        7,
        np.arange(10, dtype=np.int8)[7:1:-3],
        True,
        fixed,
        -(2**63),
        2**64 - 1,
        None,
        np.array(3, np.uint32),
        2.5,
        ((np.float32(-0.1), (2**40 + 1, False)), np.array([[True], [False]])),
        np.float64(1e300),
        -1,
    )


def _words(value: Any) -> list[int]:
    """What the task should write for an argument."""
    if isinstance(value, tuple):
        return [word for item in value for word in _words(item)]
    if isinstance(value, np.ndarray):
        last = value[(-1,) * value.ndim].item()
        address = value.__array_interface__["data"][0]
        return [address, *value.shape, *value.strides, *_words(last)]
    if value is None:
        return [0]
    kind = "d" if isinstance(value, (float, np.floating)) else "Q" if value > 0 else "q"
    return list(struct.unpack("q", struct.pack(kind, value)))


@functools.cache
def _echo() -> Any:
    """The task as Python calls it."""
    return launcher.launcher("echo", native.address("echo", _emit))


def _emit(context: Any, module: Any, symbol: str) -> None:
    """`void (task, address of the arguments)`: writes all of them into its row of the first."""
    kinds: Any = numba.typeof((np.zeros((1, 1), np.int64), *_shown()))
    function = ir.Function(module, launcher.TASK, symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    task, address = function.args
    reader = launcher.Reader(context, builder, address)
    rows, *shown = (reader.argument(kind) for kind in kinds.types)
    written = [
        word
        for kind, value in zip(kinds.types[1:], shown, strict=True)
        for word in _emitted(context, builder, kind, value)
    ]
    row = builder.mul(task, INT(1 + len(written)))
    row = builder.gep(context.make_array(kinds.types[0])(context, builder, rows).data, [row])
    for place, word in enumerate(written, 1):
        builder.store(word, builder.gep(row, [INT(place)]))
    part: Any = _write_count
    native.emit_call(context, builder, part, (types.int64, kinds.types[0]), [task, rows])
    builder.ret_void()


@inner
def _write_count(task, seen):
    """What Numba compiles is tried too."""
    seen[task, 0] = len(seen)


def _emitted(context: Any, builder: Any, kind: Any, value: Any) -> list[Any]:
    """The words of `_words`, as values of the code."""
    if isinstance(kind, types.BaseTuple):
        parts = zip(kind.types, cgutils.unpack_tuple(builder, value), strict=True)
        return [word for part in parts for word in _emitted(context, builder, *part)]
    if isinstance(kind, types.Array):
        return _emitted_array(context, builder, kind, value)
    if isinstance(kind, types.NoneType):
        return [INT(0)]
    if isinstance(kind, types.Float):
        is_double = value.type == _DOUBLE
        return [builder.bitcast(value if is_double else builder.fpext(value, _DOUBLE), INT)]
    if value.type == INT:
        return [value]
    return [
        builder.sext(value, INT) if getattr(kind, "signed", False) else builder.zext(value, INT)
    ]


def _emitted_array(context: Any, builder: Any, kind: Any, value: Any) -> list[Any]:
    array = context.make_array(kind)(context, builder, value)
    address = builder.ptrtoint(array.data, INT)
    shape, strides = (cgutils.unpack_tuple(builder, part) for part in (array.shape, array.strides))
    last = address
    for size, stride in zip(shape, strides, strict=True):
        last = builder.add(last, builder.mul(builder.sub(size, INT(1)), stride))
    pointer = builder.inttoptr(last, array.data.type)
    item = context.unpack_value(builder, kind.dtype, pointer)
    return [address, *shape, *strides, *_emitted(context, builder, kind.dtype, item)]
