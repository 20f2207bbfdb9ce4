"""Calls of the primitives of `nkeras.ops.image`."""

from __future__ import annotations

from typing import Any

from tests.ops.cases import Case, floats


def _resampled(
    size: int, method: str, antialias: bool = False, transposed: bool = False
) -> dict[str, Any]:
    scale = 5 / size if transposed else size / 5
    return {
        "axis": 1,
        "size": size,
        "method": method,
        "antialias": antialias,
        "scale": scale,
        "translation": 0.0,
        "transposed": transposed,
    }


CASES: dict[str, list[Case]] = {
    "resample": [
        Case((floats(2, 5, 3),), _resampled(8, "nearest")),
        Case((floats(2, 5, 3),), _resampled(3, "linear", antialias=True)),
        Case((floats(2, 5),), _resampled(7, "cubic")),
        Case((floats(2, 5, 3),), _resampled(7, "lanczos3", transposed=True)),
        Case((floats(2, 5, 17),), _resampled(4, "lanczos5")),
        Case(
            (floats(2, 5, 2),),
            {**_resampled(6, "linear"), "scale": -1.5, "translation": 7.0},
        ),
    ],
}
