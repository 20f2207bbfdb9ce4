"""The backend on one of several GPUs, which has arrays of its own.

Kernels run on CUDA's current device. So a call for another device makes that one current, and
afterwards the one that was: whoever works with CuPy beside sees no change. Memory pools, loaded
kernels and constants are those of the current device everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from nkeras.backend.body import Body
from nkeras.backend.scalar import Scalar
from nkeras.core.errors import BackendError
from nkeras_numba_cuda.memory import Array, array_module
from nkeras_numba_cuda.uploads import Uploads
from nkeras_numpy.namespace import Kernel


class _Whole(Protocol):
    """The backend on the current device."""

    name: str
    kernels: Mapping[str, Kernel]
    together: Mapping[str, Kernel]
    dtypes: frozenset[str]
    takes_any_index: bool

    def elementwise(self, scalar: Scalar) -> Kernel: ...
    def array_kernel(self, body: Body) -> Kernel: ...
    def asarray(self, value: np.ndarray, dtype: str) -> Array: ...
    def to_numpy(self, array: Array) -> np.ndarray: ...
    def full(self, shape: tuple[int, ...], value: complex, dtype: str) -> Array: ...
    def empty(self, shape: tuple[int, ...], dtype: str) -> Array: ...
    def synchronize(self) -> None: ...
    def describe(self) -> dict[str, str]: ...
    def uploads(self) -> Uploads: ...


class OnDevice:
    """The backend on a device that need not be the current one. It has no plans.

    Args:
        backend: on the current device.
        number: of the device.
        device_name: gives what the current device is called.

    Raises:
        BackendError: there is no such device.
    """

    takes_any_index = True

    def __init__(self, backend: _Whole, number: int, device_name: Callable[[], str]) -> None:
        count = array_module().cuda.runtime.getDeviceCount()
        if number >= count:
            raise BackendError(
                f"There is no GPU number {number}: this machine has {count}, counted from 0."
            )
        self.name = f"{backend.name}:{number}"
        self.number = number
        self.dtypes = backend.dtypes
        self.kernels = {name: self._placed(one) for name, one in backend.kernels.items()}
        self.together = {name: self._placed(one) for name, one in backend.together.items()}
        self.asarray = self._placed(backend.asarray)
        self.to_numpy = self._placed(backend.to_numpy)
        self.full = self._placed(backend.full)
        self.empty = self._placed(backend.empty)
        self.synchronize = self._placed(backend.synchronize)
        self.describe = self._placed(backend.describe)
        self.device: str = self._placed(device_name)()
        self._backend = backend
        self._made: dict[Any, Kernel] = {}

    def elementwise(self, scalar: Scalar) -> Kernel:
        """A kernel that maps a scalar function over broadcast arrays of one dtype."""
        return self._kept(scalar, self._backend.elementwise)

    def array_kernel(self, body: Body) -> Kernel:
        """A kernel that runs the body of a user's kernel for each work item."""
        return self._kept(body, self._backend.array_kernel)

    def uploads(self) -> OnDevice.Uploads:
        """Copies of batches that run beside what is computed."""
        return OnDevice.Uploads(self._placed, self._placed(self._backend.uploads)())

    class Uploads:
        """Those of the backend, with this device as the current one."""

        def __init__(self, placed: Callable[..., Any], uploads: Uploads) -> None:
            self._placed, self._begin = placed, placed(uploads.begin)

        def begin(
            self, arrays: Sequence[np.ndarray], dtypes: Sequence[str]
        ) -> tuple[list[Array], Callable[[], None]]:
            """As in `Uploads`."""
            copies, wait = self._begin(arrays, dtypes)
            return copies, self._placed(wait)

    def on_device(self, number: int) -> OnDevice:
        """The same on yet another device."""
        raise BackendError(f"{self.name!r} is one device; ask {self._backend.name!r} for another.")

    def _kept(self, key: Any, make: Callable[[Any], Kernel]) -> Kernel:
        if key not in self._made:
            self._made[key] = self._placed(make(key))
        return self._made[key]

    def _placed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with this device as the current one."""
        number = self.number

        @functools.wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            with array_module().cuda.Device(number):
                return function(*arguments, **named)

        return run
