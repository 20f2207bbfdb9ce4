"""How Numba compiles our functions: flags, and its pipeline."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

import numba

OPTIONS: dict[str, Any] = {
    "nogil": True,
    # The default ("python") keeps a division check in each loop, which stops vectorisation.
    "error_model": "numpy",
    # Neither nnan nor ninf, with which LLVM drops tests for NaN and infinity, nor arcp and afn,
    # which cost accuracy. Sums that LLVM may order are marked in `launch.tasks`.
    "fastmath": {"contract"},
    # No counting of references: it takes long to compile. Memory comes from `emit.views.allocate`.
    "_nrt": False,
}

# Versions of Numba whose internals `pipeline` knows. With others Numba's own pipeline serves, which
# takes twice as long.
_KNOWN = ("0.68",)

_F = TypeVar("_F", bound=Callable[..., Any])


def _is_known() -> bool:
    return numba.__version__.rpartition(".")[0] in _KNOWN


def _pipeline() -> dict[str, Any]:
    """The option for our own pipeline."""
    if not _is_known():
        return {}
    from nkeras_numba_cpu.compile.pipeline import Part

    return {"pipeline_class": Part}


def inner(function: _F, **options: Any) -> _F:
    """Compile `function` for compiled callers only: no wrapper for Python, no disk cache."""
    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    options = {**OPTIONS, **_pipeline(), **wrappers, **options}
    return numba.njit(**options)(function)


def unfused(function: _F) -> _F:
    """The same as `inner` where no product is fused with a sum: the numbers are those of NumPy."""
    return inner(function, fastmath=False)


@functools.cache
def import_without_scipy() -> None:
    """Import numba.np.arraymath, but not scipy.linalg with it, which takes a quarter of a second.

    The module wants to know whether scipy is installed; what needs it imports it when it is used.
    """
    if not _is_known():
        return
    from numba.np import linalg

    ensure = linalg.ensure_blas
    linalg.ensure_blas = _ensure_scipy
    try:
        from numba.np import arraymath

        arraymath.ensure_blas = ensure
    finally:
        linalg.ensure_blas = ensure


def _ensure_scipy() -> None:
    if importlib.util.find_spec("scipy") is None:
        raise ImportError("scipy is not installed")
