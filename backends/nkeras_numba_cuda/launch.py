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
from typing import Any

import numpy as np

from nkeras.core.errors import short
from nkeras_numba_cuda import memory, simulator
from nkeras_numba_cuda.cuda import SIMULATOR, allow_shared_memory, cuda

FLOATING = ("float32", "float64")
COMPUTED = (*FLOATING, "int32", "int64")
"""The dtypes that kernels are compiled for; others use the reference kernels."""

THREADS_PER_BLOCK = 256
BLOCKS_PER_MULTIPROCESSOR = 16
SHARED_WITHOUT_ASKING = 48 * 1024
"""Bytes of shared memory that each kernel may be launched with; for more a kernel is set up."""

KERNELS: dict[str, Kernel] = {}

_ALLOWED: dict[tuple[int, int], Any] = {}
_SCALARS = (bool, int, float, np.generic)


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
        self._compiled: Any = cuda.jit(simulator.silent(function) if SIMULATOR else function)

    def launch(self, size: int, *arguments: Any) -> None:
        """Queue the kernel with at most `size` threads on the current stream.

        Args:
            size: how many elements the grid-stride loop has.
            arguments: contiguous device arrays, which the kernel sees flat, and scalars.
        """
        if size:
            launcher(self, _blocks(size, self.threads), _threads(size, self.threads), arguments)

    def launch_blocks(self, blocks: int | tuple[int, ...], *arguments: Any) -> None:
        """Queue the kernel with a grid of so many blocks on the current stream.

        Args:
            blocks: the size of the grid, in up to three dimensions.
            arguments: as in `launch`.
        """
        grid = (blocks,) if isinstance(blocks, int) else blocks
        if all(grid):
            launcher(self, grid, 1 if SIMULATOR else self.threads, arguments)

    def run(self, grid: tuple[int, ...], threads: int, arguments: tuple[Any, ...]) -> None:
        """Launch it on the device, or in the simulator."""
        if SIMULATOR:
            if self.warps:
                raise TypeError(f"{self.function.__name__} needs warps: the simulator has none.")
            simulator.check_types(self.function.__name__, self.signatures, arguments)
        seen = [a if isinstance(a, _SCALARS) else memory.view(a) for a in arguments]
        _launch(self._compiled, grid, threads, self.shared, seen)


def launch_here(
    kernel: Kernel, grid: tuple[int, ...], threads: int, arguments: tuple[Any, ...]
) -> None:
    """The launcher of every day: `Kernel.run`."""
    kernel.run(grid, threads, arguments)


launcher: Callable[[Kernel, tuple[int, ...], int, tuple[Any, ...]], None] = launch_here
"""What launches; exchanged by tests that count launches or execute compiled kernels themselves."""


class ShapedKernel:
    """A kernel of the user's, which sees arrays of any rank; compiled for the types it meets.

    Args:
        function: the Python function.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self._compiled: Any = cuda.jit(simulator.silent(function) if SIMULATOR else function)

    def launch(self, size: int, *arguments: Any) -> None:
        """As in `Kernel`."""
        seen = [
            a if isinstance(a, _SCALARS) else memory.shaped(memory.contiguous(a)) for a in arguments
        ]
        grid, threads = _blocks(size, THREADS_PER_BLOCK), _threads(size, THREADS_PER_BLOCK)
        _launch(self._compiled, grid, threads, 0, seen)


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
    configured = compiled[grid, threads, _stream(), shared]
    if shared > SHARED_WITHOUT_ASKING and not configured.pre_launch_callbacks:
        configured.pre_launch_callbacks.append(_allow_shared_memory)
    configured(*seen)


def _allow_shared_memory(compiled: Any, configuration: Any) -> None:
    """Before a launch: a device wants to know of kernels that take much shared memory."""
    key = cuda.get_current_device().id, id(compiled)
    if key not in _ALLOWED:
        allow_shared_memory(compiled, configuration.sharedmem)
        _ALLOWED[key] = compiled  # which keeps its id


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
    return _most_blocks_of(cuda.get_current_device().id)


@functools.cache
def _most_blocks_of(number: int) -> int:
    """For the current device, which has this number."""
    return BLOCKS_PER_MULTIPROCESSOR * cuda.get_current_device().MULTIPROCESSOR_COUNT


def _stream() -> Any:
    """CuPy's current stream, so that both kinds of kernels run in the order they are called."""
    pointer = memory.array_module().cuda.get_current_stream().ptr
    return _external_stream(pointer) if pointer else 0


@functools.lru_cache(maxsize=64)
def _external_stream(pointer: int) -> Any:
    return cuda.external_stream(pointer)
