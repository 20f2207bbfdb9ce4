"""A `with` block in which a context variable has another value."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Scope(Generic[_T]):
    """Inside, `variable` has the value; behind, its value of before.

    Layers and tapes open one in each call, and a generator with `@contextmanager` takes five times
    as long.
    """

    __slots__ = ("_token", "_value", "_variable")
    _token: Token[_T]

    def __init__(self, variable: ContextVar[_T], value: _T) -> None:
        self._variable = variable
        self._value = value

    def __enter__(self) -> None:
        self._token = self._variable.set(self._value)

    def __exit__(self, *exception: object) -> None:
        self._variable.reset(self._token)
