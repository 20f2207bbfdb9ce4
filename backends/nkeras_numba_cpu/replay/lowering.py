"""Lowering: what a plan replays without any Python around the kernels.

A kernel of this backend is Python around launches of compiled functions: it works out shapes, makes
views, asks for memory. While a plan is made, every launch is also noted here, function and
arguments. With all arrays at fixed addresses the launches alone are then the whole kernel, provided
that no NumPy works on values between them. That is tried out for each call, see `repeating`: a
kernel that fails is called again as it is, and its results copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.memory import buffers
from nkeras_numba_cpu.memory.arena import ALIGNMENT, Arena, Block, address, aligned
from nkeras_numba_cpu.memory.capture import Launch, captured
from nkeras_numba_cpu.replay.repeating import early_launches, is_view, repeats, touched

# Static numbers that compiled code reads from an array, where one is given: they may change.
LIVE = {
    "sgd_update": "learning_rate",
    "adam_update": "alpha",
    "amsgrad_update": "alpha",
    "rmsprop_update": "learning_rate",
    "random_bits": "key",
    "dropout": "key",
}
# Which input each output of a kernel may be written over.
OVER = {
    "sgd_update": {0: 0, 1: 2},
    "adam_update": {0: 0, 1: 2, 2: 3},
    "amsgrad_update": {0: 0, 1: 2, 2: 3, 3: 4},
    "rmsprop_update": {0: 0, 1: 2, 2: 3, 3: 4},
}


class Lowering:
    """Kernel calls to launches, for one plan; see `nkeras.backend.protocol.Lowering`.

    Args:
        kernels: the backend's table.
        rehearsal: the lowering that has met the same calls before, where this one shall perform.
        memory: list of one array, or of none, that plans share; made larger where needed.
    """

    def __init__(
        self,
        kernels: Mapping[str, Callable[..., Any]],
        rehearsal: Lowering | None = None,
        memory: list[np.ndarray] | None = None,
    ) -> None:
        self._kernels = kernels
        self._state = threads.state()
        self._rehearsal = rehearsal
        self._is_whole: list[bool] = []  # for each call: whether its launches are all of it
        self._early: list[set[int]] = []  # for each call: the launches that work on fixed inputs
        buffers.release()  # what eager calls left: from now on the arena serves
        self.arena = Arena()
        if rehearsal is not None and memory is not None:
            size, offsets = rehearsal.arena.layout()
            if not memory or memory[0].nbytes < size:
                memory[:] = [aligned(size)]  # plans made before keep theirs
            self.arena = Arena(offsets, memory[0])

    def perform(self, memory: list[np.ndarray]) -> Lowering:
        """The lowering of the same calls once more, for good."""
        return Lowering(self._kernels, self, memory)

    def ready(self) -> bool:
        """Whether the threads are those the launches were made for."""
        if threads.state() != self._state:
            return False
        threads.prepare()
        return True

    def call(
        self,
        name: str,
        kernel: Callable[..., Any],
        arrays: Sequence[np.ndarray | None],
        static: Mapping[str, Any],
        cells: Mapping[str, np.ndarray],
        fixed: Sequence[bool],
    ) -> tuple[tuple[np.ndarray | None, ...], list[Launch], list[Launch]]:
        """Call a kernel, and find the launches that repeat it."""
        kernel = self._kernels.get(name, kernel)
        live = LIVE.get(name)
        values = {**static, **{key: cell for key, cell in cells.items() if key == live}}
        asked = {key: cell for key, cell in cells.items() if key != live}
        result, launches, blocks = captured(self.arena, kernel, arrays, values, fixed)
        outputs = result if isinstance(result, tuple) else (result,)
        if self._rehearsal is not None:
            is_whole = self._rehearsal._is_whole[len(self._is_whole)]
        else:
            is_whole = not asked and repeats(
                kernel, arrays, values, fixed, launches, outputs, blocks
            )
        self._is_whole.append(is_whole)
        if not is_whole:
            given = [array for array in arrays if array is not None]
            targets = [
                None if output is None or is_view(output, given) else self._copy(output)
                for output in outputs
            ]
            again = (kernel, tuple(arrays), values, asked, targets)
            launches = [(_again, again)] if any(target is not None for target in targets) else []
            outputs = tuple(
                output if target is None else target
                for output, target in zip(outputs, targets, strict=True)
            )
        early = self._early_of(launches, arrays, fixed, outputs, blocks, bool(cells), is_whole)
        for output in outputs:
            block = None if output is None else self.arena.block_of(output)
            if block is not None:
                block.users += 1
        for block in blocks:
            if block.users == 0:
                self.arena.free(block)
        first = [launch for i, launch in enumerate(launches) if i in early]
        return outputs, first, [launch for i, launch in enumerate(launches) if i not in early]

    def _early_of(
        self,
        launches: list[Launch],
        arrays: Sequence[np.ndarray | None],
        fixed: Sequence[bool],
        outputs: Sequence[np.ndarray | None],
        blocks: list[Block],
        is_live: bool,
        is_whole: bool,
    ) -> set[int]:
        """Which launches work on fixed inputs only; what they write stays."""
        if self._rehearsal is not None:
            early = self._rehearsal._early[len(self._early)]
        elif all(fixed) and not is_live:
            early = set(range(len(launches)))
        elif is_whole and any(fixed) and len(launches) > 1:
            parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
            for array, is_fixed in zip(arrays, fixed, strict=True):
                if array is not None:
                    parts[not is_fixed].append(array)
            made = [output for output in outputs if output is not None]
            early = early_launches(launches, *parts, made, blocks)
        else:
            early = set()
        self._early.append(early)
        for output in outputs if early and len(early) == len(launches) else ():
            block = None if output is None else self.arena.block_of(output)
            if block is not None:
                self.arena.stay(block)
        for block in touched([launches[i] for i in sorted(early)], blocks):
            self.arena.stay(block)
        return early

    def _copy(self, output: np.ndarray) -> np.ndarray:
        _, array = self.arena.allocate(output.shape, output.dtype)
        np.copyto(array, output)
        return array

    def release(self, array: np.ndarray) -> None:
        """Take the memory of an output back, when no other output lies in it."""
        block = None if array is None else self.arena.block_of(array)
        if block is not None:
            block.users -= 1
            if block.users == 0:
                self.arena.free(block)

    def keep(self, array: np.ndarray) -> None:
        """An output of the plan: its block is no other's."""
        block = self.arena.block_of(array)
        if block is not None:
            self.arena.stay(block)

    def is_kept(self, array: np.ndarray) -> bool:
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
        name: str,
        steps: list[Launch],
        output: int,
        array: np.ndarray,
        target: np.ndarray,
        inputs: Sequence[np.ndarray | None],
    ) -> list[Launch] | None:
        """The launches with everything in the block of `array` moved to `target`."""
        block = self.arena.block_of(array)
        if block is None or address(array) != block.start or block.users != 1:
            return None
        over = OVER.get(name, {}).get(output)
        is_copied = bool(steps) and steps[0][0] is _again
        for i, item in enumerate(inputs):
            if is_copied or i == over or item is None or not np.may_share_memory(item, target):
                continue
            if name in self._kernels or not _coincide(item, target):
                return None  # elementwise kernels, in no table, may write over a whole input
        return [(function, _moved(given, array, target, block)) for function, given in steps]


def _again(
    kernel: Callable[..., Any],
    arrays: Sequence[Any],
    static: Mapping[str, Any],
    asked: Mapping[str, np.ndarray],
    targets: Sequence[np.ndarray | None],
) -> None:
    """Call a kernel whose launches are not all of it, and copy its results to where they belong."""
    if asked:
        static = {**static, **{key: _number(cell, static[key]) for key, cell in asked.items()}}
    result = kernel(*arrays, **static)
    results = result if isinstance(result, tuple) else (result,)
    for target, made in zip(targets, results, strict=True):
        if target is not None:
            np.copyto(target, made)


def _number(cell: np.ndarray, like: Any) -> Any:
    return tuple(cell.tolist()) if isinstance(like, tuple) else cell.item()


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
