"""Lowering: kernel calls become work that needs no Python around it, and that CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras.backend.protocol import KernelCall, Span, Step
from nkeras_numba_cuda import memory
from nkeras_numba_cuda.recording import recording
from nkeras_numba_cuda.replay import arena, arrays, places
from nkeras_numba_cuda.replay.arena import Arena, Block
from nkeras_numba_cuda.replay.graphs import Graph
from nkeras_numba_cuda.replay.numbers import Numbers
from nkeras_numba_cuda.replay.places import Computes, Place, place_of
from nkeras_numba_cuda.replay.strides import bounds
from nkeras_numba_cuda.replay.work import Again, Work


class Lowering:
    """Kernel calls to work, for one plan; see `nkeras.backend.protocol.Lowering`.

    Args:
        blocks: the memory of what the calls make.
        numbers: what the host computes anew in each replay.
    """

    def __init__(self, blocks: Arena | None = None, numbers: Numbers | None = None) -> None:
        self._place = memory.place()
        self._arena = blocks or Arena()
        self._numbers = numbers or Numbers()

    def spans(self) -> list[Span]:
        """The blocks that the calls have taken."""
        return self._arena.spans()

    def perform(self, size: int, offsets: list[int | None], shared: list[Any]) -> Lowering:
        """The lowering of the same calls once more, for good."""
        if not shared or shared[0].nbytes < size:
            shared[:] = [arena.buffer(size)]  # plans made before keep theirs
        blocks = Arena(offsets, shared[0], self._arena.unused)
        return Lowering(blocks, Numbers(self._numbers.size))

    def ready(self) -> bool:
        """Whether launches go to the device and stream that they were made for."""
        return memory.place() == self._place

    def number(
        self, value: Any, shape: tuple[int, ...] | None = None, dtype: str | None = None
    ) -> tuple[Place, Callable[[Any], None]]:
        """An array with a number that changes, and what is called with a new one."""
        if shape is None:
            values = value if isinstance(value, tuple) else (value,)
            is_key = isinstance(value, tuple) and isinstance(values[0], int)
            shape, dtype = (len(values),), "uint32" if is_key else "float64"
        made, store = self._numbers.take(shape, dtype)
        store(value)
        return made, store

    def call(self, call: KernelCall) -> tuple[tuple[Place | None, ...], list[Step], list[Step]]:
        """The outputs of a kernel, and the work that computes them."""
        given = [place_of(array) for array in call.arrays]
        taken: list[Block] = []
        try:
            if call.asked:
                raise Computes("a kernel wants a number of the host's")
            outputs, works = self._taken_down(call, given, taken)
        except Computes:
            for block in taken:
                self._arena.free(block)
            taken = []
            outputs, works = self._called_again(call, given, taken)
        is_early = all(call.fixed) and not call.cells and not call.asked
        for output in outputs:
            block = None if output is None else self._arena.block_of(output)
            if output is not None and block is not None:
                block.users += 1
                block.outputs.append(output)
        for block in taken:
            if is_early:
                self._arena.stay(block)
            if block.users == 0:
                self._arena.free(block)
        steps: list[Step] = [(work, ()) for work in works]
        return outputs, steps if is_early else [], [] if is_early else steps

    def _taken_down(
        self, call: KernelCall, given: Sequence[Place | None], taken: list[Block]
    ) -> tuple[tuple[Place | None, ...], Sequence[Work]]:
        works: list[Work] = []

        def queue(function: Callable[..., Any], *arguments: Any) -> None:
            works.append(Work(function, arguments))

        def empty(shape: tuple[int, ...], dtype: Any) -> Place:
            block, made = self._arena.allocate(shape, dtype)
            taken.append(block)
            return made

        with recording(queue, empty, places):
            result = call.kernel(*given, **{**call.static, **call.cells})
        results = result if isinstance(result, tuple) else (result,)
        return tuple(map(place_of, results)), works

    def _called_again(
        self, call: KernelCall, given: Sequence[Place | None], taken: list[Block]
    ) -> tuple[tuple[Place | None, ...], Sequence[Again]]:
        targets: list[Place | None] = []
        for result in call.results:
            target = None
            if result is not None:
                block, target = self._arena.allocate(result[0], np.dtype(result[1]))
                taken.append(block)
            targets.append(target)
        static = {**call.static, **call.cells}
        again = Again(call.kernel, given, static, call.asked, targets, self._numbers.send)
        return tuple(targets), [again]

    def release(self, array: Any) -> None:
        """Take the memory of an output back, when no other output lies in it."""
        block = None if array is None else self._arena.block_of(array)
        if block is not None:
            block.users -= 1
            block.outputs = [one for one in block.outputs if one is not array]
            if block.users == 0:
                self._arena.free(block)

    def keep(self, array: Any) -> None:
        """An output of the plan: its block is no other's."""
        block = self._arena.block_of(array)
        if block is not None:
            self._arena.stay(block)

    def redirect(
        self,
        steps: list[Step],
        array: Any,
        target: Any,
        inputs: Sequence[Any],
        donated: Sequence[int],
    ) -> list[Step] | None:
        """The work with everything that lies in `array` moved to `target`."""
        block = self._arena.block_of(array)
        if block is None or not (array.flags.c_contiguous and target.flags.c_contiguous):
            return None
        if sum(arrays.overlap(one, array) for one in block.outputs) > 1:
            return None
        pieces: list[Any] = [work for work, _ in steps]
        is_copied = bool(pieces) and isinstance(pieces[0], Again)
        for i, item in enumerate(inputs):
            if is_copied or item is None or not arrays.overlap(item, target):
                continue
            if i not in donated or not _coincide(item, target):
                return None
        works = [work.moved(array, place_of(target)) for work in pieces]
        if None in works:
            return None
        if not any(work.uses(block.start, block.start + block.size) for work in works):
            self._arena.forget(block)
        return [(work, ()) for work in works]

    def freeze(self, steps: list[Step]) -> list[Step]:
        """Work that follows each other as one graph."""
        frozen: list[Step] = []
        works: list[Work] = []
        for function, arguments in [*steps, (None, ())]:
            work = _work(function, arguments)
            if work is not None:
                works.append(work)
                continue
            if works:
                frozen.append((Graph(works, self._numbers.send), ()))
                works = []
            if function is not None:
                frozen.append((function, arguments))
        return frozen

    def bind(
        self,
        steps: Sequence[Step],
        early: Sequence[Step],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
    ) -> Binding:
        """The steps for callers who give arrays of theirs."""
        return Binding(self.freeze(list(steps)), inputs, outputs)


class Binding:
    """A plan for callers who give arrays of theirs and want such: copies in and out.

    Args:
        steps: the plan's.
        inputs: its buffers.
        outputs: what the steps leave their results in.
    """

    def __init__(
        self, steps: Sequence[Step], inputs: Sequence[Any], outputs: Sequence[Any]
    ) -> None:
        self._steps = steps
        self._inputs = inputs
        self._outputs = outputs

    def run(self, given: Sequence[Any], do: Callable[[Sequence[Step]], None]) -> list[Any]:
        """`do` the steps for these inputs; the outputs belong to the caller."""
        for buffer, array in zip(self._inputs, given, strict=True):
            arrays.copy_to(buffer, array)
        do(self._steps)
        return [arrays.copy(output) for output in self._outputs]


def _work(function: Any, arguments: tuple[Any, ...]) -> Work | None:
    """What can be a part of a graph."""
    if isinstance(function, Work):
        return function
    if function is arrays.copy_to:
        return Work(arrays.copy_to, tuple(map(place_of, arguments)))
    return None


def _coincide(array: Any, other: Any) -> bool:
    return bounds(array) == bounds(other) and (array.shape, array.strides, array.dtype) == (
        other.shape,
        other.strides,
        other.dtype,
    )
