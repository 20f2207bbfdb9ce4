"""Lowering: what a plan replays without any Python around the kernels.

A kernel of this backend is Python around launches of compiled functions: it works out shapes, makes
views, asks for memory, and never touches values. While a plan is made, every launch is also noted,
function and arguments. With all arrays at fixed addresses the launches alone are the whole kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from nkeras.backend.protocol import KernelCall, Rounds, Span
from nkeras.core.dtypes import to_numpy
from nkeras_numba_cpu import threads
from nkeras_numba_cpu.compile import ahead
from nkeras_numba_cpu.launch import loop
from nkeras_numba_cpu.loops.copies import contiguous
from nkeras_numba_cpu.memory import buffers
from nkeras_numba_cpu.memory.allocation import own
from nkeras_numba_cpu.memory.arena import ALIGNMENT, Arena, Block, address, aligned
from nkeras_numba_cpu.memory.capture import Launch, captured
from nkeras_numba_cpu.replay.io_binding import IOBinding


class Lowering:
    """Kernel calls to launches, for one plan; see `nkeras.backend.protocol.Lowering`.

    Args:
        arena: what the blocks of the calls lie in.
    """

    def __init__(self, arena: Arena | None = None) -> None:
        self._state = threads.state()
        ahead.settle()
        buffers.release()  # what eager calls left: from now on the arena serves
        self.arena = arena or Arena()

    def spans(self) -> list[Span]:
        """The blocks that the calls have taken."""
        return self.arena.spans()

    def perform(self, size: int, offsets: list[int | None], memory: list[np.ndarray]) -> Lowering:
        """The lowering of the same calls once more, for good."""
        if not memory or memory[0].nbytes < size:
            memory[:] = [aligned(size)]  # plans made before keep theirs
        return Lowering(Arena(offsets, memory[0]))

    def ready(self) -> bool:
        """Whether the threads are those the launches were made for."""
        if threads.state() != self._state:
            return False
        if ahead.queue is not None:
            ahead.settle()
        threads.prepare()
        return True

    def freeze(self, steps: list[Launch]) -> list[Launch]:
        """Launches cost 0.1 to 0.3 us each: there is nothing to gain."""
        return steps

    def bind(
        self,
        steps: Sequence[Launch],
        early: Sequence[Launch],
        inputs: Sequence[np.ndarray],
        outputs: Sequence[np.ndarray],
    ) -> IOBinding:
        """The steps on large arrays of the caller's."""
        kept = [self._is_kept(output) for output in outputs]
        return IOBinding(steps, early, inputs, outputs, kept)

    def number(
        self, value: Any, shape: tuple[int, ...] | None = None, dtype: str | None = None
    ) -> tuple[np.ndarray, Callable[[Any], None]]:
        """An array with a number that changes, and what writes a new one."""
        if shape is None or dtype is None:
            values = value if isinstance(value, tuple) else (value,)
            is_key = isinstance(value, tuple) and isinstance(values[0], int)
            array = np.array(values, np.uint32 if is_key else None)
        else:
            array = own(shape, to_numpy(dtype))
            array[...] = value
        return array, partial(array.__setitem__, ...)

    def call(
        self, call: KernelCall
    ) -> tuple[tuple[np.ndarray | None, ...], list[Launch], list[Launch]]:
        """The outputs of a kernel, and the launches that compute them."""
        values = {**call.static, **call.cells}
        made = captured(self.arena, call.kernel, call.arrays, values, call.fixed)
        launches, early, kept = made.launches, made.early, made.kept
        outputs = made.result if isinstance(made.result, tuple) else (made.result,)
        if call.asked:
            targets = [None if output is None else self._like(output) for output in outputs]
            again = (call.kernel, tuple(call.arrays), values, call.asked, targets)
            launches, early, kept, outputs = [(_again, again)], set[int](), [], tuple(targets)
        elif all(call.fixed) and not call.cells:
            early = set(range(len(launches)))
            kept = [*made.blocks, *(block for block in map(self._block_of, outputs) if block)]
        for block in kept:
            self.arena.stay(block)
        for output in outputs:
            block = self._block_of(output)
            if block is not None:
                block.users += 1
        for block in made.blocks:
            if block.users == 0:
                self.arena.free(block)
        first = [launch for i, launch in enumerate(launches) if i in early]
        return outputs, first, [launch for i, launch in enumerate(launches) if i not in early]

    def _block_of(self, output: np.ndarray | None) -> Block | None:
        return None if output is None else self.arena.block_of(output)

    def _like(self, output: np.ndarray) -> np.ndarray:
        return self.arena.allocate(output.shape, output.dtype)[1]

    def release(self, array: np.ndarray) -> None:
        """Take the memory of an output back, when no other output lies in it."""
        block = None if array is None else self.arena.block_of(array)
        if block is not None:
            block.users -= 1
            if block.users == 0:
                self.arena.free(block)

    def place(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Memory that serves until it is released."""
        block, array = self.arena.allocate(shape, to_numpy(dtype))
        block.users = 1
        return array

    def straight(self, array: np.ndarray) -> tuple[np.ndarray, list[Launch]]:
        """The array, or its copy in a place of its own, as it can be copied by the row."""
        if array.flags.c_contiguous:
            block = self.arena.block_of(array)
            if block is not None:
                block.users += 1
            return array, []
        made = captured(self.arena, contiguous, [array], {}, [False])
        for block in made.blocks:
            block.users = 1
        return made.result, made.launches

    def loop(self, rounds: Rounds) -> list[Launch]:
        """One step, which needs no Python inside where all launches are compiled code."""
        steps, copies = list(rounds.steps), []

        def straight(array: np.ndarray) -> np.ndarray:
            copy, launches = self.straight(array)
            copies.append(copy)
            steps.extend(launches)
            return copy

        reads = rounds.reads
        writes = [(rows, straight(array)) for rows, array in rounds.writes]
        moves = [(place, straight(array)) for place, array in rounds.moves]
        for copy in copies:
            self.release(copy)
        launches = loop.compiled(steps)
        if launches is None:
            given = (rounds.length, rounds.backwards, reads, steps, writes, moves)
            return [(_do_rounds, given)]
        first = tuple((place, 0, rows, _step(rows), place.nbytes) for place, rows in reads)
        last = tuple((rows, _step(rows), array, 0, array.nbytes) for rows, array in writes)
        last += tuple((place, 0, array, 0, array.nbytes) for place, array in moves)
        words = loop.words(len(first) + len(last), launches)
        given = (rounds.length, rounds.backwards, first, launches, last, words)
        return [(loop.rounds(), given)]

    def keep(self, array: np.ndarray) -> None:
        """An output of the plan: its block is no other's."""
        block = self.arena.block_of(array)
        if block is not None:
            self.arena.stay(block)

    def _is_kept(self, array: np.ndarray) -> bool:
        """Whether an array fills a block that it has to itself."""
        block = self.arena.block_of(array)
        return (
            block is not None
            and self.arena.is_staying(block)
            and address(array) == block.start
            and array.flags.c_contiguous
            and array.nbytes > block.size - ALIGNMENT
        )

    def redirect(
        self,
        steps: list[Launch],
        array: np.ndarray,
        target: np.ndarray,
        inputs: Sequence[np.ndarray | None],
        donated: Sequence[int],
    ) -> list[Launch] | None:
        """The launches with everything in the block of `array` moved to `target`."""
        block = self.arena.block_of(array)
        if block is None or address(array) != block.start or block.users != 1:
            return None
        if not array.flags.c_contiguous:
            return None
        is_copied = bool(steps) and steps[0][0] is _again
        for i, item in enumerate(inputs):
            if is_copied or item is None or not np.may_share_memory(item, target):
                continue
            if i not in donated or not _coincide(item, target):
                return None
        return [(function, _moved(given, array, target, block)) for function, given in steps]


def _step(rows: np.ndarray) -> int:
    return rows.nbytes // len(rows)


def _do_rounds(
    count: int,
    backwards: bool,
    reads: Sequence[tuple[np.ndarray, np.ndarray]],
    steps: Sequence[Launch],
    writes: Sequence[tuple[np.ndarray, np.ndarray]],
    moves: Sequence[tuple[np.ndarray, np.ndarray]],
) -> None:
    """The rounds of a loop, where NumPy computes in them."""
    for i in reversed(range(count)) if backwards else range(count):
        for place, rows in reads:
            place[...] = rows[i]
        for function, arguments in steps:
            function(*arguments)
        for rows, array in writes:
            rows[i] = array
        for place, array in moves:
            place[...] = array


def _again(
    kernel: Callable[..., Any],
    arrays: Sequence[Any],
    static: Mapping[str, Any],
    asked: Mapping[str, Callable[[], Any]],
    targets: Sequence[np.ndarray | None],
) -> None:
    """Call a kernel that does not read its live numbers from arrays, and copy its results."""
    static = {**static, **{key: ask() for key, ask in asked.items()}}
    result = kernel(*arrays, **static)
    results = result if isinstance(result, tuple) else (result,)
    for target, made in zip(targets, results, strict=True):
        if target is not None:
            np.copyto(target, made)


def _coincide(array: np.ndarray, other: np.ndarray) -> bool:
    return address(array) == address(other) and (array.shape, array.strides, array.dtype) == (
        other.shape,
        other.strides,
        other.dtype,
    )


def _moved(structure: Any, array: np.ndarray, target: np.ndarray, block: Block) -> Any:
    """Arguments with arrays inside the block of `array` replaced by their places in `target`."""
    if isinstance(structure, np.ndarray):
        first = address(structure)
        if not block.start <= first < block.start + block.size:
            return structure
        place = target.reshape(-1).view(np.uint8)
        return np.ndarray(
            structure.shape, structure.dtype, place, first - block.start, structure.strides
        )
    if isinstance(structure, (tuple, list)):
        return type(structure)(_moved(part, array, target, block) for part in structure)
    return structure
