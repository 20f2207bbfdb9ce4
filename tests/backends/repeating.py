"""Whether the launches of a kernel's call are all of it, as the contract of kernels demands.

They are not where NumPy works on values between them. So the kernel is called again with other
values, which must lead to the same launches; and the launches are repeated on poisoned buffers,
which must give the same outputs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nkeras_numba_cpu.memory.arena import ALIGNMENT, Arena, Block, address, aligned, bounds
from nkeras_numba_cpu.memory.capture import Launch, captured


def repeats(
    kernel: Callable[..., Any], arrays: Sequence[np.ndarray | None], static: Mapping[str, Any]
) -> bool:
    """Whether the launches alone, which work in blocks of an arena, compute a kernel's outputs."""
    call = captured(Arena(), kernel, arrays, static, [False] * len(arrays))
    launches, blocks = call.launches, call.blocks
    outputs = call.result if isinstance(call.result, tuple) else (call.result,)
    for function, arguments in launches:
        function(*arguments)
    given = [array for array in (*arrays, *static.values()) if isinstance(array, np.ndarray)]
    made = [output for output in outputs if output is not None and not is_view(output, given)]
    if not launches:
        return not made
    if not all(map(_Inside([], blocks), made)):
        return False  # NumPy made it
    constants = _Constants(launches, _Inside(given, blocks))
    if not _are_the_same(kernel, arrays, static, launches, _Inside(given, blocks)):
        return False
    return not constants.have_changed() and _give_the_same(launches, made, blocks)


def is_view(output: np.ndarray, given: Sequence[np.ndarray]) -> bool:
    """Whether an output lies in an input, where nothing has to be done again."""
    return output.size == 0 or _Inside(given, [])(output)


class _Inside:
    """Whether an array lies in one of several, or in a block."""

    def __init__(self, arrays: Sequence[np.ndarray], blocks: Sequence[Block]) -> None:
        self._ranges = [*map(bounds, arrays), *((b.start, b.start + b.size) for b in blocks)]

    def __call__(self, array: np.ndarray) -> bool:
        low, high = bounds(array)
        return array.size == 0 or any(a <= low and high <= b for a, b in self._ranges)


class _Constants:
    """Arrays that are neither inputs nor buffers, with what they held."""

    def __init__(self, launches: list[Launch], inside: _Inside) -> None:
        self._found = [
            (array, _digest(array)) for array in _arrays_in(launches) if not inside(array)
        ]

    def have_changed(self) -> bool:
        return any(_digest(array) != before for array, before in self._found)


def _are_the_same(
    kernel: Callable[..., Any],
    arrays: Sequence[np.ndarray | None],
    static: Mapping[str, Any],
    launches: list[Launch],
    inside: _Inside,
) -> bool:
    """Whether other values of the inputs lead to the same launches."""
    others = [None if array is None else _altered(array) for array in arrays]
    again = captured(Arena(), kernel, others, static, [False] * len(others))
    given = [other for other in (*others, *static.values()) if isinstance(other, np.ndarray)]
    return _same(launches, again.launches, inside, _Inside(given, again.blocks))


def _same(launch: Any, other: Any, inside: _Inside, again: _Inside) -> bool:
    if isinstance(launch, np.ndarray):
        if not isinstance(other, np.ndarray) or launch.shape != other.shape:
            return False
        if inside(launch) and again(other):
            return True  # constants are kept, or made anew
        return address(launch) == address(other) or _digest(launch) == _digest(other)
    if isinstance(launch, (tuple, list)):
        return (
            type(launch) is type(other)
            and len(launch) == len(other)
            and all(_same(a, b, inside, again) for a, b in zip(launch, other, strict=True))
        )
    return bool(launch is other or launch == other or (launch != launch and other != other))


def _give_the_same(launches: list[Launch], made: list[np.ndarray], blocks: list[Block]) -> bool:
    """Whether the launches alone write the outputs."""
    before = [_digest(array) for array in made]
    # Integers may happen to be 0, or 1; floats are not NaN everywhere.
    for poison in (0, 1) if any(array.dtype.kind in "biu" for array in made) else (0,):
        for block in blocks:
            _poison(block, poison, made)
        for function, arguments in launches:
            function(*arguments)
        if [_digest(array) for array in made] != before:
            return False
    return True


def _poison(block: Block, poison: int, made: Sequence[np.ndarray]) -> None:
    """NaN where there are floats; integers may be indices, so only small ones."""
    array = block.array()
    if array.dtype.kind in "biu":
        is_output = any(block.start <= address(array) < block.start + block.size for array in made)
        array[...] = poison if is_output else 0
    else:
        array[...] = np.nan


def _altered(array: np.ndarray) -> np.ndarray:
    """An array that lies in memory as `array`, with other numbers where they are floats."""
    low, high = bounds(array)
    if array.size == 0:
        return array
    memory = aligned(high - low + ALIGNMENT)
    first = low % ALIGNMENT
    source = (ctypes.c_uint8 * (high - low)).from_address(low)
    memory[first : first + high - low] = np.ctypeslib.as_array(source)
    place = first + address(array) - low
    copy = np.ndarray(array.shape, array.dtype, memory, place, array.strides)
    if array.dtype.kind not in "biu":
        half, quarter = array.dtype.type(0.5), array.dtype.type(0.25)
        copy[...] = copy * half + quarter
    copy.flags.writeable = array.flags.writeable
    return copy


def _digest(array: np.ndarray) -> tuple[int, int, bytes]:
    """Tells arrays apart."""
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    whole = content.size // 8 * 8
    words = content[:whole].view(np.uint64)
    return int(words.sum()), int(np.bitwise_xor.reduce(words)), content[whole:].tobytes()


def _arrays_in(structure: Any) -> Iterator[np.ndarray]:
    for part in structure:
        if isinstance(part, np.ndarray):
            yield part
        elif isinstance(part, (tuple, list)):
            yield from _arrays_in(part)
