"""What a plan takes down while it is made: the work of kernels that run on places, not on arrays.

Python around kernels works out shapes, takes memory and launches. While a thread records, memory is
a place in the plan's own (`replay.places`), and what would be queued on the device goes to a list.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any


class Recording(threading.local):
    """What this thread records; None, unless a kernel of a plan is being lowered.

    Attributes:
        queue: takes a function and its arguments, to be called in each replay.
        empty: gives memory, as `memory.empty` does.
        module: stands for the module of arrays.
    """

    queue: Callable[..., None] | None = None
    empty: Callable[[tuple[int, ...], Any], Any] | None = None
    module: Any = None


current = Recording()


@contextmanager
def recording(
    queue: Callable[..., None] | None,
    empty: Callable[[tuple[int, ...], Any], Any] | None,
    module: Any,
) -> Generator[None, None, None]:
    """Record inside the `with` block, what `Recording` says."""
    before = current.queue, current.empty, current.module
    current.queue, current.empty, current.module = queue, empty, module
    try:
        yield
    finally:
        current.queue, current.empty, current.module = before


def suspended() -> Any:
    """Record nothing inside: what is done there is done now, and once."""
    return recording(None, None, None)
