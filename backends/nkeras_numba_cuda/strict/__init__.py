"""A stand-in for CuPy on NumPy's memory: the arrays of the backend where there is no GPU.

Its arrays are not NumPy's, and refuse what CuPy's refuse: an implicit conversion to NumPy, NumPy
arrays as operands, functions, parameters and dtypes that CuPy lacks. What a GPU leaves undefined
shows: new arrays are full of NaN or garbage, additions to one element come in any order, and
conflicting writes and indices out of bounds are errors. `counting` counts copies, waits,
launches and CuPy's computations.

What CuPy has is listed in `cupy_names.json`, which `cupy_names.py` writes from CuPy itself.
"""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.counting import Counts, counting
from nkeras_numba_cuda.strict import device as cuda
from nkeras_numba_cuda.strict.arrays import ndarray, part, view_of
from nkeras_numba_cuda.strict.functions import (
    CUPY,
    array,
    asarray,
    ascontiguousarray,
    asnumpy,
    copyto,
    empty,
    empty_like,
    function,
    install,
)
from nkeras_numba_cuda.strict.kernels import kernel_view

__all__ = [
    "Counts",
    "array",
    "asarray",
    "ascontiguousarray",
    "asnumpy",
    "copyto",
    "counting",
    "cuda",
    "empty",
    "empty_like",
    "kernel_view",
    "ndarray",
    "part",
    "view_of",
]
__version__: str = CUPY["version"]

install()


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return function(name)
