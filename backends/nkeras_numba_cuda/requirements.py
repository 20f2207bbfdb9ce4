"""What the backend needs on this machine, and the message if something is missing."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys

from nkeras.core.errors import cut_text

LIBRARIES = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")


def complaint() -> str | None:
    """Everything that was looked for and what came of it, or None if nothing is missing."""
    target = _import_error("nkeras_numba_cuda.cuda")
    if target is None:
        from nkeras_numba_cuda.cuda import SIMULATOR

        if SIMULATOR:
            return None
    driver = _driver_error()
    findings = {
        "numba-cuda": target,
        "NVIDIA driver": driver,
        "CUDA device": "no driver to ask" if driver else target or _device_error(),
        "cupy": _import_error("cupy"),
    }
    if not any(findings.values()):
        return None
    found = "; ".join(f"{name}: {problem or 'found'}" for name, problem in findings.items())
    return (
        f"The CUDA backend needs an NVIDIA GPU and the packages of `pip install 'nkeras[cuda]'`. "
        f"Looked for {found}. To run its kernels without a GPU (slowly, in numba-cuda's "
        "simulator), set the environment variable NUMBA_ENABLE_CUDASIM=1 before Python starts."
    )


def _import_error(module: str) -> str | None:
    """Why a module cannot be imported."""
    try:
        __import__(module)
    except Exception as error:  # a package too old for its neighbours raises anything at its import
        reason = cut_text(" ".join(str(error).split()))  # some are of several lines
        return f"cannot be imported ({type(error).__name__}: {reason})"
    return None


def _driver_error() -> str | None:
    for name in LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return None
    return f"no {' or '.join(LIBRARIES)}"


def _device_error() -> str | None:
    from nkeras_numba_cuda.cuda import cuda

    if not cuda.is_available():
        return f"none ({cuda.cuda_error() or 'the driver reports no device'})"
    return None
