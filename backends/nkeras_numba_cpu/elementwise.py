"""Elementwise kernels: of each scalar function only one flat loop is compiled.

The loop runs over contiguous arguments. `_block_task`, compiled once for all of them, cuts the
arrays into tasks and blocks and calls the loop by its address; an argument that is broadcast is
expanded, block by block, into a buffer that stays in the first-level cache.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import groupby
from types import FunctionType
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nkeras.backend.derive import Function
from nkeras.backend.scalar import Scalar
from nkeras_numba_cpu import vector_math
from nkeras_numba_cpu.compile import OPTIONS, cached, cached_address
from nkeras_numba_cpu.drivers import Tasks, _call_address, call_address
from nkeras_numba_cpu.emit import Value
from nkeras_numba_cpu.memory import compute_dtype, empty, is_floating, operand, stored

BLOCK = 2048  # elements of a block
TASK = 8  # blocks of a task

_INT = ir.IntType(64)
_BYTE = ir.IntType(8)


@cache
def elementwise(scalar: Scalar) -> Callable[..., np.ndarray]:
    """A kernel that maps `scalar` over broadcast arrays of one dtype."""
    first = next((i for i, p in enumerate(scalar.parameters) if p not in scalar.conditions), 0)
    is_bool = scalar.result == "bool"
    maps: dict[np.dtype, _Map] = {}

    def kernel(*arrays: np.ndarray) -> np.ndarray:
        dtype = arrays[first].dtype
        found = maps.get(dtype)
        if found is None:
            found = maps[dtype] = _Map(scalar, dtype)
        shapes = tuple([array.shape for array in arrays])
        shape, count, work, geometry, expand = _layout(shapes)
        out = empty(shape, found.result)
        if count:
            if expand:  # a pattern of broadcasting that three strides do not describe
                arrays = tuple([np.broadcast_to(array, shape) for array in arrays])
            if found.half:
                arrays = tuple([operand(array) for array in arrays])
            else:
                arrays = tuple([x if x.flags.carray else operand(x) for x in arrays])
            found(count, work * found.cost, _driver(), geometry, *arrays, out)
        return stored(out, dtype) if found.half and not is_bool else out

    return kernel


class _Map(Tasks):
    """The loop over one scalar function for one dtype."""

    def __init__(self, scalar: Scalar, dtype: np.dtype) -> None:
        super().__init__(_map)
        self.scalar = scalar
        self.dtype = compute_dtype(dtype)
        self.result = np.dtype(np.bool_) if scalar.result == "bool" else self.dtype
        self.half = self.dtype != dtype
        # In simple operations, roughly: for the choice between one thread and all.
        self.cost = 1 + 8 * _costly(scalar)

    @functools.cached_property
    def compiled(self) -> Callable[..., Any]:
        name = self.dtype.name if is_floating(self.dtype) else None
        function = self.scalar.bind(vector_math.functions(name), name)
        loop = FunctionType(_map.__code__, {"run_map": _run_map(function)}, "map")
        # Numba's disk cache knows a function by module, name and line.
        loop.__qualname__ = f"map_{self.scalar.name}_{self.scalar.digest(self.dtype.name)}"
        loop.__module__ = __name__
        return cached(loop)


def _costly(scalar: Scalar) -> int:
    """How many functions such as exp the scalar calls."""
    return sum(
        _costly(value)
        if isinstance(value, Scalar)
        else isinstance(value, Function) and value.name not in vector_math.CHEAP
        for name, value in scalar.names.items()
    )


def run_map(*arguments: Any) -> None:
    """Stands for the function that `_map` is bound to."""
    raise TypeError("A map must be bound to a scalar function.")


def _map(region, count, arguments):
    run_map(region, count, arguments)


def _run_map(function: Callable[..., Value]) -> Any:
    """Run the block task for `(block task, geometry, *inputs, out)`; it calls the flat loop."""

    @intrinsic
    def run_map(typingctx, region, count, arguments):
        return types.void(types.int64, types.int64, arguments), codegen

    def codegen(context, builder, signature, values):
        region, count, packed = values
        _, geometry, *arrays = signature.args[2].types
        block_task, *data = cgutils.unpack_tuple(builder, packed)
        loop = _flat_loop(context, builder.module, function, arrays)
        shared = [builder.ptrtoint(loop, _INT)]
        for kind, array in zip((geometry, *arrays), data, strict=True):
            start = context.make_array(kind)(context, builder, array).data
            item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
            shared += [builder.ptrtoint(start, _INT), _INT(item)]
        memory = cgutils.alloca_once(builder, ir.ArrayType(_INT, len(shared)))
        for i, value in enumerate(shared):
            builder.store(value, cgutils.gep_inbounds(builder, memory, 0, i))
        address = builder.ptrtoint(memory, _INT)
        with builder.if_else(builder.icmp_signed("==", region, _INT(0))) as (serial, parallel):
            with serial, cgutils.for_range(builder, count, intp=_INT) as tasks:
                _call_address(builder, block_task, [tasks.index, address])
            with parallel:
                _call_address(builder, region, [block_task, count, address])
        return context.get_dummy_value()

    return run_map


def _flat_loop(
    context: Any, module: Any, scalar: Callable[..., Value], arrays: list[Any]
) -> ir.Function:
    """`void (n, address of the addresses of the arrays)`, for n >= 1 contiguous elements."""
    loop = ir.Function(module, ir.FunctionType(ir.VoidType(), [_INT, _INT]), "flat_loop")
    loop.linkage = "internal"
    entry = loop.append_basic_block()
    builder = ir.IRBuilder(entry)
    n, addresses = loop.args
    table = builder.inttoptr(addresses, _INT.as_pointer())
    pointers = [
        builder.inttoptr(
            builder.load(builder.gep(table, [_INT(i)])),
            context.get_data_type(kind.dtype).as_pointer(),
        )
        for i, kind in enumerate(arrays)
    ]
    body, end = loop.append_basic_block(), loop.append_basic_block()
    builder.branch(body)
    builder.position_at_end(body)
    i = builder.phi(_INT)
    elements = [builder.gep(pointer, [i], inbounds=True) for pointer in pointers]
    values = [
        Value(context, builder, kind.dtype, context.unpack_value(builder, kind.dtype, element))
        for kind, element in zip(arrays[:-1], elements, strict=False)
    ]
    kind = arrays[-1].dtype
    context.pack_value(builder, kind, scalar(*values).cast(kind).data, elements[-1])
    following = builder.add(i, _INT(1))
    i.add_incoming(_INT(0), entry)
    i.add_incoming(following, builder.block)
    again = builder.cbranch(builder.icmp_signed("<", following, n), body, end)
    _mark_independent(loop, again)
    builder.position_at_end(end)
    builder.ret_void()
    return loop


class _Distinct(ir.values.MDValue):
    """A metadata node that equals only itself; it may contain itself."""

    def descr(self, buf: list[str]) -> None:
        inner = ", ".join(one.get_reference() for one in self.operands)
        buf += ("distinct !{ " + inner + " }", "\n")


def _mark_independent(loop: ir.Function, branch: Any) -> None:
    """Tell LLVM that the loop's rounds are independent: it need not compare addresses.

    An argument may be the same array as the result, but none overlaps it in another way.
    """
    module = loop.module

    def distinct() -> Any:
        return _Distinct(module, (), str(len(module.metadata)))

    group, identity = distinct(), distinct()
    accesses = module.add_metadata(
        [ir.MetaDataString(module, "llvm.loop.parallel_accesses"), group]
    )
    identity.operands = (identity, accesses)
    branch.set_metadata("llvm.loop", identity)
    for instruction in branch.parent.instructions:
        if instruction.opname in ("load", "store"):
            instruction.set_metadata("llvm.access.group", group)


@intrinsic
def _load(typingctx, address):
    """The int64 at an address."""

    def codegen(context, builder, signature, values):
        return builder.load(builder.inttoptr(values[0], _INT.as_pointer()))

    return types.int64(types.int64), codegen


@intrinsic
def _words(typingctx, address):
    """32-bit words at an address."""

    def codegen(context, builder, signature, values):
        return builder.inttoptr(values[0], ir.IntType(32).as_pointer())

    return types.CPointer(types.int32)(types.int64), codegen


@intrinsic
def _copy(typingctx, target, source, size):
    """Copy bytes between addresses."""

    def codegen(context, builder, signature, values):
        target, source = (builder.inttoptr(v, _BYTE.as_pointer()) for v in values[:2])
        cgutils.raw_memcpy(builder, target, source, values[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


# How an argument reaches the flat loop: by its own address; expanded once for each task; expanded
# for each block.
_DIRECT, _ONCE, _EACH = 0, 1, 2
_HEAD = 8  # numbers of the geometry that come before those of the arguments


@cache
def _driver() -> int:
    return cached_address(types.void(types.int64, types.int64), _block_task)


def _block_task(task, shared):
    loop, geometry = _load(shared), _load(shared + 8)
    size, columns, rows = _load(geometry), _load(geometry + 8), _load(geometry + 16)
    block, length = _load(geometry + 24), _load(geometry + 32)
    arguments, buffers, wide = _load(geometry + 40), _load(geometry + 48), _load(geometry + 56)
    # The addresses that the flat loop is given, then the buffers.
    scratch = np.empty(8 + buffers * BLOCK, np.int64)
    start, last = task * length, -1
    stop = min(start + length, size)
    position = start
    while position < stop:
        line = position // columns
        column = position - line * columns
        n = min(block, stop - position)
        if wide:
            n = min(n, columns - column)
        outer = line // rows
        row = line - outer * rows
        buffer = scratch.ctypes.data + 64
        for i in range(arguments):
            numbers = geometry + 8 * (_HEAD + 4 * i)
            kind, by_column = _load(numbers), _load(numbers + 24)
            by_outer, by_row = _load(numbers + 8), _load(numbers + 16)
            item = _load(shared + 32 + 16 * i)
            source = _load(shared + 24 + 16 * i)
            source += (outer * by_outer + row * by_row + column * by_column) * item
            if kind == _DIRECT:
                scratch[i] = source
                continue
            scratch[i] = buffer
            if kind == _ONCE:
                if position == start:
                    first = columns * item if by_column else item
                    _copy(buffer, source, first)
                    _repeat(buffer, first, min(block, stop - start) * item)
            elif not wide:
                _expand(buffer, source, item, n, columns, rows, row, by_outer, by_row, by_column)
            elif line != last:
                _copy(buffer, source, item)
                _repeat(buffer, item, n * item)
            buffer += 8 * BLOCK
        last = line
        call_address(loop, (n, scratch.ctypes.data))  # pyright: ignore[reportCallIssue]
        position += n
    scratch[0] = 0  # keeps the memory until here


@numba.njit(**OPTIONS)
def _repeat(start, done, size):
    """Fill `size` bytes with copies of the first `done` ones."""
    while done < size:
        more = min(done, size - done)
        _copy(start + done, start, more)
        done += more


@numba.njit(**OPTIONS)
def _expand(target, source, item, n, columns, rows, row, by_outer, by_row, by_column):
    """Fill `n` elements with whole lines of an argument; `source` is its element for the first."""
    while n > 0:
        length = min(columns, n)
        if by_column:
            _copy(target, source, length * item)
        elif item == 4:
            words, word = _words(target), _words(source)[0]
            for j in range(length):
                words[j] = word
        else:
            _copy(target, source, item)
            _repeat(target, item, length * item)
        target += length * item
        n -= columns
        source += by_row * item
        row += 1
        if row == rows:
            row = 0
            source += (by_outer - rows * by_row) * item


class _Layout(NamedTuple):
    """The result's shape, and how the block task goes through the arguments."""

    shape: tuple[int, ...]
    count: int  # tasks
    work: int
    geometry: np.ndarray
    expand: bool


