"""How kernels see the arrays: NumPy's memory, marked for the simulator as that of a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras_numba_cuda.cuda import simulated_array
from nkeras_numba_cuda.strict.arrays import ndarray, of


def kernel_view(array: Any, shape: tuple[int, ...]) -> Any:
    """The memory of a contiguous array in another shape.

    Raises:
        TypeError: it is no array of the device.
        ValueError: it is not contiguous, so that a kernel would read other elements.
    """
    if not isinstance(array, ndarray):
        raise TypeError(f"a kernel takes arrays of the device, not {type(array)}")
    if not array.flags.c_contiguous:
        raise ValueError(f"a kernel takes contiguous arrays; this has strides {array.strides}")
    memory: np.ndarray = of(array).reshape(shape)
    return memory if simulated_array is None else simulated_array(memory)
