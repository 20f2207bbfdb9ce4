"""Capture: the launches of a kernel's call, and the memory that it takes, while a plan is made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nkeras_numba_cpu.memory.arena import Arena, Block, address

Launch = tuple[Callable[..., Any], tuple[Any, ...]]


class Capture(threading.local):
    """What this thread records; `launches` is None unless a plan is being made."""

    launches: list[Launch] | None = None
    arena: Arena | None = None
    blocks: list[Block] | None = None  # taken by the running kernel
    staying: frozenset[int] = frozenset()  # where its inputs lie that are the same in each replay


current = Capture()


def captured(
    arena: Arena,
    kernel: Callable[..., Any],
    arrays: Sequence[np.ndarray | None],
    static: Mapping[str, Any],
    fixed: Sequence[bool],
) -> tuple[Any, list[Launch], list[Block]]:
    """What a kernel returns, its launches, and the blocks that it took."""
    current.launches, current.arena, current.blocks = [], arena, []
    given = zip(arrays, fixed, strict=True)
    current.staying = frozenset(
        address(item) for item, stays in given if stays and item is not None
    )
    try:
        return kernel(*arrays, **static), current.launches, current.blocks
    finally:
        current.launches = current.arena = current.blocks = None
        current.staying = frozenset()


def stays(x: np.ndarray) -> bool:
    """Whether an input is the same in each replay of the plan that is being made.

    What a kernel makes of it alone, such as weights in another order, costs nothing then.
    """
    return bool(current.staying) and address(x) in current.staying
