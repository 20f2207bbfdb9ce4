"""Arrays that kernels get: which of their bytes were written, and where they lie.

y = empty((3, 4), "float32")        # reading it before it was written is a fault
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.memory import EMPTY, GLOBAL_BASE, GUARD, WRITTEN, Piece, Space
from tests.ptx.syntax import Variable

Array = npt.NDArray[Any]

_written: dict[int, npt.NDArray[np.bool_]] = {}
"""For arrays made by `empty`: which bytes were written, by the address of the first."""


def garbage(dtype: Any) -> Any:
    """What is in elements that nobody wrote: NaN in floats, no number that anybody would use."""
    dtype = np.dtype(dtype)
    bits = np.full(dtype.itemsize, 0xF5, np.uint8)
    if dtype.itemsize > 1:
        bits[-1] = 0xFF
    return bits.view(dtype)[0] if dtype.kind != "c" else bits.view(dtype.char.lower())[0]


def empty(shape: int | Sequence[int], dtype: Any) -> Array:
    """An array that nobody has written; what is in it must not be read."""
    array = np.empty(shape, dtype)
    note_empty(array)
    return array


def note_empty(array: Array) -> None:
    """From now on nobody has written this array, which owns its memory.

    It is filled with garbage, by which `place` sees what others than kernels write into it.
    """
    with np.errstate(all="ignore"):
        array.fill(garbage(array.dtype))
    key = array.ctypes.data
    _written[key] = np.zeros(array.nbytes, bool)
    weakref.finalize(array, _written.pop, key, None)


def _look(array: Array) -> None:
    """Elements that are not garbage any more were written by others."""
    owner = owner_of(array)
    known = _written.get(owner.ctypes.data)
    if known is not None and owner.size:
        flat = owner.reshape(-1)
        now = flat.view(np.uint8).reshape(flat.size, -1)
        bits = np.frombuffer(np.asarray(garbage(flat.dtype)).tobytes(), np.uint8)
        if flat.dtype.kind == "c":
            bits = np.tile(bits, 2)
        changed = (now != bits).any(axis=1)
        if flat.itemsize == 1:  # a byte may be garbage by chance: copies of bytes write all of them
            changed[:] = changed.any()
        known |= np.repeat(changed, flat.itemsize)


def note_written(array: Array) -> None:
    """Somebody else than a kernel has written this array."""
    owner = owner_of(array)
    known = _written.get(owner.ctypes.data)
    if known is not None:
        begin, end = _range(array)
        known[begin - owner.ctypes.data : end - owner.ctypes.data] = True


def owner_of(array: Array) -> Array:
    """The array whose memory it is."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _range(array: Array) -> tuple[int, int]:
    """First byte, and the one behind the last."""
    begin = array.ctypes.data
    return begin, begin + array.nbytes


@dataclass
class Placed:
    """Arrays in global memory.

    Args:
        space: the memory.
        addresses: where each array begins.
    """

    space: Space
    addresses: list[int]
    arrays: list[Array]

    def back(self) -> None:
        """What kernels wrote goes into the arrays."""
        space = self.space
        for array, address in zip(self.arrays, self.addresses, strict=True):
            begin = address - GLOBAL_BASE
            cells = slice(begin >> space.shift, begin + array.nbytes >> space.shift)
            written = np.repeat(space.states[cells] == WRITTEN, space.granule)
            bytes_here = _bytes(array)
            if array.flags.writeable:
                new = space.data[begin : begin + array.nbytes]
                np.copyto(bytes_here, new, where=written)
            owner = owner_of(array)
            known = _written.get(owner.ctypes.data)
            if known is not None:
                first = array.ctypes.data - owner.ctypes.data
                known[first : first + array.nbytes] |= written


def _bytes(array: Array) -> Array:
    if not array.flags.c_contiguous:
        raise ValueError(f"A kernel gets contiguous arrays, not strides {array.strides}.")
    return array.reshape(-1).view(np.uint8)


def place(
    arrays: Sequence[Array], names: Sequence[str], variables: Sequence[Variable], granule: int
) -> tuple[Placed, dict[str, int]]:
    """Put arrays, and variables of the module, into global memory.

    Memory that arrays share is there once, and stays where it is in the array that owns it: an
    array is aligned as much as its owner would be by CUDA, and a view less.

    Args:
        arrays: contiguous arrays.
        names: what messages call them.
        variables: global and constant variables of the kernel's module.
        granule: the size of a cell.

    Returns:
        The arrays where they are, and the addresses of variables.
    """
    owners: dict[int, int] = {}
    end = GUARD
    addresses: list[int] = []
    for array in arrays:
        owner = owner_of(array)
        key = owner.ctypes.data
        if key not in owners:
            owners[key] = end
            extent = max(_bounds(owner)[1] - key, array.ctypes.data + array.nbytes - key, 1)
            end = -(-(end + extent + GUARD) // GUARD) * GUARD
        addresses.append(GLOBAL_BASE + owners[key] + array.ctypes.data - key)
    symbols: dict[str, int] = {}
    for one in variables:
        end = -(-end // max(one.align, 1)) * max(one.align, 1)
        symbols[one.name] = GLOBAL_BASE + end
        end += one.size + GUARD
    space = Space("global", end + GUARD, granule)
    for array, name, address in zip(arrays, names, addresses, strict=True):
        _look(array)
        _fill(space, array, name, address - GLOBAL_BASE)
    for one in variables:
        _fill_variable(space, one, symbols[one.name] - GLOBAL_BASE)
    return Placed(space, addresses, list(arrays)), symbols


def _bounds(array: Array) -> tuple[int, int]:
    low = array.ctypes.data
    if not array.size:
        return low, low
    return low, low + sum(
        (size - 1) * abs(step) for size, step in zip(array.shape, array.strides, strict=True)
    ) + array.itemsize


def _fill(space: Space, array: Array, name: str, begin: int) -> None:
    size = array.nbytes
    space.data[begin : begin + size] = _bytes(array)
    cells = slice(begin >> space.shift, begin + size >> space.shift)
    owner = owner_of(array)
    known = _written.get(owner.ctypes.data)
    if known is None:
        space.states[cells] = WRITTEN
    else:
        first = array.ctypes.data - owner.ctypes.data
        whole = known[first : first + size].reshape(-1, space.granule).all(axis=1)
        space.states[cells] = np.where(whole, WRITTEN, EMPTY)
    space.pieces.append(Piece(name, begin, size, array.itemsize))


def _fill_variable(space: Space, one: Variable, begin: int) -> None:
    from tests.ptx.kinds import DTYPES

    if one.size == 0:
        return
    dtype = DTYPES[one.type]
    data = np.zeros(one.size // dtype.itemsize, dtype)
    if one.values:
        bits = [int(value) & (256**dtype.itemsize - 1) for value in one.values]
        unsigned = np.array(bits, f"u{dtype.itemsize}")
        data[: len(bits)] = unsigned.view(dtype) if dtype.kind != "f" else one.values
    space.data[begin : begin + one.size] = data.view(np.uint8)
    space.mark(begin, one.size, WRITTEN)
    space.pieces.append(Piece(f"variable {one.name[:40]}", begin, one.size, dtype.itemsize))
