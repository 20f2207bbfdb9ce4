"""A digest of all that the code of a kernel depends on: what it does, not what it is called.

Kernels are made by functions that are given tiles, dtypes and other functions; so names, files and
dates say too little. Read are the bytecode, constants, closures and globals of a kernel and of all
functions that it calls. What intrinsics emit no bytecode shows: the sources of this package count.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import types
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = Path(__file__).parents[1]
_COMPILERS = ("numba", "numba-cuda", "llvmlite", "numpy", "nvidia-nvvm")


def digest_of(function: Callable[..., None], signature: str) -> str:
    """32 digits for a kernel with these types.

    Args:
        function: the Python function.
        signature: its types as Numba writes them.
    """
    digest = hashlib.sha256(signature.encode())
    digest.update(surroundings())
    _feed(digest, function, set())
    return digest.hexdigest()[:32]


@functools.cache
def surroundings() -> bytes:
    """A digest of what compiles, and of the sources that emit code."""
    digest = hashlib.sha256(sys.version.encode())
    for name in _COMPILERS:
        digest.update(f"{name} {_version(name)}\n".encode())
    for path in sorted([*PACKAGE.glob("device/*.py"), PACKAGE / "cuda.py"]):
        digest.update(path.read_bytes())
    return digest.digest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # NVVM of an installed toolkit
        return ""


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
