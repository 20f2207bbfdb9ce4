"""Compiling ahead: a backend may put off the launches of a step while it compiles what they need.

See `SupportsCompileAhead` in `nkeras.backend.protocol`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from nkeras.backend import registry
from nkeras.backend.protocol import Array

if TYPE_CHECKING:
    from nkeras.core.tensor import Tensor


def compile_ahead() -> AbstractContextManager[None]:
    """Around a step, whose kernels the backend may compile ahead."""
    found = getattr(registry.active(), "compile_ahead", None)
    return nullcontext() if found is None else found()


def settled(tensor: Tensor) -> Array:
    """The array of a tensor, with its values in it: for what reads it past the backend."""
    settle = getattr(tensor.backend, "settle", None)
    if settle is not None:
        settle(tensor.data)
    return tensor.data
