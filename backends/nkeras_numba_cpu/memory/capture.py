"""Capture: the launches of a kernel's call, and the memory that it takes, while a plan is made."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from nkeras_numba_cpu.memory.arena import Arena, Block, address

Launch = tuple[Callable[..., Any], tuple[Any, ...]]

_Preparation = TypeVar("_Preparation", bound=Callable[..., np.ndarray])


class Captured(NamedTuple):
    """A call of a kernel.

    Attributes:
        early: positions of the launches that work on inputs alone which stay the same.
        kept: the blocks that those use.
    """

    result: Any
    launches: list[Launch]
    blocks: list[Block]
    early: set[int]
    kept: list[Block]


class Capture(threading.local):
    """What this thread records; `launches` is None unless a plan is being made."""

    launches: list[Launch] | None = None
    arena: Arena | None = None
    blocks: list[Block] | None = None  # taken by the running kernel
    # Where arrays lie that are the same in each replay: inputs, and what was prepared of them.
    staying: frozenset[int] = frozenset()
    early: set[int]
    kept: list[Block]


current = Capture()


def captured(
    arena: Arena,
    kernel: Callable[..., Any],
    arrays: Sequence[np.ndarray | None],
    static: Mapping[str, Any],
    fixed: Sequence[bool],
) -> Captured:
    """Call a kernel, and take down what it launches."""
    current.launches, current.arena, current.blocks = [], arena, []
    current.early, current.kept = set(), []
    given = zip(arrays, fixed, strict=True)
    current.staying = frozenset(
        address(item) for item, stays in given if stays and item is not None and item.size
    )
    try:
        result = kernel(*arrays, **static)
        return Captured(result, current.launches, current.blocks, current.early, current.kept)
    finally:
        current.launches = current.arena = current.blocks = None
        current.staying = frozenset()


def stays(x: np.ndarray) -> bool:
    """Whether an array is the same in each replay of the plan that is being made.

    What a kernel makes of it alone, such as weights in another order, costs nothing then.
    """
    return bool(current.staying) and address(x) in current.staying


def preparation(function: _Preparation) -> _Preparation:
    """Decorator: what the function makes follows from its first array alone, as packed weights do.

    Where that stays the same in all replays of a plan, its launches are done once.
    """

    @functools.wraps(function)
    def wrapper(x: np.ndarray, *arguments: Any) -> np.ndarray:
        if current.launches is None or current.blocks is None or not stays(x):
            return function(x, *arguments)
        first, taken = len(current.launches), len(current.blocks)
        made = function(x, *arguments)
        current.early.update(range(first, len(current.launches)))
        current.kept += current.blocks[taken:]
        current.staying |= {address(made)}
        return made

    return wrapper  # pyright: ignore[reportReturnType]
