"""What NumPy and its LAPACK compute: each kernel is one launch of the reference kernel."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numpy import complexes, decompositions, fourier, solving
from nkeras_numpy.kernels import KERNELS as REFERENCE
from nkeras_numpy.namespace import Kernel

_TOPICS = (complexes, decompositions, fourier, solving)


def through_numpy(reference: Kernel) -> Kernel:
    """A kernel that calls the reference kernel, and that a plan repeats."""

    @functools.wraps(reference)
    def kernel(*arrays: np.ndarray | None, **static: Any) -> Any:
        return by_numpy(reference, *arrays, **static)

    return kernel


for _name, _reference in REFERENCE.items():
    if _reference.__module__ in [topic.__name__ for topic in _TOPICS]:
        KERNELS.register(through_numpy(_reference))
