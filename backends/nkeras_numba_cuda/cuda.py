"""The CUDA target: numba-cuda, or its successor numba-cuda-mlir. No other file imports either.

numba-cuda has the simulator and takes intrinsics that emit LLVM IR, but is in maintenance mode;
numba-cuda-mlir compiles the plain kernels as they are and takes no such intrinsics. It is taken
where the environment variable NKERAS_CUDA_TARGET names it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from nkeras.core.errors import short

TARGETS = {"numba-cuda": "numba_cuda", "numba-cuda-mlir": "numba_cuda_mlir"}
"""Packages that compile kernels, and their modules."""


def chosen_target() -> str:
    """The package that compiles kernels here.

    Raises:
        ImportError: it is not installed, or NKERAS_CUDA_TARGET names none.
    """
    named = os.environ.get("NKERAS_CUDA_TARGET", "")
    if named and named not in TARGETS:
        raise ImportError(f"NKERAS_CUDA_TARGET is {short(named)}, not {' or '.join(TARGETS)}")
    simulated = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
    if simulated and named == "numba-cuda-mlir":
        raise ImportError(
            "numba-cuda-mlir, which NKERAS_CUDA_TARGET names, has no simulator: unset one of "
            "NKERAS_CUDA_TARGET and NUMBA_ENABLE_CUDASIM"
        )
    package = named or "numba-cuda"
    if find_spec(TARGETS[package]) is None:
        extra = "cuda" if package == "numba-cuda" else "cuda-mlir"
        raise ImportError(f"{package} is not installed: pip install 'nkeras[{extra}]'")
    return package


class NeedsNumbaCuda:
    """Stands for an intrinsic that the target cannot take; kernels that call it do not compile.

    Args:
        function: makes LLVM IR.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__


TARGET: str = chosen_target()
"""The package that compiles kernels."""

if TARGET == "numba-cuda-mlir":
    cuda: Any = import_module("numba_cuda_mlir.cuda")
    config: Any = import_module("numba_cuda_mlir.numba_cuda.core.config")
else:
    if not hasattr(np, "row_stack"):  # dropped by NumPy 2.5; numba-cuda 0.30 asks for it
        setattr(np, "row_stack", np.vstack)  # noqa: B010  a checker knows no such attribute
    config = import_module("numba").config
    with warnings.catch_warnings():
        # NumPy 2.5 deprecates a timedelta that it makes at its import: nothing a user can mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        cuda = import_module("numba.cuda")

SIMULATOR: bool = TARGET == "numba-cuda" and bool(config.ENABLE_CUDASIM)
"""Whether kernels run in numba-cuda's simulator (NUMBA_ENABLE_CUDASIM=1), on NumPy arrays."""

# A small grid is no mistake here, for models may be small. There is no setting per launch.
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0

intrinsic: Any = None
libdevice: Any = None
types: Any = None
simulated_array: Any = None
"""Marks a NumPy array as device memory in the simulator, which copies others in and out."""
simulated_kernels: Any = None
"""The module of the simulator that runs blocks."""

if SIMULATOR:
    simulated_kernels = import_module("numba.cuda.simulator.kernel")
    simulated_array = import_module("numba.cuda.simulator.cudadrv.devicearray").FakeCUDAArray
elif TARGET == "numba-cuda-mlir":
    intrinsic = NeedsNumbaCuda
    libdevice = import_module("numba_cuda_mlir.cuda.libdevice")
    types = import_module("numba_cuda_mlir.types")
else:
    intrinsic = import_module("numba.cuda.extending").intrinsic
    libdevice = import_module("numba.cuda.libdevice")
    types = import_module("numba.cuda").types


__all__ = [
    "SIMULATOR",
    "TARGET",
    "config",
    "cuda",
    "intrinsic",
    "libdevice",
    "simulated_array",
    "simulated_kernels",
    "types",
]
