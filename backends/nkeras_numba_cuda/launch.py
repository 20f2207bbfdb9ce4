"""Kernels and how they are launched.

    @kernel("{T}[::1], {T}[::1]", T=FLOATING)
    def double(y, x):
        for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
            y[i] = x[i] + x[i]

    double.launch(y.size, y, x)

Kernels take contiguous one-dimensional arrays and scalars. Most are grid-stride loops; those that
share work within a block are launched by blocks, and are right for blocks of any size, of which the
simulator takes one thread:

    @kernel("{T}[::1], {T}[::1], int64", threads=128, T=FLOATING)
    def sum_of_rows(y, x, length):
        row = cuda.blockIdx.x
        ...

    sum_of_rows.launch_blocks(y.size, y, x, length)

The signatures are those that are launched, which the simulator checks; the tests compile each
without a GPU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nkeras.core.errors import short
from nkeras_numba_cuda import memory, simulator
from nkeras_numba_cuda.compiled import driver as drivers
from nkeras_numba_cuda.compiled.bound import Bound, Prepared, of_shaped
from nkeras_numba_cuda.compiled.code import ptx_of
from nkeras_numba_cuda.cuda import SIMULATOR, TARGET, cuda
from nkeras_numba_cuda.recording import current

FLOATING = ("float32", "float64")
COMPUTED = (*FLOATING, "int32", "int64")
"""The dtypes that kernels are compiled for; others use the reference kernels."""

THREADS_PER_BLOCK = 256
BLOCKS_PER_MULTIPROCESSOR = 16
KERNELS: dict[str, Kernel] = {}

_SCALARS = (bool, int, float, np.generic)
_IS_BOUND = TARGET == "numba-cuda" and not SIMULATOR
"""Whether kernels are launched by the driver's own call."""


class Kernel:
    """A CUDA kernel, compiled at its first launch with each signature.

    Args:
        function: the Python function.
        signatures: the argument types it is launched with, as Numba writes them.
        threads: threads of a block.
        shared: bytes of shared memory that a block gets at its launch.
        warps: whether it needs whole warps (tensor cores), which the simulator has not.
    """

    def __init__(
        self,
        function: Callable[..., None],
        signatures: tuple[str, ...],
        *,
        threads: int = THREADS_PER_BLOCK,
        shared: int = 0,
        warps: bool = False,
    ) -> None:
        self.function = function
        self.signatures = signatures
        self.threads = threads
        self.shared = shared
        self.warps = warps
        self._loaded: dict[tuple[Any, ...], Bound] = {}
        self._compiled: Any = None
        if not _IS_BOUND:
            self._compiled = cuda.jit(simulator.silent(function) if SIMULATOR else function)

    def launch(self, size: int, *arguments: Any) -> None:
        """Queue the kernel with at most `size` threads on the current stream.

        Args:
            size: how many elements the grid-stride loop has.
            arguments: contiguous device arrays, which the kernel sees flat, and scalars.
        """
        if size:
            self._queue(_blocks(size, self.threads), _threads(size, self.threads), arguments)

    def launch_blocks(self, blocks: int | tuple[int, ...], *arguments: Any) -> None:
        """Queue the kernel with a grid of so many blocks on the current stream.

        Args:
            blocks: the size of the grid, in up to three dimensions.
            arguments: as in `launch`.
        """
        grid = (blocks,) if isinstance(blocks, int) else blocks
        if all(grid):
            self._queue(grid, 1 if SIMULATOR else self.threads, arguments)

    def _queue(self, grid: tuple[int, ...], threads: int, arguments: tuple[Any, ...]) -> None:
        if current.queue is None:
            launcher(self, grid, threads, arguments)
        else:
            current.queue(Launch(self, grid, threads), *arguments)

    def run(self, grid: tuple[int, ...], threads: int, arguments: tuple[Any, ...]) -> None:
        """Launch it on the device, or in the simulator."""
        if _IS_BOUND:
            bound, values = self._bound(arguments)
            bound(grid, threads, self.shared, _stream(), values)
            return
        if SIMULATOR:
            if self.warps:
                raise TypeError(f"{self.function.__name__} needs warps: the simulator has none.")
            simulator.check_types(self.function.__name__, self.signatures, arguments)
        seen = [a if isinstance(a, _SCALARS) else memory.view(a) for a in arguments]
        _launch(self._compiled, grid, threads, self.shared, seen)

    def prepared(self, grid: tuple[int, ...], threads: int, arguments: tuple[Any, ...]) -> Prepared:
        """The launch as a function of no arguments, which calls the driver and does no more.

        The arrays must live as long as it is called.
        """
        bound, values = self._bound(arguments)
        return bound.prepared(grid, threads, self.shared, _stream(), values)

    def _bound(self, arguments: tuple[Any, ...]) -> tuple[Bound, list[Any]]:
        """The kernel for these types on the current device, and the arguments in a row."""
        device = memory.current_device()
        kinds: list[Any] = [device]
        values: list[Any] = []
        for a in arguments:
            if isinstance(a, _SCALARS):
                kinds.append(type(a))
                values.append(a)
            else:
                array = a.table() if isinstance(a, memory.Pointers) else a
                dtype = array.dtype
                kinds.append(dtype)
                size, step = array.size, dtype.itemsize
                values += (
                    0,
                    0,
                    size,
                    step,
                    array.data.ptr,
                    size,
                    step,
                )
        driver = drivers.machine()
        driver.enter(device)
        key = tuple(kinds)
        bound = self._loaded.get(key)
        if bound is None:
            signature = simulator.signature_of(self.function.__name__, self.signatures, arguments)
            bound = _load(self.function, signature, self.shared)
            self._loaded[key] = bound
        return bound, values


