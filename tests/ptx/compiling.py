"""The PTX of a kernel, kept on disk: a function is compiled once for each signature."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import types
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, cuda
from tests.ptx.program import Program, load

CAPABILITY = (9, 0)
_PACKAGES = ("numba", "numba-cuda", "llvmlite", "numpy")
DEVICE = Path(__file__).parents[2] / "backends" / "nkeras_numba_cuda"


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
    path = folder() / f"{function.__name__[:40]}-{_key(function, signature)}.ptx"
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


def _key(function: Callable[..., None], signature: str) -> str:
    digest = hashlib.sha256(signature.encode())
    digest.update(_surroundings())
    _feed(digest, function, set())
    return digest.hexdigest()[:32]


@functools.cache
def _surroundings() -> bytes:
    """Versions, and intrinsics: they emit code that no bytecode shows."""
    digest = hashlib.sha256("".join(version(name) for name in _PACKAGES).encode())
    for path in sorted([*DEVICE.glob("device/*.py"), DEVICE / "cuda.py"]):
        digest.update(path.read_bytes())
    return digest.digest()


def _feed(digest: Any, value: Any, seen: set[int]) -> None:
    """Add what a function's code depends on: constants, closures, functions that it calls."""
    if isinstance(value, types.FunctionType):
        if id(value) in seen:
            return
        seen.add(id(value))
        _feed_code(digest, value.__code__)
        for cell in value.__closure__ or ():
            _feed(digest, cell.cell_contents, seen)
        for name in sorted(_names(value.__code__)):
            if name in value.__globals__:
                digest.update(name.encode())
                _feed(digest, value.__globals__[name], seen)
    elif hasattr(value, "py_func"):
        _feed(digest, value.py_func, seen)
    elif hasattr(value, "_defn"):  # an intrinsic
        _feed(digest, value._defn, seen)
    elif isinstance(value, bool | int | float | str | bytes | np.generic | None | type(...)):
        digest.update(repr(value).encode())
    elif isinstance(value, tuple | list):
        for one in value:
            _feed(digest, one, seen)
    elif isinstance(value, np.ndarray):
        digest.update(value.tobytes())
    else:
        digest.update(getattr(value, "__qualname__", type(value).__qualname__).encode())


def _feed_code(digest: Any, code: types.CodeType) -> None:
    digest.update(code.co_code)
    digest.update(repr(code.co_names + code.co_varnames).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _feed_code(digest, constant)
        else:
            digest.update(repr(constant).encode())


def _names(code: types.CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found
