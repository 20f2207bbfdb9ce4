"""How functions are compiled: flags, and the cache on disk. Nothing compiles until it is called."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import llvmlite.binding
import numba
import numpy as np

from nkeras_numba_cpu.simd import vector_bits

OPTIONS: dict[str, Any] = {
    "nogil": True,
    # The default ("python") keeps a division check in each loop, which stops vectorisation.
    "error_model": "numpy",
    # Neither nnan nor ninf, with which LLVM drops tests for NaN and infinity, nor arcp and afn,
    # which cost accuracy. Sums that LLVM may order are marked in `drivers.tasks`.
    "fastmath": {"contract"},
    # No counting of references: it takes long to compile. Memory comes from `views.allocate`.
    "_nrt": False,
}

# Versions of Numba whose internals `pipeline` knows. With others Numba's own pipeline serves, which
# takes twice as long.
_KNOWN = ("0.68",)

_DIGITS = 16  # of the digest in the name of a cache folder
_KEPT_SECONDS = 30 * 24 * 3600

_F = TypeVar("_F", bound=Callable[..., Any])


def _is_known() -> bool:
    return numba.__version__.rpartition(".")[0] in _KNOWN


def _pipeline() -> dict[str, Any]:
    """The option for our own pipeline."""
    if not _is_known():
        return {}
    from nkeras_numba_cpu.pipeline import Part

    return {"pipeline_class": Part}


def inner(function: _F, **options: Any) -> _F:
    """Compile `function` for compiled callers only: no wrapper for Python, no disk cache."""
    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    options = {**OPTIONS, **_pipeline(), **wrappers, **options}
    return numba.njit(**options)(function)


@functools.cache
def cache_dir() -> str:
    """The folder with our compiled kernels, named after the sources and versions they depend on."""
    name = f"nkeras-{_digest()}"
    candidates = _cache_parents()
    for parent in candidates:
        folder = parent / name
        try:
            is_new = not folder.exists()
            folder.mkdir(0o700, parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            os.utime(folder)  # the time of its last use
        except OSError:
            continue
        if is_new:
            _remove_unused(parent)
        return str(folder)
    tried = ", ".join(str(parent) for parent in candidates)
    raise OSError(
        f"nkeras: no writable folder for compiled kernels (tried {tried}); "
        "set NUMBA_CACHE_DIR to one"
    )


def _remove_unused(parent: Path) -> None:
    """Delete the folders of other versions that no process has opened for a month."""
    for folder in parent.glob("nkeras-" + "[0-9a-f]" * _DIGITS):
        with suppress(OSError):  # another process may be deleting it too
            if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(folder)


def cache_note() -> str:
    """What `describe` says about the cache: its folder, and whether it is not the first choice."""
    folder = Path(cache_dir())
    first = _cache_parents()[0]
    return str(folder) if folder.parent == first else f"{folder} ({first} is not writable)"


def _cache_parents() -> list[Path]:
    """Where the cache may live, best first."""
    chosen = _numba_cache_dir()
    beside = Path(chosen) if chosen else Path(__file__).parent / "__pycache__"
    personal = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.path.expanduser("~")) / ".cache")
    # Compiled code is loaded and run: in a shared temporary folder it goes below a name only this
    # user would use.
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return [beside, personal / "nkeras", Path(tempfile.gettempdir()) / f"nkeras-{user}"]


def _numba_cache_dir() -> str:
    return str(numba.config.CACHE_DIR)  # pyright: ignore[reportAttributeAccessIssue]


def _digest() -> str:
    """Short digest of the sources of all kernels and of what compiles them.

    Numba's cache looks only at the file of the function itself: after a change of a function called
    from another file it would serve stale machine code.
    """
    digest = hashlib.sha256()
    versions = (sys.version, platform.machine(), numba.__version__, np.__version__, vector_bits())
    processor = (llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features())
    digest.update(repr((versions, processor[0], processor[1].flatten())).encode())
    for folder in _source_folders():
        for file in sorted(folder.rglob("*.py")):
            digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:_DIGITS]


def _source_folders() -> Iterator[Path]:
    import nkeras.backend

    yield Path(__file__).parent
    yield Path(nkeras.backend.__path__[0])


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


class _Notice:
    """Entered while kernels are compiled; says so once, when that has taken more than a second."""

    def __init__(self) -> None:
        self.total = 0.0
        self.depth = 0
        self.began = 0.0
        self.said = False

    def __enter__(self) -> None:
        if self.depth == 0:
            self.began = time.perf_counter()
        self.depth += 1
        self._say_if_long(0.0)

    def __exit__(self, *error: object) -> None:
        self.depth -= 1
        elapsed = time.perf_counter() - self.began
        if self.depth == 0:
            self.total += elapsed
            elapsed = 0.0
        self._say_if_long(elapsed)

    def _say_if_long(self, running: float) -> None:
        if not self.said and self.total + running > 1.0:
            self.said = True
            print("nkeras: compiling kernels (first run only) ...", file=sys.stderr, flush=True)


notice = _Notice()  # one compilation at a time: Numba holds a global lock
