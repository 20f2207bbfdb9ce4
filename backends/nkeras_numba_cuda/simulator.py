"""What differs when kernels run in the simulator instead of on a GPU.

An element costs microseconds there, so a launch of a grid-stride loop has one block of few threads;
three, so that a wrong stride of the loops shows. Kernels whose blocks share work are right for
blocks of any size and have blocks of one thread. So no thread ever waits for another, and all run
one after the other in the thread that launches: the simulator's own way, a Python thread for each
and one that asks them all again and again, takes ten times longer.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from nkeras_numba_cuda.capturing import queue
from nkeras_numba_cuda.counting import note
from nkeras_numba_cuda.cuda import simulated_kernels

THREADS = 3

# The simulator keeps the running kernel in global variables.
lock = threading.RLock()


def run(
    kernel: Any, grid: tuple[int, ...], threads: int, shared: int, arguments: list[Any]
) -> None:
    """Run the blocks of a launch, or leave that to the graph that is captured.

    Args:
        kernel: the simulator's.
        grid: how many blocks there are.
        threads: of a block.
        shared: bytes of shared memory of a block.
        arguments: of the kernel.
    """
    queue(_run, kernel, grid, threads, shared, arguments)


def _run(
    kernel: Any, grid: tuple[int, ...], threads: int, shared: int, arguments: list[Any]
) -> None:
    with lock:
        manager = simulated_kernels.BlockManager
        simulated_kernels.BlockManager = _Block
        try:
            kernel[grid, threads, 0, shared](*arguments)
        finally:
            simulated_kernels.BlockManager = manager


class _Block:
    """Runs the threads of a block one after the other, in place of the simulator's manager."""

    def __init__(self, function: Any, grid: Any, threads: Any, debug: bool) -> None:
        self.function = function
        self.threads = threads

    def run(self, block: tuple[int, ...], *arguments: Any) -> None:
        """Run each thread. The simulator asks the current Python thread which one it is."""
        current: Any = threading.current_thread()
        current.blockIdx = simulated_kernels.Dim3(*block)
        current.syncthreads = _barrier if math.prod(self.threads) == 1 else _no_barrier
        for thread in np.ndindex(*self.threads):
            current.threadIdx = simulated_kernels.Dim3(*thread)
            self.function(*arguments)


def _barrier() -> None:
    """A thread that is alone waits for nobody."""


def _no_barrier() -> None:
    raise TypeError("A kernel with barriers has blocks of one thread in the simulator.")


def silent(function: Callable[..., None]) -> FunctionType:
    """`function` without NumPy's warnings: overflow and NaN are values in a kernel, no accidents.

    The state that turns them off belongs to a thread, so it is set inside the simulated one.
    """
    errstate = np.errstate

    def run(*arguments: Any) -> None:
        with errstate(all="ignore"):
            function(*arguments)

    # The simulator exchanges `cuda` in the globals of the function it is given: keep the kernel's.
    return FunctionType(
        run.__code__, function.__globals__, function.__name__, None, run.__closure__
    )


def check_types(name: str, signatures: tuple[str, ...], arguments: tuple[Any, ...]) -> None:
    """Refuse arguments of types that the kernel is not declared for: Python would take them.

    Raises:
        TypeError: no signature of the kernel has these types.
    """
    queue(note, "launches", name)
    signature_of(name, signatures, arguments)


def signature_of(name: str, signatures: tuple[str, ...], arguments: tuple[Any, ...]) -> str:
    """The signature of a kernel that has the types of the arguments.

    Raises:
        TypeError: it has none.
    """
    launched = f"void({', '.join(map(_type_name, arguments))})"
    if launched not in signatures:
        known = "\n  ".join(signatures)
        raise TypeError(
            f"The kernel {name} is launched as {launched}; it is declared for\n  {known}"
        )
    return launched


def shaped_signature(arguments: Sequence[Any]) -> str:
    """The types of arguments whose arrays are seen with their shapes."""
    return f"void({', '.join(map(_shaped_name, arguments))})"


def _type_name(argument: Any) -> str:
    if hasattr(argument, "dtype"):
        element = "boolean" if argument.dtype == bool else argument.dtype.name
        return element if isinstance(argument, np.generic) else f"{element}[::1]"
    return {bool: "boolean", int: "int64", float: "float64"}[type(argument)]


def _shaped_name(argument: Any) -> str:
    if not hasattr(argument, "dtype") or isinstance(argument, np.generic):
        return _type_name(argument)
    element = "boolean" if argument.dtype == bool else argument.dtype.name
    return f"{element}[{', '.join([':'] * (len(argument.shape) - 1) + ['::1'])}]"
