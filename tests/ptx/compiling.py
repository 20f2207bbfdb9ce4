"""The PTX of a kernel, kept on disk: a function is compiled once for each signature."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from nkeras_numba_cuda.compiled.digests import digest_of
from nkeras_numba_cuda.cuda import SIMULATOR, cuda
from tests.ptx.program import Program, load

CAPABILITY = (9, 0)


class MissingLibrary(RuntimeError):
    """NVVM is not installed."""


def missing_library() -> str | None:
    """Which library of the CUDA toolkit cannot be loaded."""
    from cuda import pathfinder  # comes with numba-cuda

    for library, package in (("nvvm", "nvidia-nvvm"), ("nvrtc", "nvidia-cuda-nvrtc")):
        try:
            pathfinder.load_nvidia_dynamic_lib(library)
        except pathfinder.DynamicLibNotFoundError:
            return f"lib{library} is missing (pip install {package})"
    return None


@functools.lru_cache(maxsize=1024)
def program_for(function: Callable[..., None], signature: str) -> Program:
    """A kernel that can be executed."""
    return load(ptx_of(function, signature))


def ptx_of(function: Callable[..., None], signature: str) -> str:
    """What Numba makes of a function for sm_90.

    Raises:
        MissingLibrary: NVVM is not here, and the code was not kept.
    """
    path = folder() / f"{function.__name__[:40]}-{digest_of(function, signature)}.ptx"
    if path.exists():
        return path.read_text(encoding="utf-8")
    code = _compiled(function, signature)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(code, encoding="utf-8")
    part.replace(path)
    return code


def folder() -> Path:
    """Where code is kept: shared by the workers of a test run."""
    base = os.environ.get("NKERAS_TEST_CACHE") or os.environ.get("NUMBA_CACHE_DIR")
    return Path(base or Path(__file__).parent / "__pycache__") / "ptx"


def _compiled(function: Callable[..., None], signature: str) -> str:
    if SIMULATOR:
        raise RuntimeError("Numba's simulator cannot compile.")
    missing = missing_library()
    if missing:
        raise MissingLibrary(missing)
    # Numba asks the current device for its capability when a kernel calls a device function.
    dispatcher = vars(sys.modules["numba.cuda.dispatcher"])
    kept = dispatcher["get_current_device"]
    dispatcher["get_current_device"] = lambda: SimpleNamespace(compute_capability=CAPABILITY)
    try:
        code, _ = cuda.compile(
            function,
            signature,
            device=False,
            abi="numba",
            cc=CAPABILITY,
            lineinfo=Path(function.__code__.co_filename).exists(),
        )
    finally:
        dispatcher["get_current_device"] = kept
    return code
