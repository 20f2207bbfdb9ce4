"""Where compiled kernels may be kept: folders named after sources and versions they depend on."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np

from nkeras_numba_cpu.compile.trust import PACKAGE
from nkeras_numba_cpu.emit.registers import vector_bits

_DIGITS = 16  # of the digest in the name of a folder
PATTERN = "nkeras-" + "[0-9a-f]" * _DIGITS


@functools.cache
def folders() -> tuple[Path, ...]:
    """The folders for this version of the kernels, best first, as real paths; few of them exist."""
    name = f"nkeras-{_digest()}"
    return tuple(Path(os.path.realpath(parent / name)) for parent in _parents())


def _parents() -> Iterator[Path]:
    chosen = _numba_cache_dir()
    yield Path(chosen) if chosen else PACKAGE / "__pycache__"
    personal = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(personal):
        personal = os.path.join(os.path.expanduser("~"), ".cache")
    if os.path.isabs(personal):  # a user without a home has none
        yield Path(personal) / "nkeras"
    try:
        shared = tempfile.gettempdir()
    except OSError:  # none can be written to
        return
    user = os.geteuid() if hasattr(os, "geteuid") else os.environ.get("USERNAME", "user")
    yield Path(shared) / f"nkeras-{user}"


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

    yield PACKAGE
    yield Path(nkeras.backend.__path__[0])
