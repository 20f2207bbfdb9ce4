"""How the rounds of a loop run without Python: launches again and again, rows copied around them.

    rounds(count, backwards, before, launches, behind, words)

`before` and `behind` are tuples of copies, done in each round: (target, bytes to its next row,
source, bytes to its next row, size in bytes). A launch is a tuple (task function, region, count,
how many words the arguments have, 0, arguments). `words` is an int64 array in which all of that is
laid down once, as `launcher` lays down the arguments of one launch; the 0 becomes the word that
says whether a task failed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from nkeras_numba_cpu.compile import native
from nkeras_numba_cpu.launch import launcher
from nkeras_numba_cpu.launch.launcher import INT, OBJECT
from nkeras_numba_cpu.launch.layout import DATA

_COPY, _LAUNCH = 5, 5  # words, of a launch before its arguments

Copies = tuple[tuple[np.ndarray, int, np.ndarray, int, int], ...]
Launches = tuple[tuple[Any, ...], ...]


def compiled(steps: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]) -> Launches | None:
    """Steps as launches of `rounds`; None where Python is needed for one of them."""
    launches = []
    for function, arguments in steps:
        task = launcher.task_of(function)
        if task is None:
            return None
        region, count, given = arguments
        launches.append((task, region, count, launcher.words(given), 0, *given))
    return tuple(launches)


def words(copies: int, launches: Launches) -> np.ndarray:
    """Room for the words of so many copies and of the launches."""
    return np.zeros(_COPY * copies + launcher.words(launches), np.int64)


@functools.cache
def rounds() -> Callable[[int, bool, Copies, Launches, Copies, np.ndarray], None]:
    """The function that runs rounds."""
    return launcher.built_in("rounds", native.address("rounds", _emit), 0, "Run rounds of a loop.")


def _emit(context: Any, module: Any, symbol: str) -> None:
    """PyObject *rounds(unused, arguments of the call, their number)"""
    kind = ir.FunctionType(OBJECT, [OBJECT, OBJECT.as_pointer(), INT])
    function = ir.Function(module, kind, symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    given = [builder.load(builder.gep(function.args[1], [INT(i)])) for i in range(6)]
    count, backwards = (launcher.number(builder, item) for item in given[:2])
    pack = launcher.emit_pack(module)
    bounds = [_data(builder, given[5])]
    for item in given[2:5]:
        bounds.append(builder.call(pack, [item, bounds[-1]]))
    failed = cgutils.alloca_once_value(builder, INT(0))
    state = launcher.python(builder, "PyEval_SaveThread", OBJECT)
    with cgutils.for_range(builder, count, intp=INT) as loop:
        last = builder.sub(builder.sub(count, INT(1)), loop.index)
        is_first = builder.icmp_signed("==", backwards, INT(0))
        row = builder.select(is_first, loop.index, last)
        _emit_copies(builder, bounds[0], bounds[1], row)
        _emit_launches(builder, bounds[1], bounds[2], failed)
        _emit_copies(builder, bounds[2], bounds[3], row)
    launcher.python(builder, "PyEval_RestoreThread", ir.VoidType(), state)
    launcher.emit_return(builder, builder.load(failed))


def _data(builder: Any, array: Any) -> Any:
    """The address of an array's data."""
    return builder.load(launcher.field(builder, array, DATA, INT))


def _for_words(
    builder: Any, first: Any, stop: Any, count: int, body: Callable[[list[Any], Any], Any]
) -> None:
    """Call `body` with the first words of each item and their address; it gives the item's size."""
    place = cgutils.alloca_once_value(builder, first)
    function = builder.function
    test, inside, behind = (function.append_basic_block() for _ in range(3))
    builder.store(first, place)
    builder.branch(test)
    builder.position_at_end(test)
    now = builder.load(place)
    builder.cbranch(builder.icmp_unsigned("<", now, stop), inside, behind)
    builder.position_at_end(inside)
    pointer = builder.inttoptr(now, INT.as_pointer())
    words = [builder.load(builder.gep(pointer, [INT(i)])) for i in range(count)]
    builder.store(builder.add(now, body(words, now)), place)
    builder.branch(test)
    builder.position_at_end(behind)


def _emit_copies(builder: Any, first: Any, stop: Any, row: Any) -> None:
    def copy(words: list[Any], _: Any) -> Any:
        places = []
        for array, step in (words[:2], words[2:4]):
            places.append(builder.add(_data(builder, array), builder.mul(row, step)))
        target, source = (builder.inttoptr(place, OBJECT) for place in places)
        cgutils.raw_memcpy(builder, target, source, words[4], 1)
        return INT(8 * _COPY)

    _for_words(builder, first, stop, _COPY, copy)


def _emit_launches(builder: Any, first: Any, stop: Any, failed: Any) -> None:
    def launch(words: list[Any], place: Any) -> Any:
        task, region, count, size = words[:4]
        shared = builder.add(place, INT(8 * (_LAUNCH - 1)))
        with builder.if_else(builder.icmp_signed("==", region, INT(0))) as (serial, parallel):
            with serial, cgutils.for_range(builder, count, intp=INT) as loop:
                launcher.call_address(builder, task, [loop.index, shared])
            with parallel:
                launcher.call_address(builder, region, [task, count, shared])
        word = builder.load(builder.inttoptr(shared, INT.as_pointer()))
        builder.store(builder.or_(builder.load(failed), word), failed)
        return builder.mul(builder.add(size, INT(_LAUNCH)), INT(8))

    _for_words(builder, first, stop, _LAUNCH, launch)
