"""Maps: a function of scalars over arrays, as one flat loop that is emitted, not compiled.

The loop runs over contiguous elements. `_block_task`, compiled once for all maps, cuts the arrays
into tasks and blocks and calls the loop by its address. An argument that is one number in a call
can be read once; what is broadcast in another way is expanded, block by block, into a buffer that
stays in the first-level cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nkeras_numba_cpu.compile import native
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.records import at, bytes_of
from nkeras_numba_cpu.emit.simd import address_of
from nkeras_numba_cpu.emit.values import Value
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.launch import launcher
from nkeras_numba_cpu.launch.tasks import Tasks, call_address

BLOCK = 2048  # elements of a block
TASK = 8  # blocks of a task, at most
_NARROW = 16  # elements that are no line worth a call that copies it
_LINE = 64  # elements that surely end with a line of the cache

_INT = ir.IntType(64)
_WORD = ir.IntType(32)
_BYTE = ir.IntType(8)


Outputs = Callable[..., tuple[Value, ...]]
Within = Callable[[Callable[[Value], object]], Outputs]


class Map(Tasks):
    """A kernel of `(block task, geometry, *uniform arrays, *inputs, *outputs)`.

    Args:
        function: gives the outputs of one element, as a tuple of Values, from the numbers of the
            uniform arrays and from one element of each input.
        name: unique, for the disk cache.
        outputs: how many outputs there are.
        uniform: lengths of the uniform arrays, whose numbers are the same for all elements.
        same: which inputs are one number in each call of the flat loop; none by default.
        within: gives a faster function that is right within limits, and tells the conditions under
            which it is not to what it is given.
        origin: as in `Tasks`.
    """

    def __init__(
        self,
        function: Callable[..., tuple[Value, ...]],
        name: str,
        outputs: int = 1,
        uniform: tuple[int, ...] = (),
        same: tuple[bool, ...] = (),
        within: Within | None = None,
        origin: str | tuple[Callable[..., Any], tuple[Any, ...]] | None = None,
    ) -> None:
        super().__init__(function, origin=origin)
        self.within = within
        self.__name__ = f"map_{name}"
        self.outputs = outputs
        self.uniform = uniform
        self.same = same

    @property
    def name(self) -> str:
        """A name of its own, for the disk cache."""
        return self.__name__

    def _emit(self, arguments: Any, context: Any, module: Any, symbol: str) -> None:
        """A task that runs the block task, which calls the flat loop."""
        _, geometry, *arrays = arguments.types
        loop = _flat_loop(context, module, self, arrays)
        task = ir.Function(module, launcher.TASK, symbol)
        builder = ir.IRBuilder(task.append_basic_block())
        number, address = task.args
        reader = launcher.Reader(context, builder, address)
        block_task = reader.word()
        shared = [builder.ptrtoint(loop, _INT)]
        for kind in (geometry, *arrays):
            item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
            shared += [reader.data(), _INT(item)]
        memory = cgutils.alloca_once(builder, ir.ArrayType(_INT, len(shared)))
        for i, value in enumerate(shared):
            builder.store(value, cgutils.gep_inbounds(builder, memory, 0, i))
        launcher.call_address(builder, block_task, [number, builder.ptrtoint(memory, _INT)])
        builder.ret_void()


def _flat_loop(context: Any, module: Any, owner: Map, arrays: Sequence[Any]) -> ir.Function:
    """`void (n, address of the addresses of the arrays)`, for n >= 1 contiguous elements."""
    loop = ir.Function(module, ir.FunctionType(ir.VoidType(), [_INT, _INT]), "flat_loop")
    loop.linkage = "internal"
    builder = ir.IRBuilder(loop.append_basic_block())
    rounds = _Rounds(context, builder, loop.args, owner, arrays)
    if owner.within is None:
        rounds.compute(owner.function)
    else:
        exceeds = rounds.exceed(owner.within)
        with builder.if_else(exceeds, likely=False) as (beyond, inside):
            with beyond:
                rounds.compute(owner.function)
            with inside:
                rounds.compute(owner.within(lambda condition: None))
    builder.ret_void()
    return loop


class _Rounds:
    """Loops over the elements of a flat loop's arrays."""

    def __init__(
        self, context: Any, builder: Any, arguments: Any, owner: Map, arrays: Sequence[Any]
    ) -> None:
        self.context = context
        self.builder = builder
        self.n, addresses = arguments
        self.uniform = owner.uniform
        self.arrays = arrays
        self.outputs = len(arrays) - owner.outputs
        table = builder.inttoptr(addresses, _INT.as_pointer())
        self.pointers = [
            builder.inttoptr(
                builder.load(builder.gep(table, [_INT(i)])),
                context.get_data_type(kind.dtype).as_pointer(),
            )
            for i, kind in enumerate(arrays)
        ]
        self.numbers = [
            self._loaded(kind, builder.gep(pointer, [_INT(i)]))
            for kind, pointer, length in zip(arrays, self.pointers, self.uniform, strict=False)
            for i in range(length)
        ]
        first = len(self.uniform)
        self.same = {
            first + i: self._loaded(arrays[first + i], self.pointers[first + i])
            for i, is_same in enumerate(owner.same)
            if is_same
        }

    def compute(self, function: Outputs) -> None:
        """Write the outputs of all elements."""

        def body(elements: Sequence[Any], values: Sequence[Value]) -> None:
            kinds, targets = self.arrays[self.outputs :], elements[self.outputs :]
            for kind, result, element in zip(kinds, function(*values), targets, strict=True):
                data = result.cast(kind.dtype).data
                self.context.pack_value(self.builder, kind.dtype, data, element)

        self._loop(body)

    def exceed(self, within: Within) -> Any:
        """Whether the faster function tells a condition of any element."""

        def body(elements: Sequence[Any], values: Sequence[Value]) -> Any:
            told: list[Value] = []
            within(told.append)(*values)
            found = _WORD(0)
            for condition in told:
                is_true = condition.cast(types.boolean).data
                found = self.builder.or_(found, self.builder.zext(is_true, _WORD))
            return found

        found = self._loop(body)
        return self.builder.icmp_unsigned("!=", found, _WORD(0))

    def _loaded(self, kind: Any, pointer: Any) -> Value:
        data = self.context.unpack_value(self.builder, kind.dtype, pointer)
        return Value(self.context, self.builder, kind.dtype, data)

    def _loop(self, body: Callable[[Sequence[Any], Sequence[Value]], Any]) -> Any:
        """A loop over all elements; what its body gives is united by `or`."""
        builder, first = self.builder, len(self.uniform)
        before = builder.block
        block, end = builder.append_basic_block(), builder.append_basic_block()
        builder.branch(block)
        builder.position_at_end(block)
        i, all_found = builder.phi(_INT), builder.phi(_WORD)
        elements = [builder.gep(pointer, [i], inbounds=True) for pointer in self.pointers]
        inputs = [
            self.same[k] if k in self.same else self._loaded(self.arrays[k], elements[k])
            for k in range(first, self.outputs)
        ]
        found = body(elements, [*self.numbers, *inputs])
        united = all_found if found is None else builder.or_(all_found, found)
        following = builder.add(i, _INT(1))
        for value, start, next_ in ((i, _INT(0), following), (all_found, _WORD(0), united)):
            value.add_incoming(start, before)
            value.add_incoming(next_, builder.block)
        again = builder.cbranch(builder.icmp_signed("<", following, self.n), block, end)
        _mark_independent(builder.function, again)
        builder.position_at_end(end)
        return united