def launch_here(
    kernel: Kernel, grid: tuple[int, ...], threads: int, arguments: tuple[Any, ...]
) -> None:
    """The launcher of every day: `Kernel.run`."""
    kernel.run(grid, threads, arguments)


launcher: Callable[[Kernel, tuple[int, ...], int, tuple[Any, ...]], None] = launch_here
"""What launches; exchanged by tests that count launches or execute compiled kernels themselves."""


class Launch(NamedTuple):
    """A launch that a plan repeats, called with the arguments."""

    kernel: Kernel
    grid: tuple[int, ...]
    threads: int

    def __call__(self, *arguments: Any) -> None:
        """Launch it."""
        launcher(self.kernel, self.grid, self.threads, arguments)


class ShapedKernel:
    """A kernel of the user's, which sees arrays of any rank; compiled for the types it meets.

    Args:
        function: the Python function.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self._loaded: dict[tuple[int, str], Bound] = {}
        self._compiled: Any = None
        if not _IS_BOUND:
            self._compiled = cuda.jit(simulator.silent(function) if SIMULATOR else function)

    def launch(self, size: int, *arguments: Any) -> None:
        """As in `Kernel`."""
        given = [a if isinstance(a, _SCALARS) else memory.contiguous(a) for a in arguments]
        grid, threads = _blocks(size, THREADS_PER_BLOCK), _threads(size, THREADS_PER_BLOCK)
        if current.queue is None:
            self.run(grid, threads, *given)
        else:
            current.queue(partial(self.run, grid, threads), *given)

    def run(self, grid: tuple[int, ...], threads: int, *arguments: Any) -> None:
        """Launch it on the device, or in the simulator."""
        if not _IS_BOUND:
            seen = [a if isinstance(a, _SCALARS) else memory.shaped(a) for a in arguments]
            _launch(self._compiled, grid, threads, 0, seen)
            return
        device, signature = memory.current_device(), simulator.shaped_signature(arguments)
        driver = drivers.machine()
        driver.enter(device)
        if (device, signature) not in self._loaded:
            self._loaded[device, signature] = _load(self.function, signature, 0)
        values: list[Any] = []
        for a in arguments:
            if isinstance(a, _SCALARS):
                values.append(a)
            else:
                values += of_shaped(a.data.ptr, a.shape, a.dtype.itemsize)
        self._loaded[device, signature](grid, threads, 0, _stream(), values)


def _load(function: Callable[..., None], signature: str, shared: int) -> Bound:
    """A kernel on the current device."""
    driver = drivers.machine()
    text = ptx_of(function, signature, driver.capability())
    return Bound(driver, driver.load(text, shared), signature)


def _blocks(size: int, threads: int) -> tuple[int, ...]:
    """The grid of a grid-stride loop."""
    return (1,) if SIMULATOR else (min(-(-size // threads), _most_blocks()),)


def _threads(size: int, threads: int) -> int:
    return min(size, simulator.THREADS) if SIMULATOR else threads


def _launch(
    compiled: Any, grid: tuple[int, ...], threads: int, shared: int, seen: list[Any]
) -> None:
    if SIMULATOR:
        simulator.run(compiled, grid, threads, shared, seen)
        return
    stream = _stream()
    compiled[grid, threads, _external_stream(stream) if stream else 0, shared](*seen)


def kernel(
    signature: str,
    *,
    name: str | None = None,
    threads: int = THREADS_PER_BLOCK,
    shared: int = 0,
    warps: bool = False,
    **types: tuple[str, ...],
) -> Callable[[Callable[..., None]], Kernel]:
    """Decorator: make a kernel and put it into the list of `KERNELS`.

    Args:
        signature: the types of the parameters; a name in braces stands for a dtype.
        name: its name in the list, where it is not the function's.
        threads: threads of a block.
        shared: bytes of shared memory that a block gets at its launch.
        warps: whether it needs whole warps (tensor cores), which the simulator has not.
        types: the dtypes that each name in the signature stands for.
    """
    cases = [signature]
    for letter, dtypes in types.items():
        cases = [case.replace(f"{{{letter}}}", dtype) for case in cases for dtype in dtypes]

    def decorate(function: Callable[..., None]) -> Kernel:
        key = name or function.__name__
        if key in KERNELS:
            raise ValueError(f"There is a kernel named {short(key)} already.")
        signatures = tuple(f"void({case})" for case in cases)
        made = Kernel(function, signatures, threads=threads, shared=shared, warps=warps)
        KERNELS[key] = made
        return made

    return decorate


def _most_blocks() -> int:
    return _most_blocks_of(memory.current_device())


@functools.cache
def _most_blocks_of(number: int) -> int:
    """For the current device, which has this number."""
    return BLOCKS_PER_MULTIPROCESSOR * cuda.get_current_device().MULTIPROCESSOR_COUNT


def _stream() -> int:
    """CuPy's current stream, so that both kinds of kernels run in the order they are called."""
    return memory.array_module().cuda.get_current_stream().ptr


@functools.lru_cache(maxsize=64)
def _external_stream(pointer: int) -> Any:
    return cuda.external_stream(pointer)
