"""Stage 0: what is installed, and on what it runs."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from importlib import metadata

from benchmarks.cuda_stages.device import backend
from benchmarks.cuda_stages.rows import Row
from benchmarks.cuda_stages.sanitizer import PATH

PACKAGES = ("numpy", "numba", "llvmlite", "numba-cuda", "numba-cuda-mlir", "cupy-cuda13x")
PEERS = ("torch", "jax", "keras")


def rows(part: int, parts: int) -> Iterator[Row]:
    """Versions of packages, then what the backend says of itself."""
    yield Row("python", note=f"{platform.python_version()}, {platform.platform()}")
    for title, packages in (("packages", PACKAGES), ("peers", PEERS)):
        found = [f"{name} {version}" for name in packages if (version := _version(name))]
        yield Row(title, note=", ".join(found) or "none")
    yield Row("compute-sanitizer", note=shutil.which("compute-sanitizer", path=PATH) or "not here")
    for name, fact in backend().describe().items():
        yield Row(name, note=fact)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