@lru_cache(maxsize=4096)
def _layout(shapes: tuple[tuple[int, ...], ...]) -> _Layout:
    shape = np.broadcast_shapes(*shapes)
    size = math.prod(shape)
    lengths, strides = _strides(shape, shapes)
    expand = len(lengths) > 3
    if expand:
        lengths, strides = [size], [[1]] * len(shapes)
    lengths = [1] * (3 - len(lengths)) + lengths
    strides = [[0] * (3 - len(one)) + one for one in strides]
    _, rows, columns = lengths
    contiguous = [rows * columns, columns, 1]
    wide = columns > BLOCK // 2 or not size
    kinds = [_kind(one, contiguous, lengths, wide) for one in strides]
    buffers = sum(kind != _DIRECT for kind in kinds)
    if wide:
        block = BLOCK if buffers else BLOCK * TASK
        length = BLOCK * TASK
    else:
        block = BLOCK // columns * columns
        length = block * TASK
    geometry = [size, columns, rows, block, length, len(shapes) + 1, buffers, wide]
    for kind, one in zip([*kinds, _DIRECT], [*strides, contiguous], strict=True):
        geometry += [kind, *one]
    count = -(-size // length) if size else 0
    return _Layout(shape, count, size, np.array(geometry, np.int64), expand)


def _kind(strides: list[int], contiguous: list[int], lengths: list[int], wide: bool) -> int:
    needed = [stride for stride, length in zip(strides, lengths, strict=True) if length > 1]
    if (wide and strides[2]) or needed == [
        stride for stride, length in zip(contiguous, lengths, strict=True) if length > 1
    ]:
        return _DIRECT
    return _EACH if strides[0] or strides[1] else _ONCE


def _strides(
    shape: tuple[int, ...], shapes: tuple[tuple[int, ...], ...]
) -> tuple[list[int], list[list[int]]]:
    """Axes along which the same arguments are broadcast, merged: their lengths, and for each
    argument its steps in elements along them."""
    rank = len(shape)
    aligned = [(1,) * (rank - len(one)) + one for one in shapes]
    patterns = [
        (tuple(one[axis] != 1 for one in aligned), shape[axis])
        for axis in range(rank)
        if shape[axis] != 1
    ]
    groups = [
        (pattern, math.prod(length for _, length in members))
        for pattern, members in groupby(patterns, key=lambda item: item[0])
    ]
    strides: list[list[int]] = []
    for i in range(len(shapes)):
        step, steps = 1, []
        for pattern, length in reversed(groups):
            steps.append(step if pattern[i] else 0)
            step *= length if pattern[i] else 1
        strides.append(steps[::-1])
    return [length for _, length in groups], strides
