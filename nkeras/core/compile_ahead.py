"""Compiling ahead: a dry run of a step in a forked process shows which kernels it will need.

A backend that compiles may fork in the middle of a step (`SupportsCompileAhead` in
`nkeras.backend.protocol`). In the child, kernels return without having computed anything. So Python
must not look at values that were made there: that ends the dry run, like an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.core import recording
from nkeras.core.tensor import Tensor


class Looked(BaseException):
    """Python looks at values that nobody has computed."""


class _DryRun(recording.Recorder):
    """Lets a step go on without values; what it records nobody reads."""

    def __init__(self) -> None:
        super().__init__(registry.active())
        # What was made before has values, and so has another handle of that.
        self._first = Tensor(np.zeros(()), self.backend).uid
        self._known: set[int] = set()

    def look(self, tensor: Tensor) -> None:
        if tensor.backend is self.backend and not self._has_values(tensor):
            raise Looked

    def same(self, tensor: Tensor, handle: Tensor) -> None:
        if self._has_values(tensor):
            self._known.add(handle.uid)

    def _has_values(self, tensor: Tensor) -> bool:
        return tensor.uid < self._first or tensor.uid in self._known

    def live(self, function: Callable[[], Any], key: Hashable = None) -> Any:
        return function()

    def choice(self, choice: recording.Choice) -> Any:
        return choice.ask()

    def either(self, flag: Tensor, body: Callable[[], None], otherwise: Callable[[], None]) -> None:
        body()

    def on_host(self, function: Callable[..., object], tensors: Sequence[Tensor]) -> None:
        if not tensors:
            function()


def _begin() -> None:
    _DryRun().begin()


def is_dry_run() -> bool:
    """Whether this is a step in a process that computes nothing."""
    return type(recording.active()) is _DryRun


def compile_ahead() -> AbstractContextManager[None]:
    """Around a step, whose kernels the backend may compile ahead."""
    found = getattr(registry.active(), "compile_ahead", None)
    return nullcontext() if found is None else found(_begin)
