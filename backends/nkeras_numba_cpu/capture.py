"""Capture of compiled launches: what the step plan replays without any Python around the kernels.

A kernel of this backend is Python around launches of compiled functions: it works out shapes, makes
views, asks for memory. While a plan is recorded, every launch is also noted here, function and
arguments. With the buffers at fixed addresses the launches alone are then the whole kernel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

Launch = tuple[Callable[..., Any], tuple[Any, ...]]


class Capture(threading.local):
    """What this thread records; `launches` is None unless a plan is being recorded."""

    launches: list[Launch] | None = None


current = Capture()
