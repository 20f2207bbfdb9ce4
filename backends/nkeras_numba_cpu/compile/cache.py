"""The folder of compiled kernels, named after the sources and versions that they depend on."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np

from nkeras_numba_cpu.emit.simd import vector_bits

_PACKAGE = Path(__file__).parents[1]
_DIGITS = 16  # of the digest in the name of a cache folder
_KEPT_SECONDS = 30 * 24 * 3600


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
    beside = Path(chosen) if chosen else _PACKAGE / "__pycache__"
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

    yield _PACKAGE
    yield Path(nkeras.backend.__path__[0])
