"""The numpy backend: the executable specification. Short, slow, obviously right, and it trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.backend.body import Body
from nkeras.backend.scalar import Scalar
from nkeras.core.dtypes import DTYPES, to_numpy


class Numpy:
    """NumPy kernels; see `nkeras.backend.protocol.Backend`."""

    name = "numpy"
    dtypes = frozenset(DTYPES)
    device = "cpu, 1 thread"
    takes_text = True

    def __init__(self) -> None:
        from nkeras_numpy.elementwise import elementwise
        from nkeras_numpy.kernels import KERNELS

        self.kernels = KERNELS
        self._elementwise = elementwise

    def elementwise(self, scalar: Scalar) -> Any:
        return self._elementwise(scalar)

    def array_kernel(self, body: Body) -> Any:
        from nkeras_numpy.custom import array_kernel

        return array_kernel(body)

    def asarray(self, value: np.ndarray, dtype: str) -> np.ndarray:
        return np.asarray(value, to_numpy(dtype))

    def to_numpy(self, array: np.ndarray) -> np.ndarray:
        return array

    def empty(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return np.empty(shape, to_numpy(dtype))

    def synchronize(self) -> None:
        """Kernels have finished when they return."""

    def describe(self) -> dict[str, str]:
        return {"numpy": np.__version__}


def backend() -> Numpy:
    """Entry point of the group `nkeras.backends`."""
    return Numpy()
