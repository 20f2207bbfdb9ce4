"""Arena: the memory of a plan, given away in blocks that serve again when they are released."""

from __future__ import annotations

import bisect
import math
from typing import Any

import numpy as np

ALIGNMENT = 64  # a cache line, and the widest vector register


class Block:
    """A piece of a chunk that is in use."""

    __slots__ = ("chunk", "dtype", "size", "start", "users")

    def __init__(self, chunk: np.ndarray, start: int, size: int, dtype: np.dtype) -> None:
        self.chunk = chunk
        self.start = start
        self.size = size
        self.dtype = dtype
        self.users = 0

    def array(self) -> np.ndarray:
        """All of it as one flat array."""
        first = self.start - address(self.chunk)
        count = self.size // self.dtype.itemsize
        return np.ndarray((count,), self.dtype, self.chunk, first)


class Arena:
    """Best fit; blocks that lie side by side grow together when both are free."""

    def __init__(self) -> None:
        self.chunks: list[np.ndarray] = []
        self._free: list[tuple[int, int, np.ndarray]] = []  # start, size, chunk; by start
        self._starts: list[int] = []  # of blocks in use, ascending
        self._blocks: dict[int, Block] = {}

    @property
    def size(self) -> int:
        """Bytes taken from the system."""
        return sum(chunk.nbytes for chunk in self.chunks)

    def allocate(self, shape: tuple[int, ...], dtype: Any) -> tuple[Block, np.ndarray]:
        """A block, and the array of that shape in it."""
        dtype = np.dtype(dtype)
        needed = max(math.prod(shape), 1) * dtype.itemsize
        size = -(-needed // ALIGNMENT) * ALIGNMENT
        start, chunk = self._take(size)
        block = self._blocks[start] = Block(chunk, start, size, dtype)
        bisect.insort(self._starts, start)
        return block, np.ndarray(shape, dtype, chunk, start - address(chunk))

    def _take(self, size: int) -> tuple[int, np.ndarray]:
        fits = [(one[1], i) for i, one in enumerate(self._free) if one[1] >= size]
        if fits:
            _, i = min(fits)
            start, available, chunk = self._free.pop(i)
            if available > size:
                self._free.insert(i, (start + size, available - size, chunk))
            return start, chunk
        chunk = np.empty(size + ALIGNMENT, np.uint8)
        self.chunks.append(chunk)
        return -(-address(chunk) // ALIGNMENT) * ALIGNMENT, chunk

    def free(self, block: Block) -> None:
        """Take a block back."""
        del self._blocks[block.start]
        self._starts.remove(block.start)
        start, size = block.start, block.size
        for neighbour in [one for one in self._free if one[2] is block.chunk]:
            if neighbour[0] + neighbour[1] == start:
                start, size = neighbour[0], size + neighbour[1]
                self._free.remove(neighbour)
            elif start + size == neighbour[0]:
                size += neighbour[1]
                self._free.remove(neighbour)
        self._free.append((start, size, block.chunk))
        self._free.sort(key=lambda one: one[0])

    def block_of(self, array: np.ndarray) -> Block | None:
        """The block in use that an array lies in."""
        low, high = bounds(array)
        i = bisect.bisect_right(self._starts, low) - 1
        if i < 0:
            return None
        block = self._blocks[self._starts[i]]
        return block if high <= block.start + block.size else None


def address(array: np.ndarray) -> int:
    """Where the first element lies."""
    return array.__array_interface__["data"][0]


def bounds(array: np.ndarray) -> tuple[int, int]:
    """The first byte of an array and the one behind its last."""
    low = high = address(array)
    for size, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (size - 1) * stride
        else:
            high += (size - 1) * stride
    return low, high + array.itemsize
