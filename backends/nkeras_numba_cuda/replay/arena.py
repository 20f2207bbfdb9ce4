"""Arena: the device memory of a plan, in blocks that lie where others lay that are used no more.

In the rehearsal blocks have addresses that nobody has, for nothing is computed; the arena notes how
large each one is and from when to when it is used. The second time they come in the same order, and
lie in one buffer; those that keep what they hold have memory of their own.
"""

from __future__ import annotations

import bisect
import math
from typing import Any

import numpy as np

from nkeras.backend.protocol import Span
from nkeras_numba_cuda import memory
from nkeras_numba_cuda.out_of_memory import explained
from nkeras_numba_cuda.recording import suspended
from nkeras_numba_cuda.replay.places import Place, place
from nkeras_numba_cuda.replay.strides import bounds

ALIGNMENT = 256
"""Bytes: blocks begin where arrays of CuPy's may, so that kernels make the same choices."""
NOWHERE = 1 << 60
"""The first address in a rehearsal."""


class Block:
    """A piece of memory that is in use.

    Attributes:
        outputs: what kernels gave that lies here, and is still used.
    """

    __slots__ = ("index", "outputs", "size", "start", "users")

    def __init__(self, index: int, start: int, size: int) -> None:
        self.index = index
        self.start = start
        self.size = size
        self.users = 0
        self.outputs: list[Place] = []


class Arena:
    """Memory for blocks.

    Args:
        offsets: where they lie, by the order in which they come, None for those that stay; or None
            for the rehearsal.
        buffer: what they lie in.
        unused: the blocks that need no memory.
    """

    def __init__(
        self,
        offsets: list[int | None] | None = None,
        buffer: Any = None,
        unused: frozenset[int] = frozenset(),
    ) -> None:
        self.unused = unused
        self._offsets = offsets
        self._buffer = buffer
        self._next = NOWHERE
        self._spans: list[Span] = []
        self._staying: set[int] = set()
        self._events = 0
        self._starts: list[int] = []  # of blocks in use, ascending
        self._blocks: dict[int, Block] = {}

    def allocate(self, shape: tuple[int, ...], dtype: Any) -> tuple[Block, Place]:
        """A block, and the place of that shape in it."""
        dtype = np.dtype(dtype)
        needed = max(math.prod(shape), 1) * dtype.itemsize
        size = -(-needed // ALIGNMENT) * ALIGNMENT
        index, owner = len(self._spans), self._buffer
        if self._offsets is None or index in self.unused:
            start, owner = self._next, None
            self._next += size + ALIGNMENT
        elif (offset := self._offsets[index]) is not None:
            start = owner.data.ptr + offset
        else:
            owner = buffer(size)
            start = owner.data.ptr
        block = Block(index, start, size)
        bisect.insort(self._starts, start)
        self._blocks[start] = block
        self._events += 1
        self._spans.append(Span(size, self._events, -1, False))
        return block, place(start, shape, dtype, owner)

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

    def forget(self, block: Block) -> None:
        """A block needs no memory: all that should lie there goes elsewhere."""
        self.unused |= {block.index}
        self._spans[block.index] = self._spans[block.index]._replace(size=0)

    def block_of(self, array: Any) -> Block | None:
        """The block in use that an array or place lies in."""
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


def _buffer(size: int) -> Any:
    with suspended():
        found = memory.empty((size + ALIGNMENT,), "uint8")
        first = -found.data.ptr % ALIGNMENT
        return found[first : first + size]


buffer = explained(_buffer, "a plan")
"""So many bytes of the device."""
