"""Capture of compiled launches: what a plan replays without any Python around the kernels.

A kernel of this backend is Python around launches of compiled functions: it works out shapes, makes
views, asks for memory. While a plan is made, every launch is also noted here, function and
arguments. With all arrays at fixed addresses the launches alone are then the whole kernel, provided
that no NumPy works on values between them. That is tried out for each call (`_repeats`): a kernel
that fails is called again as it is, and its results copied.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.arena import ALIGNMENT, Arena, Block, address, bounds

Launch = tuple[Callable[..., Any], tuple[Any, ...]]

# Static numbers that compiled code reads from an array, where one is given: they may change.
LIVE = {
    "sgd_update": "learning_rate",
    "adam_update": "alpha",
    "amsgrad_update": "alpha",
    "rmsprop_update": "learning_rate",
}
# Which input each output of a kernel may be written over.
OVER = {
    "sgd_update": {0: 0, 1: 2},
    "adam_update": {0: 0, 1: 2, 2: 3},
    "amsgrad_update": {0: 0, 1: 2, 2: 3, 3: 4},
    "rmsprop_update": {0: 0, 1: 2, 2: 3, 3: 4},
}


class Capture(threading.local):
    """What this thread records; `launches` is None unless a plan is being made."""

    launches: list[Launch] | None = None
    arena: Arena | None = None
    blocks: list[Block] | None = None  # taken by the running kernel


current = Capture()


class Lowering:
    """Kernel calls to launches, for one plan; see `nkeras.backend.protocol.Lowering`."""

    def __init__(self, kernels: Mapping[str, Callable[..., Any]]) -> None:
        self._kernels = kernels
        self.arena = Arena()
        self._state = threads.state()

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
    ) -> tuple[tuple[np.ndarray | None, ...], list[Launch]]:
        """Call a kernel, and find the launches that repeat it."""
        kernel = self._kernels.get(name, kernel)
        live = LIVE.get(name)
        values = {**static, **{key: cell for key, cell in cells.items() if key == live}}
        result, launches, blocks = self._captured(kernel, arrays, values)
        outputs = result if isinstance(result, tuple) else (result,)
        given = [one for one in (*arrays, *cells.values()) if one is not None]
        asked = {key: cell for key, cell in cells.items() if key != live}
        is_whole = not asked and self._repeats(
            kernel, arrays, values, launches, outputs, given, blocks
        )
        if not is_whole:
            outputs, targets = self._placed(outputs, given)
            again = (kernel, tuple(arrays), values, asked, targets)
            launches = [(_again, again)] if any(one is not None for one in targets) else []
        launches = [(_entry_point(function, given), given) for function, given in launches]
        for output in outputs:
            block = None if output is None else self.arena.block_of(output)
            if block is not None:
                block.users += 1
        for block in blocks:
            if block.users == 0:
                self.arena.free(block)
        return outputs, launches

    def _captured(
        self, kernel: Callable[..., Any], arrays: Sequence[Any], static: Mapping[str, Any]
    ) -> tuple[Any, list[Launch], list[Block]]:
        current.launches, current.arena, current.blocks = [], self.arena, []
        try:
            result = kernel(*arrays, **static)
            return result, current.launches, current.blocks
        finally:
            current.launches = current.arena = current.blocks = None

    def _repeats(
        self,
        kernel: Callable[..., Any],
        arrays: Sequence[np.ndarray | None],
        static: Mapping[str, Any],
        launches: list[Launch],
        outputs: Sequence[np.ndarray | None],
        given: Sequence[np.ndarray],
        blocks: list[Block],
    ) -> bool:
        """Whether the launches alone are all of a kernel.

        They must be the same for other values of the inputs, work on inputs, buffers and constants
        only, and on poisoned buffers give the same outputs again.
        """
        if not launches:
            return all(one is None or _is_view(one, given) for one in outputs)
        made = [one for one in outputs if one is not None and not _is_view(one, given)]
        if not all(map(_Inside([], blocks), made)):
            return False  # NumPy made it
        constants = _Constants(launches, _Inside(given, blocks))
        others = [None if one is None else _altered(one) for one in arrays]
        _, again, taken = self._captured(kernel, others, static)
        for block in taken:
            self.arena.free(block)
        inside = _Inside([*given, *(one for one in others if one is not None)], [*blocks, *taken])
        if not _same(launches, again, inside) or constants.have_changed():
            return False
        before = [one.tobytes() for one in made]
        for poison in (0, 1):
            for block in blocks:
                _poison(block, poison, made)
            for function, arguments in launches:
                function(*arguments)
            if [one.tobytes() for one in made] != before:
                return False
        return True

    def _placed(
        self, outputs: Sequence[np.ndarray | None], given: Sequence[np.ndarray]
    ) -> tuple[tuple[np.ndarray | None, ...], tuple[np.ndarray | None, ...]]:
        """Outputs at fixed addresses, and those of them that a repeated call is copied to."""
        placed, targets = [], []
        for output in outputs:
            if output is None or _is_view(output, given):
                placed.append(output)
                targets.append(None)
                continue
            _, array = self.arena.allocate(output.shape, output.dtype)
            np.copyto(array, output)
            placed.append(array)
            targets.append(array)
        return tuple(placed), tuple(targets)

    def release(self, array: np.ndarray) -> None:
        """Take the memory of an output back, when no other output lies in it."""
        block = None if array is None else self.arena.block_of(array)
        if block is not None:
            block.users -= 1
            if block.users == 0:
                self.arena.free(block)

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
        for i, one in enumerate(inputs):
            if is_copied or i == over or one is None or not np.may_share_memory(one, target):
                continue
            if name in self._kernels or not _coincide(one, target):
                return None  # elementwise kernels, in no table, may write over a whole input
        return [
            (function, _moved(arguments, array, target, block)) for function, arguments in steps
        ]


def _entry_point(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Callable[..., Any]:
    """The compiled code for these arguments, without Numba's look at their types."""
    compiled = getattr(function, "overloads", {})
    if compiled:
        types = tuple(function.typeof_pyval(one) for one in arguments)  # type: ignore[attr-defined]
        found = compiled.get(types)
        if found is not None:
            return found.entry_point
    return function


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
    for target, one in zip(
        targets, result if isinstance(result, tuple) else (result,), strict=True
    ):
        if target is not None:
            np.copyto(target, one)


