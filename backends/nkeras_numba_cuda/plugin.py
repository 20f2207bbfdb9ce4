"""The backend object: device arrays, kernels and facts about the device."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from nkeras.backend.body import Body
from nkeras.backend.scalar import Scalar
from nkeras.core.dtypes import DTYPES
from nkeras.core.errors import short
from nkeras_numba_cuda import memory
from nkeras_numba_cuda.cuda import SIMULATOR, TARGET, cuda
from nkeras_numba_cuda.devices import OnDevice
from nkeras_numba_cuda.kernels import KERNELS
from nkeras_numba_cuda.kernels.custom import array_kernel
from nkeras_numba_cuda.kernels.elementwise import elementwise
from nkeras_numba_cuda.kernels.registry import TOGETHER
from nkeras_numba_cuda.memory import Array
from nkeras_numba_cuda.out_of_memory import explained
from nkeras_numba_cuda.replay import arrays
from nkeras_numba_cuda.replay.lowering import Lowering
from nkeras_numba_cuda.uploads import Uploads
from nkeras_numpy.namespace import Kernel

PROVED = {
    "numba-cuda": "compiled, interpreted and simulated, never run on hardware yet: docs/cuda.md",
    "numba-cuda-mlir": "compiles the plain kernels only, never run on hardware yet: docs/cuda.md",
}


class NumbaCuda:
    """Kernels written with numba-cuda on CuPy arrays; in the simulator on those of `strict`."""

    name = "numba_cuda"
    takes_any_index = True  # `take` gives NaN for those out of range
    waits = True
    kernels: Mapping[str, Kernel] = {name: explained(one, name) for name, one in KERNELS.items()}
    together: Mapping[str, Kernel] = {name: explained(one, name) for name, one in TOGETHER.items()}

    dtypes: frozenset[str]
    device: str

    def __init__(self) -> None:
        self.dtypes = frozenset(DTYPES) if _has_bfloat16() else frozenset(DTYPES) - {"bfloat16"}
        self.device = _device_name()

    def elementwise(self, scalar: Scalar) -> Kernel:
        """A kernel that maps a scalar function over broadcast arrays of one dtype."""
        return _elementwise(scalar)

    def array_kernel(self, body: Body) -> Kernel:
        """A kernel that runs the body of a user's kernel for each work item."""
        return _array_kernel(body)

    def asarray(self, value: np.ndarray, dtype: str) -> Array:
        """A NumPy array on the device, for readers only."""
        self._check(dtype)
        return _asarray(value, dtype)

    def to_numpy(self, array: Array) -> np.ndarray:
        """A copy of the array on the host."""
        return arrays.to_numpy(array)

    def full(self, shape: tuple[int, ...], value: complex, dtype: str) -> Array:
        """An array of one value, without a copy from the host."""
        self._check(dtype)
        return _full(shape, value, dtype)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An array with undefined contents."""
        self._check(dtype)
        return _empty(shape, dtype)

    copy = staticmethod(explained(arrays.copy, "copy"))
    copy_to = staticmethod(arrays.copy_to)
    write = staticmethod(arrays.write)
    overlap = staticmethod(arrays.overlap)

    def lowering(self) -> Lowering:
        """A lowering for one plan."""
        return Lowering()

    def plan_state(self) -> Hashable:
        """The current device and stream."""
        return memory.place()

    def uploads(self) -> Uploads:
        """Copies of batches that run beside what is computed."""
        return Uploads()

    def on_device(self, number: int) -> OnDevice:
        """This backend on another GPU than the current one.

        Raises:
            BackendError: there is no such GPU.
        """
        return OnDevice(self, number, _device_name)

    def synchronize(self) -> None:
        """Wait until all launched kernels are done."""
        memory.array_module().cuda.Device().synchronize()

    def describe(self) -> dict[str, str]:
        """Versions and the device."""
        facts = {
            "device": self.device,
            "target": f"{TARGET} {_version(TARGET)}",
            "proved": PROVED[TARGET],
            "graphs": "steps are replayed as CUDA graphs, never captured on hardware yet",
        }
        if SIMULATOR:
            return facts | {"arrays": f"NumPy {np.__version__}, as strict as CuPy's"}
        major, minor = cuda.get_current_device().compute_capability
        driver: Any = memory.array_module().cuda.runtime.driverGetVersion()
        return facts | {
            "arrays": f"CuPy {memory.array_module().__version__}",
            "compute capability": f"{major}.{minor}",
            "driver": f"CUDA {driver // 1000}.{driver % 1000 // 10}",
        }

    def _check(self, dtype: str) -> None:
        if dtype not in self.dtypes:
            raise TypeError(
                f"The backend numba_cuda has no arrays of dtype {short(dtype)} here; it has "
                f"{', '.join(sorted(self.dtypes))}."
            )


_asarray = explained(memory.asarray, "asarray")
_full = explained(memory.full, "full")
_empty = explained(memory.empty, "empty")


@functools.cache
def _elementwise(scalar: Scalar) -> Kernel:
    return explained(elementwise(scalar), scalar.name)


@functools.cache
def _array_kernel(body: Body) -> Kernel:
    return explained(array_kernel(body), body.name)


def _device_name() -> str:
    if SIMULATOR:
        return "cuda simulator on the cpu"
    current = cuda.get_current_device()
    name = current.name
    return f"cuda:{current.id}, {name.decode() if isinstance(name, bytes) else name}"


def _has_bfloat16() -> bool:
    """Whether arrays can be bfloat16: CuPy's since 14, with NumPy 2.1.2 or newer.

    See https://docs.cupy.dev/en/latest/upgrade.html
    """
    numpy, cupy = np.__version__, memory.array_module().__version__
    return SIMULATOR or (_numbers(numpy) >= (2, 1, 2) and _numbers(cupy) >= (14,))


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers a version begins with: `2.1.0rc1` is 2, 1."""
    numbers = []
    for part in version.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
