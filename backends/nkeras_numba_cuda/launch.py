"""Kernels and how they are launched.

    @kernel("{T}[::1], {T}[::1]", T=FLOATING)
    def double(y, x):
        for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
            y[i] = x[i] + x[i]

    double.launch(y.size, y, x)

Kernels take contiguous one-dimensional arrays and scalars and are grid-stride loops. The signatures
are those that are launched, which the simulator checks; the tests compile each without a GPU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nkeras.core.errors import short
from nkeras_numba_cuda import memory, simulator
from nkeras_numba_cuda.cuda import SIMULATOR, cuda

FLOATING = ("float32", "float64")
COMPUTED = (*FLOATING, "int32", "int64")
"""The dtypes that kernels are compiled for; others use the reference kernels."""

THREADS_PER_BLOCK = 256
BLOCKS_PER_MULTIPROCESSOR = 16

KERNELS: dict[str, Kernel] = {}

_SCALARS = (bool, int, float, np.generic)


class Kernel:
    """A CUDA kernel, compiled at its first launch with each signature.

    Args:
        function: the Python function.
        signatures: the argument types it is launched with, as Numba writes them.
    """

    def __init__(self, function: Callable[..., None], signatures: tuple[str, ...]) -> None:
        self.function = function
        self.signatures = signatures
        self._compiled: Any = cuda.jit(simulator.silent(function) if SIMULATOR else function)

    def launch(self, size: int, *arguments: Any) -> None:
        """Queue the kernel with at most `size` threads on the current stream.

        Args:
            size: how many elements the grid-stride loop has.
            arguments: contiguous device arrays, which the kernel sees flat, and scalars.
        """
        if size == 0:
            return
        if SIMULATOR:
            simulator.check_types(self.function.__name__, self.signatures, arguments)
        seen = [a if isinstance(a, _SCALARS) else memory.view(a) for a in arguments]
        _launch(self._compiled, size, seen)


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
        _launch(self._compiled, size, seen)


def _launch(compiled: Any, size: int, seen: list[Any]) -> None:
    if SIMULATOR:
        with simulator.lock:
            compiled[1, min(size, simulator.THREADS)](*seen)
    else:
        blocks = min(-(-size // THREADS_PER_BLOCK), _most_blocks())
        compiled[blocks, THREADS_PER_BLOCK, _stream()](*seen)


def kernel(signature: str, **types: tuple[str, ...]) -> Callable[[Callable[..., None]], Kernel]:
    """Decorator: make a kernel and put it into the list of `KERNELS`.

    Args:
        signature: the types of the parameters; a name in braces stands for a dtype.
        types: the dtypes that each such name stands for.
    """
    cases = [signature]
    for name, dtypes in types.items():
        cases = [case.replace(f"{{{name}}}", dtype) for case in cases for dtype in dtypes]

    def decorate(function: Callable[..., None]) -> Kernel:
        name = function.__name__
        if name in KERNELS:
            raise ValueError(f"There is a kernel named {short(name)} already.")
        KERNELS[name] = Kernel(function, tuple(f"void({case})" for case in cases))
        return KERNELS[name]

    return decorate


@functools.cache
def _most_blocks() -> int:
    return BLOCKS_PER_MULTIPROCESSOR * cuda.get_current_device().MULTIPROCESSOR_COUNT


def _stream() -> Any:
    """CuPy's current stream, so that both kinds of kernels run in the order they are called."""
    pointer = memory.array_module().cuda.get_current_stream().ptr
    return _external_stream(pointer) if pointer else 0


@functools.lru_cache(maxsize=64)
def _external_stream(pointer: int) -> Any:
    return cuda.external_stream(pointer)
