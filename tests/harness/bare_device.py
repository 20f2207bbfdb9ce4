"""A stand-in for CuPy and CUDA's driver that costs next to nothing: launches end in the driver.

Arrays are NumPy's with an address, nothing refuses anything. So what remains is the Python of a
launch, and what it hands to the driver can be looked at.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from nkeras_numba_cuda import launch as launching
from nkeras_numba_cuda import memory, plugin
from nkeras_numba_cuda.compiled import driver as drivers
from nkeras_numba_cuda.compiled.bound import layout_of
from nkeras_numba_cuda.kernels import products

Call = tuple[tuple[int, int, int], int, int, int, bytes]
"""Grid, threads, shared bytes, stream and packed arguments."""


class Memory:
    """Where an array lies."""

    __slots__ = ("ptr",)

    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


class Bare(np.ndarray):
    """An array that says where it lies as CuPy's do."""

    @property
    def data(self) -> Any:
        kept = self.__dict__.get("_memory")
        if kept is None:
            kept = self._memory = Memory(self.__array_interface__["data"][0])
        return kept


def bare(array: Any) -> Bare:
    """The array as one of these."""
    return np.ascontiguousarray(array).view(Bare)


class Device:
    """The current device."""

    number = 0

    def __init__(self, number: int | None = None) -> None:
        self.id = Device.number if number is None else number

    def use(self) -> None:
        Device.number = self.id

    def synchronize(self) -> None:
        """Nothing is ever under way."""


STREAM = SimpleNamespace(ptr=0)
MODULE = SimpleNamespace(
    __name__="bare",
    ndarray=Bare,
    empty=lambda shape, dtype: np.empty(shape, dtype).view(Bare),
    asarray=bare,
    asnumpy=np.asarray,
    ascontiguousarray=bare,
    broadcast_to=lambda x, shape: np.broadcast_to(x, shape).view(Bare),
    cuda=SimpleNamespace(Device=Device, get_current_stream=lambda: STREAM),
)


class StandIn:
    """Takes the place of `Driver`.

    Args:
        seen: gets each launch, with the kernel's signature; None for a function that does nothing.
    """

    def __init__(self, seen: Callable[[str, Call], int] | None) -> None:
        self.texts: list[str] = []
        self.signatures: list[str] = []
        self._seen = seen
        if seen is None:
            self._nothing = _nothing()
            self.launch = drivers.LAUNCH(self._nothing.address)
        else:
            self.launch = drivers.LAUNCH(self._launched)

    def capability(self) -> tuple[int, int]:
        return 9, 0

    def enter(self, device: int) -> None:
        """Each thread is where it should be."""

    def load(self, text: str, shared: int) -> int:
        self.texts.append(text)
        return len(self.texts)

    def _launched(self, handle: int, x: int, y: int, z: int, threads: int, *rest: Any) -> int:
        _, _, shared, stream, _, extra = rest
        pointers = (ctypes.c_void_p * 5).from_address(extra)
        size = ctypes.c_size_t.from_address(pointers[3]).value
        packed = ctypes.string_at(pointers[1], size)
        signature = self.signatures[handle - 1]
        assert self._seen is not None
        return self._seen(signature, ((x, y, z), threads, shared, stream or 0, packed))


def unpacked(signature: str, packed: bytes) -> tuple[Any, ...]:
    """The arguments in a row."""
    return struct.unpack(layout_of(signature), packed)


def _nothing() -> Any:
    """A function of the driver's type that does nothing, in machine code."""
    from numba import cfunc, types

    number, address = types.uint32, types.uintp
    return cfunc(types.int32(address, *[number] * 7, address, address, address))(_zero)


def _zero(
    f: int, x: int, y: int, z: int, a: int, b: int, c: int, m: int, s: int, p: int, e: int
) -> int:
    return 0


def _always(value: Any) -> Callable[[], Any]:
    """A function that gives this; a mock would take ten times as long as what is measured."""
    return lambda: value


@contextmanager
def bare_device(
    seen: Callable[[str, Call], int] | None = None, code: Callable[..., str] | None = None
) -> Iterator[StandIn]:
    """Inside the `with` block the backend works on these arrays and this driver.

    Args:
        seen: see `StandIn`.
        code: makes the PTX of a function for a signature and capability; by default none is made.

    Yields:
        The driver.
    """
    driver = StandIn(seen)

    def load(function: Any, signature: str, capability: Any) -> str:
        driver.signatures.append(signature)
        return "" if code is None else code(function, signature, capability)

    before = memory._module
    memory.use(MODULE)
    for kernel in launching.KERNELS.values():
        kernel._loaded.clear()
    try:
        with (
            mock.patch.object(drivers, "machine", _always(driver)),
            mock.patch.object(launching, "ptx_of", load),
            mock.patch.object(launching, "_most_blocks", _always(64)),
            mock.patch.object(plugin, "_device_name", _always("bare")),
            mock.patch.object(products, "has_tensor_cores", _always(True)),
            mock.patch.object(products, "most_shared", _always(227 * 1024)),
        ):
            yield driver
    finally:
        for kernel in launching.KERNELS.values():
            kernel._loaded.clear()
        memory.use(MODULE)  # forgets what was kept
        memory._module = before