class _Distinct(ir.values.MDValue):
    """A metadata node that equals only itself; it may contain itself."""

    def descr(self, buf: list[str]) -> None:
        inner = ", ".join(operand.get_reference() for operand in self.operands)
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


def _emit_words(typingctx, address):
    """32-bit words at an address."""

    def codegen(context, builder, signature, values):
        return builder.inttoptr(values[0], ir.IntType(32).as_pointer())

    return types.CPointer(types.int32)(types.int64), codegen


def _emit_bytes(typingctx, address):
    """Bytes at an address."""

    def codegen(context, builder, signature, values):
        return builder.inttoptr(values[0], _BYTE.as_pointer())

    return types.CPointer(types.uint8)(types.int64), codegen


def _emit_copy(typingctx, target, source, size):
    """Copy bytes between addresses."""

    def codegen(context, builder, signature, values):
        target, source = (builder.inttoptr(v, _BYTE.as_pointer()) for v in values[:2])
        cgutils.raw_memcpy(builder, target, source, values[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


_words: Any = intrinsic(_emit_words)
_bytes: Any = intrinsic(_emit_bytes)
_copy: Any = intrinsic(_emit_copy)

# How an argument reaches the flat loop: by its own address; expanded once for each task; for each
# group of calls; for each block.
DIRECT, ONCE, GROUP, EACH = 0, 1, 2, 3

# Where a call of the flat loop ends: with a block; or also with a line, of the last dimension; or
# with a plane, of the last two. The calls of one line or plane are a group.
BLOCKS, LINES, PLANES = 0, 1, 2


class Walk(NamedTuple):
    """How the block task goes through the arguments: the geometry of a map begins with it."""

    size: int  # elements
    columns: int  # of the last three dimensions that are left when neighbours are merged
    rows: int
    block: int  # elements of a block
    length: int  # elements of a task
    arguments: int
    buffers: int
    ends: int  # BLOCKS, LINES or PLANES


class Argument(NamedTuple):
    """How one argument is walked through; such records follow, inputs first."""

    reach: int  # DIRECT, ONCE, GROUP or EACH
    by_outer: int  # distance of elements along the three dimensions
    by_row: int
    by_column: int


def geometry_of(walk: Walk, arguments: Sequence[Argument]) -> np.ndarray:
    """The geometry that maps take."""
    return np.array([*walk, *(number for argument in arguments for number in argument)], np.int64)


class _Head(NamedTuple):
    """What a map shares with its block task begins so."""

    loop: int
    geometry: int
    item: int  # bytes of one of its numbers


class _Array(NamedTuple):
    """Such records of the arguments follow."""

    data: int
    item: int


_ARGUMENTS, _ARRAYS = bytes_of(Walk), bytes_of(_Head)


@cache
def block_task() -> int:
    return native.address(*BLOCK_TASK)


def _emit_block_task(context: Any, module: Any, symbol: str) -> None:
    task = ir.Function(module, launcher.TASK, symbol)
    builder = ir.IRBuilder(task.append_basic_block())
    native.emit_call(context, builder, _block_task, (types.int64, types.int64), task.args)
    builder.ret_void()


BLOCK_TASK = "block_task", _emit_block_task


@inner
def _block_task(task, shared):
    head = at(_Head, shared, 0)
    loop, geometry = head.loop, head.geometry
    walk = at(Walk, geometry, 0)
    size, columns, rows, block, length = walk.size, walk.columns, walk.rows, walk.block, walk.length
    arguments, buffers, ends = walk.arguments, walk.buffers, walk.ends
    # The addresses that the flat loop is given, then the buffers.
    scratch = allocate(np.int64, arguments + buffers * BLOCK)
    start, last = task * length, -1
    stop = min(start + length, size)
    position = start
    while position < stop:
        line = position // columns
        column = position - line * columns
        n = min(block, stop - position)
        outer = line // rows
        row = line - outer * rows
        group = line
        if ends == LINES:
            n = min(n, columns - column)
        elif ends == PLANES:
            n = min(n, (rows - row) * columns)
            group = outer
        buffer = address_of(scratch, arguments)
        for i in range(arguments):
            of, array = at(Argument, geometry + _ARGUMENTS, i), at(_Array, shared + _ARRAYS, i)
            reach, by_column = of.reach, of.by_column
            by_outer, by_row = of.by_outer, of.by_row
            item = array.item
            source = array.data
            source += (outer * by_outer + row * by_row + column * by_column) * item
            if reach == DIRECT:
                scratch[i] = source
                continue
            scratch[i] = buffer
            if reach == ONCE:
                if position == start:
                    first = columns * item if by_column else item
                    _copy(buffer, source, first)
                    _repeat(buffer, first, min(block, stop - start) * item)
            elif reach == EACH or group != last:
                _expand(buffer, source, item, n, columns, rows, row, by_outer, by_row, by_column)
            buffer += 8 * BLOCK
        last = group
        call_address(loop, (n, address_of(scratch, 0)))  # pyright: ignore[reportCallIssue]
        position += n
    release(scratch)


@inner
def _repeat(start, done, size):
    """Fill `size` bytes with copies of the first `done` ones."""
    while done < size:
        more = min(done, size - done)
        _copy(start + done, start, more)
        done += more


@inner
def _expand(target, source, item, n, columns, rows, row, by_outer, by_row, by_column):
    """Fill `n` elements with whole lines of an argument; `source` is its element for the first."""
    while n > 0:
        length = min(columns, n)
        lines = 1
        if columns == 3 and not by_column and n >= 3 and item in (1, 4):
            lines = min(n // 3, rows - row)
            if item == 4:
                _set_triples(_words(target), _words(source), lines, by_row)
            else:
                _set_triples(_bytes(target), _bytes(source), lines, by_row)
            length = 3 * lines
        elif by_column and by_row == 0 and n >= columns:
            lines = min(n // columns, rows - row)
            length = lines * columns
            _copy(target, source, columns * item)
            _repeat(target, columns * item, length * item)
        elif item == 4 and (length <= _NARROW or not by_column):
            _set_line(_words(target), _words(source), length, by_column)
        elif item == 1 and (length <= _NARROW or not by_column):
            _set_line(_bytes(target), _bytes(source), length, by_column)
        elif by_column:
            _copy(target, source, length * item)
        else:
            _copy(target, source, item)
            _repeat(target, item, length * item)
        target += length * item
        n -= lines * columns
        source += lines * by_row * item
        row += lines
        if row == rows:
            row = 0
            source += (by_outer - rows * by_row) * item


@inner
def _set_triples(target, source, lines, by_row):
    """Each element three times: what images of one channel are beside those of three."""
    if by_row == 1:
        for i in range(lines):
            target[3 * i] = target[3 * i + 1] = target[3 * i + 2] = source[i]
    else:
        for i in range(lines):
            target[3 * i] = target[3 * i + 1] = target[3 * i + 2] = source[i * by_row]


@inner
def _set_line(target, source, length, by_column):
    """A line of elements, or of one element again and again."""
    first = source[0]
    if by_column:
        for j in range(length):
            target[j] = source[j]
    else:
        for j in range(length):
            target[j] = first


def task_length(size: int) -> int:
    """Elements of a task: an even number of them, all of one length, so that no thread waits."""
    count = -(-size // (BLOCK * TASK))
    if count < 2:
        return BLOCK * TASK
    count += count % 2
    return -(-size // (count * _LINE)) * _LINE


@cache
def contiguous(size: int, inputs: int, outputs: int, uniform: int = 0) -> tuple[int, np.ndarray]:
    """How many tasks, and the geometry, where all inputs and outputs have one shape."""
    length = task_length(size)
    arguments = [Argument(DIRECT, 0, 0, by_column=0)] * uniform
    arguments += [Argument(DIRECT, 0, 0, by_column=1)] * (inputs + outputs)
    walk = Walk(
        size=size,
        columns=size,
        rows=1,
        block=length,
        length=length,
        arguments=len(arguments),
        buffers=0,
        ends=LINES,
    )
    return -(-size // length), geometry_of(walk, arguments)
