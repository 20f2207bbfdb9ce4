"""Stage 2: every case of the tests' tables, in arrays that hold NaN before a kernel writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.cuda_stages.device import backend, pick
from benchmarks.cuda_stages.rows import Row
from nkeras.core.errors import cut_text
from nkeras.core.tree import map_structure
from tests.harness.check_op import assert_same, evaluate
from tests.harness.device_arrays import empty_arrays, poison
from tests.ops.cuda_cases import all_calls


def rows(part: int, parts: int) -> Iterator[Row]:
    """Calls that are wrong, and one row for all."""
    calls = all_calls()[part :: parts * pick(1, 24)]
    backend()
    wrong: list[Row] = []
    worst, where, compared = 0.0, "", 0
    for function, case in calls:
        try:
            with empty_arrays(poison):
                got = evaluate("numba_cuda", function, case.arrays, case.static)
            assert_same(got, evaluate("numpy", function, case.arrays, case.static))
        except Exception as error:  # each call is told of, whatever it raises
            wrong.append(Row(function.name, {}, "WRONG", _told(error)))
            continue
        error = _error(got, function, case)
        compared += error is not None
        if error is not None and error > worst:
            worst, where = error, function.name
    yield from wrong
    yield Row(
        f"{len(calls)} calls of operations",
        {"differ": len(wrong), "largest error": worst},
        "WRONG" if wrong else "ok",
        f"{compared} against float64, worst {where}" if where else "",
    )


def _told(error: Exception) -> str:
    return cut_text(f"{type(error).__name__}: {' '.join(str(error).split())}", 200)


def _error(got: list[Any], function: Any, case: Any) -> float | None:
    """The largest error of float32 results against float64, where the call can be made in it."""

    def wide(array: Any) -> Any:
        is_float = isinstance(array, np.ndarray) and array.dtype == np.float32
        return array.astype("float64") if is_float else array

    try:
        want = evaluate("numpy", function, map_structure(wide, list(case.arrays)), case.static)
    except (TypeError, ValueError):  # such as the bits of numbers of another size
        return None
    found = [
        _relative(one, other)
        for one, other in zip(got, want, strict=True)
        if one is not None and one.dtype == np.float32 and other.dtype == np.float64
        if one.shape == other.shape
    ]
    return max(found, default=None)


def _relative(one: np.ndarray, other: np.ndarray) -> float:
    finite = np.isfinite(other) & np.isfinite(one)
    scale = np.maximum(1.0, np.abs(other[finite]))
    return float((np.abs(one[finite] - other[finite]) / scale).max(initial=0.0))
