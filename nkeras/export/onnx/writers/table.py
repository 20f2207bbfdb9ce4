"""The table of writers: primitive name -> function that adds its operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Writer = Callable[..., Any]

WRITERS: dict[str, Writer] = {}
WIDENED: set[str] = set()  # those that get wider numbers than half types and small integers


def writes(*names: str) -> Callable[[Writer], Writer]:
    """Decorator: the writer of primitives that move values of any dtype, or look at it."""

    def register(writer: Writer) -> Writer:
        for name in names:
            if name in WRITERS:
                raise ValueError(f"There is a writer of {name!r} already.")
            WRITERS[name] = writer
        return writer

    return register


def computes(*names: str) -> Callable[[Writer], Writer]:
    """Decorator: the writer of primitives that compute.

    As in kernels half types are widened and the results rounded once; so are small integers, for
    which runtimes have no operators.
    """
    WIDENED.update(names)
    return writes(*names)
