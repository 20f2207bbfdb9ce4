"""What differs when kernels run in the simulator instead of on a GPU.

Each simulated thread is a Python thread of about 90 us and each element costs microseconds, so a
launch has one block of few threads; three, so that a wrong stride of the loops shows. Kernels
are therefore grid-stride loops.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from nkeras_numba_cuda.counting import note

THREADS = 3

# The simulator keeps the running kernel in global variables.
lock = threading.RLock()


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
    note("launches", name)
    launched = f"void({', '.join(map(_type_name, arguments))})"
    if launched not in signatures:
        known = "\n  ".join(signatures)
        raise TypeError(
            f"The kernel {name} is launched as {launched}; it is declared for\n  {known}"
        )


def _type_name(argument: Any) -> str:
    if hasattr(argument, "dtype"):
        element = "boolean" if argument.dtype == bool else argument.dtype.name
        return element if isinstance(argument, np.generic) else f"{element}[::1]"
    return {bool: "boolean", int: "int64", float: "float64"}[type(argument)]