def _number(cell: np.ndarray, like: Any) -> Any:
    return tuple(cell.tolist()) if isinstance(like, tuple) else cell.item()


def _coincide(one: np.ndarray, other: np.ndarray) -> bool:
    return (
        address(one) == address(other)
        and one.shape == other.shape
        and (one.strides == other.strides and one.dtype == other.dtype)
    )


def _is_view(output: np.ndarray, given: Sequence[np.ndarray]) -> bool:
    low, high = bounds(output)
    return output.size == 0 or any(
        first <= low and high <= last for first, last in map(bounds, given)
    )


class _Inside:
    """Whether an array lies in one of several, or in a block."""

    def __init__(self, arrays: Sequence[np.ndarray], blocks: Sequence[Block]) -> None:
        self._ranges = [*map(bounds, arrays), *((b.start, b.start + b.size) for b in blocks)]

    def __call__(self, array: np.ndarray) -> bool:
        low, high = bounds(array)
        return array.size == 0 or any(a <= low and high <= b for a, b in self._ranges)


def _same(one: Any, other: Any, inside: _Inside) -> bool:
    """Whether arguments are the same: numbers, constants, and arrays of inputs or buffers."""
    if isinstance(one, np.ndarray):
        if not isinstance(other, np.ndarray) or one.shape != other.shape:
            return False
        if inside(one) and inside(other):
            return True
        return address(one) == address(other)  # kept from call to call
    if isinstance(one, (tuple, list)):
        return (
            type(one) is type(other)
            and len(one) == len(other)
            and all(_same(a, b, inside) for a, b in zip(one, other, strict=True))
        )
    return bool(one is other or one == other or (one != one and other != other))


class _Constants:
    """Arrays that are neither inputs nor buffers, with what they held."""

    def __init__(self, launches: list[Launch], inside: _Inside) -> None:
        self._found = [(one, one.tobytes()) for one in _arrays_in(launches) if not inside(one)]

    def have_changed(self) -> bool:
        return any(one.tobytes() != before for one, before in self._found)


def _arrays_in(structure: Any) -> Iterator[np.ndarray]:
    for one in structure:
        if isinstance(one, np.ndarray):
            yield one
        elif isinstance(one, (tuple, list)):
            yield from _arrays_in(one)


def _altered(array: np.ndarray) -> np.ndarray:
    """An array that lies in memory as `array`, with other numbers where they are floats."""
    low, high = bounds(array)
    if array.size == 0:
        return array
    memory = np.empty(high - low + 2 * ALIGNMENT, np.uint8)
    first = -address(memory) % ALIGNMENT + low % ALIGNMENT
    source = (ctypes.c_char * (high - low)).from_address(low)
    memory[first : first + high - low] = np.frombuffer(source, np.uint8)
    place = first + address(array) - low
    copy = np.ndarray(array.shape, array.dtype, memory, place, array.strides)
    if array.dtype.kind not in "biu":
        copy[...] = np.asarray(copy, np.float64) * 0.5 + 0.25
    copy.flags.writeable = array.flags.writeable
    return copy


def _poison(block: Block, poison: int, made: Sequence[np.ndarray]) -> None:
    """NaN where there are floats; integers may be indices, so only small ones."""
    array = block.array()
    if array.dtype.kind in "biu":
        is_output = any(block.start <= address(one) < block.start + block.size for one in made)
        array[...] = poison if is_output else 0
    else:
        array[...] = np.nan


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
        return type(structure)(_moved(one, array, target, block) for one in structure)
    return structure
