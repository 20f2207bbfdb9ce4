"""What is asked of CUDA's driver: to load code, and to launch."""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

from nkeras.core.errors import BackendError
from nkeras_numba_cuda.compiled.code import Capability, entry_of
from nkeras_numba_cuda.cuda import cuda

SHARED_WITHOUT_ASKING = 48 * 1024
"""Bytes of shared memory that each kernel may be launched with; for more the driver is asked."""

_OUT_OF_MEMORY = 2
_NUMBER, _ADDRESS = ctypes.c_uint, ctypes.c_void_p
LAUNCH = ctypes.CFUNCTYPE(ctypes.c_int, _ADDRESS, *[_NUMBER] * 7, _ADDRESS, _ADDRESS, _ADDRESS)
"""`cuLaunchKernel(function, grid, block, shared bytes, stream, parameters, extra)`."""


class Driver:
    """The driver of the machine.

    Attributes:
        launch: its function that launches, of type `LAUNCH`.
    """

    launch: Callable[..., int]

    def __init__(self) -> None:
        name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
        self.launch = LAUNCH(("cuLaunchKernel", ctypes.CDLL(name)))
        self._here = threading.local()

    def capability(self) -> Capability:
        """That of the current device."""
        major, minor = cuda.get_current_device().compute_capability
        return major, minor

    def load(self, text: str, shared: int) -> int:
        """Load a kernel on the current device.

        Args:
            text: its PTX.
            shared: bytes of shared memory that it is launched with.

        Returns:
            The driver's handle of the function.
        """
        from cuda.bindings import driver

        self.enter(-1)
        module = _checked(driver.cuModuleLoadData(text.encode() + b"\0"))
        function = _checked(driver.cuModuleGetFunction(module, entry_of(text).encode()))
        if shared > SHARED_WITHOUT_ASKING:
            kinds = driver.CUfunction_attribute
            most = kinds.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            _checked(driver.cuFuncSetAttribute(function, most, shared))
        return int(function)

    def enter(self, device: int) -> None:
        """Let this thread work with a device: new threads have none.

        Args:
            device: the current one's number; -1 for whichever it is.
        """
        if getattr(self._here, "device", None) != device or device < 0:
            cuda.current_context()
            self._here.device = device


@functools.cache
def machine() -> Driver:
    """The driver, found when it is first needed."""
    return Driver()


def _checked(answer: tuple[Any, ...]) -> Any:
    status, *values = answer
    check(int(status))
    return values[0] if values else None


def check(status: int) -> None:
    """Raise what a status of the driver says.

    Raises:
        MemoryError: there is no memory left on the device.
        BackendError: anything else went wrong.
    """
    if status == _OUT_OF_MEMORY:
        raise MemoryError("the CUDA driver has no memory left")
    if status:
        from cuda.bindings import driver

        raise BackendError(f"The CUDA driver says {driver.CUresult(status).name}.")
