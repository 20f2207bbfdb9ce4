"""Arena: the memory of a plan, in blocks that lie where others lay that are not used any more.

A plan is made twice. In the rehearsal each block has memory of its own, and the arena notes how
large each one is and from when to when it is used. From that follows where each lies; the second
time they come in the same order.
"""

from __future__ import annotations

import bisect
import math
from typing import Any

import numpy as np

from nkeras.backend.packed import PackedText
from nkeras.backend.protocol import Span

ALIGNMENT = 64  # a cache line, and the widest vector register


class Block:
    """A piece of memory that is in use."""

    __slots__ = ("dtype", "index", "memory", "offset", "size", "start", "users")

    def __init__(
        self, memory: np.ndarray, offset: int, size: int, dtype: np.dtype, index: int
    ) -> None:
        self.memory = memory
        self.offset = offset
        self.size = size
        self.dtype = dtype
        self.index = index
        self.start = address(memory) + offset
        self.users = 0

    def array(self) -> np.ndarray:
        """All of it as one flat array."""
        count = self.size // self.dtype.itemsize
        return np.ndarray((count,), self.dtype, self.memory, self.offset)


class Arena:
    """Memory for blocks.

    Args:
        offsets: where they lie, by the order in which they come, None for those that stay; or None
            for the rehearsal.
        memory: what they lie in.
    """

    def __init__(
        self, offsets: list[int | None] | None = None, memory: np.ndarray | None = None
    ) -> None:
        self._offsets = offsets
        self._memory = memory
        self._staying: set[int] = set()
        self._spans: list[Span] = []
        self._events = 0
        self._starts: list[int] = []  # of blocks in use, ascending
        self._blocks: dict[int, Block] = {}

    def allocate(self, shape: tuple[int, ...], dtype: Any) -> tuple[Block, np.ndarray]:
        """A block, and the array of that shape in it."""
        dtype = np.dtype(dtype)
        needed = max(math.prod(shape), 1) * dtype.itemsize
        size = -(-needed // ALIGNMENT) * ALIGNMENT
        index = len(self._spans)
        offset = None if self._offsets is None else self._offsets[index]
        if offset is None or self._memory is None:
            memory, offset = aligned(size), 0
        else:
            memory = self._memory
        block = Block(memory, offset, size, dtype, index)
        self._blocks[block.start] = block
        bisect.insort(self._starts, block.start)
        self._events += 1
        self._spans.append(Span(size, self._events, -1, False))
        return block, np.ndarray(shape, dtype, memory, offset)

    def free(self, block: Block) -> None:
        """Take a block back."""
        del self._blocks[block.start]
        self._starts.remove(block.start)
        self._events += 1
        self._spans[block.index] = self._spans[block.index]._replace(last=self._events)

    def stay(self, block: Block) -> None:
        """A block keeps what it holds from replay to replay: it has memory of its own."""
        self._staying.add(block.index)
        block.users += 1

    def is_staying(self, block: Block) -> bool:
        """Whether a block has memory of its own."""
        return block.index in self._staying

    def block_of(self, array: np.ndarray) -> Block | None:
        """The block in use that an array lies in."""
        low, high = bounds(array)
        i = bisect.bisect_right(self._starts, low) - 1
        if i < 0:
            return None
        block = self._blocks[self._starts[i]]
        return block if high <= block.start + block.size else None

    def spans(self) -> list[Span]:
        """What blocks there have been; those in use are used to the end."""
        end = self._events + 1
        return [
            span._replace(last=span.last if span.last >= 0 else end, stays=i in self._staying)
            for i, span in enumerate(self._spans)
        ]


def aligned(size: int) -> np.ndarray:
    """Bytes that begin at a cache line."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    first = -address(memory) % ALIGNMENT
    return memory[first : first + size]


def address(array: np.ndarray | PackedText) -> int:
    """Where the first element lies; text is in no memory of plans."""
    if isinstance(array, PackedText):
        return 0
    return array.__array_interface__["data"][0]


def bounds(array: np.ndarray | PackedText) -> tuple[int, int]:
    """The first byte of an array and the one behind its last."""
    low = high = address(array)
    if isinstance(array, PackedText):
        return low, high
    for size, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (size - 1) * stride
        else:
            high += (size - 1) * stride
    return low, high + array.itemsize
