"""What NumPy computes on values inside a kernel: a launch like others, so that plans repeat it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from nkeras.backend.packed import PackedText
from nkeras_numba_cpu.compile import ahead
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import current

_Array: TypeAlias = "np.ndarray | PackedText"


def by_numpy(function: Callable[..., Any], *arrays: _Array | None, **static: Any) -> Any:
    """The result of a function of NumPy, a new array or a tuple of such.

    A kernel must not work on values in any other way; see docs/kernels.md.
    """
    if ahead.queue is not None:
        ahead.settle(*arrays)
    result = _called(function, arrays, static)
    if current.launches is None:
        return result
    results = result if isinstance(result, tuple) else (result,)
    targets = tuple([None if made is None else _place(made) for made in results])
    current.launches.append((_compute, (function, arrays, static, targets)))
    return targets if isinstance(result, tuple) else targets[0]


def _called(
    function: Callable[..., Any], arrays: Sequence[_Array | None], static: Mapping[str, Any]
) -> Any:
    with np.errstate(all="ignore"):  # NaN and infinity are values here, and no accidents
        return function(*arrays, **static)


def run_now(kernel: Callable[..., None], count: int, work: int, *arguments: Any) -> None:
    """Run the tasks of a kernel inside a function that `by_numpy` calls, also while a plan is made.

    Such a function looks at what it computes, and a plan repeats the function.
    """
    around, launches = current.launches, list[Any]()
    current.launches = launches
    try:
        kernel(count, work, *arguments)
    finally:
        current.launches = around
    for function, given in launches:
        function(*given)


def _place(made: _Array) -> _Array:
    """Where each replay puts a result; text does not lie in memory of the plan."""
    return made.copy() if isinstance(made, PackedText) else empty(made.shape, made.dtype)


def write(source: Any, target: np.ndarray) -> None:
    """Write an array, or one value, into `target`: for few elements, without a compiled loop."""
    if ahead.queue is not None and ahead.put_off(_written, source, target):
        return
    if current.launches is None:
        np.copyto(target, source)
    else:
        current.launches.append((np.copyto, (target, source)))


def _written(source: Any, target: np.ndarray) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    return np.ndarray.__setitem__, (target, ..., source)


def _compute(
    function: Callable[..., Any],
    arrays: Sequence[_Array | None],
    static: Mapping[str, Any],
    targets: Sequence[_Array | None],
) -> None:
    result = _called(function, arrays, static)
    results = result if isinstance(result, tuple) else (result,)
    for target, made in zip(targets, results, strict=True):
        if target is not None:
            target[...] = made
