"""Whether a function runs once for all slices of its argument; see `nkeras.ops.vectorizing`."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from nkeras.core.scope import Scope

Interpreter = Callable[[Any, Callable[..., Any], tuple[object, ...], dict[str, Any]], Any]

_interpreter: ContextVar[Interpreter | None] = ContextVar("nkeras_interpreter", default=None)
interpreter: Callable[[], Interpreter | None] = _interpreter.get


class NotVectorizedError(Exception):
    """The function must be called slice by slice."""


def interpreted_by(one: Interpreter | None) -> Scope[Interpreter | None]:
    """Inside, calls of operations on symbolic tensors are handed to an interpreter."""
    return Scope(_interpreter, one)


def refuse(what: str) -> None:
    """End the run for all slices at once: `what` happens, which each slice does for itself.

    Raises:
        NotVectorizedError: there is such a run.
    """
    if _interpreter.get() is not None:
        raise NotVectorizedError(what)
