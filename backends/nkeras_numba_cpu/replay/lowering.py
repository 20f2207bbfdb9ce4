"""Lowering: what a plan replays without any Python around the kernels.

A kernel of this backend is Python around launches of compiled functions: it works out shapes, makes
views, asks for memory, and never touches values. While a plan is made, every launch is also noted,
function and arguments. With all arrays at fixed addresses the launches alone are the whole kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.compile import ahead
from nkeras_numba_cpu.memory import buffers
from nkeras_numba_cpu.memory.arena import ALIGNMENT, Arena, Block, address, aligned
from nkeras_numba_cpu.memory.capture import Launch, captured

# Static numbers that compiled code reads from an array, where one is given: they may change.
LIVE = {
    "sgd_update": "learning_rate",
    "adam_update": "alpha",
    "amsgrad_update": "alpha",
    "rmsprop_update": "learning_rate",
    "adagrad_update": "learning_rate",
    "adadelta_update": "learning_rate",
    "lion_update": "learning_rate",
    "adamax_update": "alpha",
    "nadam_update": "factors",
    "ftrl_update": "learning_rate",
    "lamb_update": "factors",
    "random_bits": "key",
    "dropout": "key",
}
# Which input each output of a kernel may be written over.
OVER = {
    "sgd_update": {0: 0, 1: 2},
    "adam_update": {0: 0, 1: 2, 2: 3},
    "amsgrad_update": {0: 0, 1: 2, 2: 3, 3: 4},
    "rmsprop_update": {0: 0, 1: 2, 2: 3, 3: 4},
    "adagrad_update": {0: 0, 1: 2},
    "adadelta_update": {0: 0, 1: 2, 2: 3},
    "lion_update": {0: 0, 1: 2},
    "adamax_update": {0: 0, 1: 2, 2: 3},
    "nadam_update": {0: 0, 1: 2, 2: 3},
    "ftrl_update": {0: 0, 1: 2, 2: 3},
    "lamb_update": {1: 1, 2: 2},
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
        ahead.settle()
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
        ahead.settle()
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
        call = captured(self.arena, kernel, arrays, values, fixed)
        launches, early, kept = call.launches, call.early, call.kept
        outputs = call.result if isinstance(call.result, tuple) else (call.result,)
        if asked:
            targets = [None if output is None else self._copy(output) for output in outputs]
            launches = [(_again, (kernel, tuple(arrays), values, asked, targets))]
            outputs, early, kept = tuple(targets), set(), []
        elif all(fixed) and not cells:
            early = set(range(len(launches)))
            kept = [*call.blocks, *(block for block in map(self._block_of, outputs) if block)]
        for block in kept:
            self.arena.stay(block)
        for output in outputs:
            block = self._block_of(output)
            if block is not None:
                block.users += 1
        for block in call.blocks:
            if block.users == 0:
                self.arena.free(block)
        first = [launch for i, launch in enumerate(launches) if i in early]
        return outputs, first, [launch for i, launch in enumerate(launches) if i not in early]

    def _block_of(self, output: np.ndarray | None) -> Block | None:
        return None if output is None else self.arena.block_of(output)

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
    """Call a kernel that does not read its live numbers from arrays, and copy its results."""
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
