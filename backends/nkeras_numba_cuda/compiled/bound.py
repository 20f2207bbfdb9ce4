"""Kernels bound to a device: their arguments are packed as bytes and handed to the driver.

Numba's way to launch looks at the type of each argument, makes several objects for it and costs 15
to 20 microseconds of Python for a kernel with eight arrays. Here types are a key of a dictionary,
and all arguments are one call of `struct`.

Numba's kernels see an array as seven numbers and more: two of Numba's own memory, which are 0 for
memory of others, the number of elements, bytes of an element, the address, sizes and strides.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any

from nkeras_numba_cuda.compiled.driver import Driver, check

_SCALARS = {
    "boolean": "?",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
_OF_ARRAY = "QQqqQ"
_BUFFER, _SIZE, _END = 1, 2, 0  # CU_LAUNCH_PARAM_BUFFER_POINTER, _BUFFER_SIZE, _END


def layout_of(signature: str) -> str:
    """How the arguments of a kernel lie in memory, as `struct` writes it.

    Args:
        signature: `void(...)` with the types as Numba writes them.

    Example:
        >>> layout_of("void(float32[::1], int64[:, ::1], float32)")
        'QQqqQqqQQqqQqqqqf'
    """
    return "".join(map(_letters, types_of(signature)))


def types_of(signature: str) -> list[str]:
    """The types of the arguments."""
    parts, depth = [""], 0
    for letter in signature[signature.index("(") + 1 : signature.rindex(")")]:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _letters(kind: str) -> str:
    name, bracket, rest = kind.partition("[")
    if not bracket:
        return _SCALARS[name]
    return _OF_ARRAY + "qq" * (rest.count(",") + 1)


def of_shaped(pointer: int, shape: tuple[int, ...], bytes_: int) -> tuple[int, ...]:
    """What a kernel gets of a contiguous array with its shape."""
    strides, step = [], bytes_
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return 0, 0, step // bytes_, bytes_, pointer, *shape, *reversed(strides)


class Bound:
    """A kernel for one signature, loaded on a device.

    Args:
        driver: what launches.
        handle: the driver's, of the function.
        signature: the types as Numba writes them.
    """

    def __init__(self, driver: Driver, handle: int, signature: str) -> None:
        self._launch = driver.launch
        self._handle = handle
        self._layout = struct.Struct(layout_of(signature))
        self._spare: list[_Room] = []

    def __call__(
        self, grid: tuple[int, ...], threads: int, shared: int, stream: int, values: list[Any]
    ) -> None:
        """Queue it.

        Args:
            grid: how many blocks, in up to three dimensions.
            threads: of a block.
            shared: bytes of shared memory that a block gets.
            stream: the driver's handle.
            values: the arguments in a row, arrays as `of_shaped` gives them.
        """
        try:  # another thread may be launching from the room that was used last
            room = self._spare.pop()
        except IndexError:
            room = _Room(self._layout.size)
        self._layout.pack_into(room.buffer, 0, *values)
        x, y, z = (*grid, 1, 1)[:3]
        status = self._launch(
            self._handle, x, y, z, threads, 1, 1, shared, stream, None, room.extra
        )
        self._spare.append(room)
        if status:
            check(status)

    def prepared(
        self, grid: tuple[int, ...], threads: int, shared: int, stream: int, values: list[Any]
    ) -> Prepared:
        """A launch with these arguments that can be queued again and again."""
        room = _Room(self._layout.size)
        self._layout.pack_into(room.buffer, 0, *values)
        x, y, z = (*grid, 1, 1)[:3]
        sizes = x, y, z, threads, 1, 1, shared
        return Prepared(self._launch, room, (self._handle, *sizes, stream, None, room.extra))


class _Room:
    """Memory for arguments, and what tells the driver about it."""

    def __init__(self, size: int) -> None:
        self.buffer = ctypes.create_string_buffer(max(1, size))
        self._size = ctypes.c_size_t(size)
        of_buffer, of_size = ctypes.addressof(self.buffer), ctypes.addressof(self._size)
        self.extra = (ctypes.c_void_p * 5)(_BUFFER, of_buffer, _SIZE, of_size, _END)


class Prepared:
    """A launch whose arguments are packed: nothing is left to do but to call the driver.

    Args:
        launch: the driver's function.
        room: where the arguments lie.
        given: what the driver gets.
    """

    def __init__(self, launch: Any, room: _Room, given: tuple[Any, ...]) -> None:
        self._launch, self._room, self._given = launch, room, given

    def __call__(self) -> None:
        """Queue it on the stream that it was made for."""
        status = self._launch(*self._given)
        if status:
            check(status)
