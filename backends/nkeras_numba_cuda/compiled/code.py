"""The PTX of a kernel: from disk, or from Numba."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from nkeras_numba_cuda.compiled import disk
from nkeras_numba_cuda.compiled.digests import digest_of
from nkeras_numba_cuda.cuda import cuda

Capability = tuple[int, int]

_ENTRY = re.compile(r"\.entry\s+([\w$]+)")


def ptx_of(function: Callable[..., None], signature: str, capability: Capability) -> str:
    """The code of a kernel for a kind of GPU, compiled once for all processes of a user.

    Args:
        function: the Python function.
        signature: its types as Numba writes them.
        capability: of the GPU.
    """
    name = f"sm_{capability[0]}{capability[1]}-{digest_of(function, signature)}"
    text = disk.load(name)
    if text is None:
        text = compiled(function, signature, capability)
        disk.store(name, text)
    return text


def compiled(function: Callable[..., None], signature: str, capability: Capability) -> str:
    """What Numba makes of it."""
    text: Any
    text, _ = cuda.compile(function, signature, device=False, abi="numba", cc=capability)
    return text


def entry_of(text: str) -> str:
    """What the kernel is called in its code."""
    found = _ENTRY.search(text)
    if found is None:
        raise ValueError("There is no kernel in this PTX.")
    return found[1]
