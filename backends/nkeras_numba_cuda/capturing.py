"""Stream capture where there is no GPU: what is queued is kept for a graph, the rest is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Queued = tuple[Callable[..., Any], tuple[Any, ...]]


class Capturing(threading.local):
    """What this thread captures; None unless it does."""

    queued: list[Queued] | None = None


current = Capturing()


def queue(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function, or keep the call for the graph."""
    if current.queued is None:
        function(*arguments)
    else:
        current.queued.append((function, arguments))


def refuse(what: str) -> None:
    """Say that something cannot be part of a graph, while one is captured.

    Raises:
        RuntimeError: one is.
    """
    if current.queued is not None:
        raise RuntimeError(f"operation not permitted when stream is capturing: {what}")
