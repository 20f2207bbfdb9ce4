"""The CUDA target. This is the only file of the repository that imports it.

numba-cuda is in maintenance mode and its successor has no simulator yet: kernels get `cuda` from
here, so that the target can be exchanged in one place.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numba import config

if not hasattr(np, "row_stack"):  # dropped by NumPy 2.5; numba-cuda 0.30 asks for it
    setattr(np, "row_stack", np.vstack)  # noqa: B010  a checker knows no such attribute

with warnings.catch_warnings():
    # NumPy 2.5 deprecates a timedelta that numba-cuda makes at its import: nothing a user can mend.
    warnings.simplefilter("ignore", DeprecationWarning)
    from numba import cuda as _target

cuda: Any = _target

SIMULATOR: bool = bool(config.ENABLE_CUDASIM)  # pyright: ignore[reportAttributeAccessIssue]
"""Whether kernels run in numba-cuda's simulator (NUMBA_ENABLE_CUDASIM=1), on NumPy arrays."""

# A small grid is no mistake here, for models may be small. There is no setting per launch.
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # pyright: ignore[reportAttributeAccessIssue]

if SIMULATOR:
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    intrinsic: Any = None
    libdevice: Any = None
    types: Any = None
    simulated_array: Any = FakeCUDAArray
    """Marks a NumPy array as device memory: the simulator copies others in and out."""
else:
    from numba.cuda import libdevice, types
    from numba.cuda.extending import intrinsic

    simulated_array: Any = None


def allow_shared_memory(compiled: Any, size: int) -> None:
    """Let a compiled kernel be launched with more shared memory than 48 kB.

    The target has no public way to say so (NVIDIA/numba-cuda#94).

    Args:
        compiled: the kernel for one signature, as a callback before its launch gets it.
        size: bytes for each block.

    Raises:
        RuntimeError: the device refuses.
    """
    from cuda.bindings import driver

    function = compiled._codelibrary.get_cufunc()
    attribute = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    (status,) = driver.cuKernelSetAttribute(
        attribute, size, driver.CUkernel(int(function.handle)), driver.CUdevice(function.device.id)
    )
    if status != driver.CUresult.CUDA_SUCCESS:
        raise RuntimeError(f"The device refuses {size} bytes of shared memory a block: {status}.")


__all__ = [
    "SIMULATOR",
    "allow_shared_memory",
    "cuda",
    "intrinsic",
    "libdevice",
    "simulated_array",
    "types",
]
