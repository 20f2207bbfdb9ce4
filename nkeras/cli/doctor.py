"""`python -m nkeras doctor`: what is installed, which backends work, and why others do not."""

from __future__ import annotations

import argparse
import os
import platform
import textwrap
from importlib import metadata
from pathlib import Path

import nkeras
from nkeras.backend import registry
from nkeras.cli.against import usable_cores

DESCRIPTION = "show versions, backends, threads, the kernel cache and the GPU"

_PACKAGES = ("numpy", "numba", "llvmlite", "ml_dtypes", "h5py")
_GPU_PACKAGES = ("numba-cuda", "numba-cuda-mlir", "cupy-cuda13x", "cupy-cuda12x", "cupy")
_ENVIRONMENT = (
    "NKERAS_BACKEND",
    "NKERAS_NUM_THREADS",
    "NKERAS_VECTOR_BITS",
    "NKERAS_COMPILE_PROCESSES",
    "NKERAS_CACHE_MEGABYTES",
    "OMP_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMBA_THREADING_LAYER",
    "NUMBA_CACHE_DIR",
    "NUMBA_DISABLE_JIT",
    "NUMBA_ENABLE_CUDASIM",
    "NKERAS_CUDA_TARGET",
    "CUDA_VISIBLE_DEVICES",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(options: argparse.Namespace) -> int:
    """Print everything; a missing backend is no failure."""
    print("\n".join(report()))
    return 0


def report() -> list[str]:
    """The lines that `doctor` prints."""
    lines = _section("versions", _versions())
    for name, state in nkeras.backends().items():
        shorts = [short for short, target in registry.ALIASES.items() if target == name]
        title = f"backend {name}" + "".join(f" ({short})" for short in shorts)
        facts = {"state": state}
        if state in ("active", "available"):
            facts |= registry.load(name).describe()
        lines += _section(title, facts)
    given = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    if given:
        lines += _section("environment", given)
    return lines[:-1]


def _versions() -> dict[str, str]:
    facts = {
        "nkeras": f"{nkeras.__version__}, {Path(nkeras.__file__).parent}",
        "python": f"{platform.python_version()}, {platform.platform()}",
        "cores": str(usable_cores()),
    }
    for package in _PACKAGES:
        facts[package] = _version(package) or "not installed"
    found = {package: _version(package) for package in _GPU_PACKAGES}
    return facts | {package: version for package, version in found.items() if version}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _section(title: str, facts: dict[str, str]) -> list[str]:
    width = max(len(name) for name in facts)
    lines = [title]
    for name, value in facts.items():
        # Not at hyphens: what is shown may be copied into a terminal.
        wrapped = textwrap.wrap(value, 96 - width, break_long_words=False, break_on_hyphens=False)
        for label, text in zip([name, *[""] * len(wrapped)], wrapped, strict=False):
            lines.append(f"  {label:<{width}}  {text}")
    return [*lines, ""]
