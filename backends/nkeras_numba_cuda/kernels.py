"""All kernels by name: our own, and the reference kernels on device arrays for the rest."""

from __future__ import annotations

from nkeras_numba_cuda import (  # noqa: F401  they register
    convolution,
    indexing,
    linalg,
    optimizers,
    pooling,
    random,
)
from nkeras_numba_cuda.registry import OWN
from nkeras_numpy.kernels import KERNELS as REFERENCE
from nkeras_numpy.namespace import Kernel

KERNELS: dict[str, Kernel] = {**REFERENCE, **OWN}
