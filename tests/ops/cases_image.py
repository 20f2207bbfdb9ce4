"""Calls of the primitives of `nkeras.ops.image`."""

from __future__ import annotations

from typing import Any

import numpy as np

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


def _places(*shape: int) -> np.ndarray:
    """Coordinates that are no edges between cells, some of them outside."""
    whole = floats(*shape, low=-4.0, high=8.0).round()
    return (whole + floats(*shape, low=0.1, high=0.4)).astype("float32")


_PLACES = _places(2, 2, 3, 4)
_MOVES = np.array(
    [
        [0.93, -0.21, 0.61, 0.17, 0.83, 0.29, 0.011, 0.023],
        [1.13, 0.31, -0.67, -0.27, 0.77, 1.13, -0.013, 0.017],
    ],
    "float32",
)
_RECTANGLES = (
    np.array([[1, 0], [-1, 2]], "int32"),
    np.array([[4, 3], [9, 4]], "int32"),
)
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
    "resize_images": [
        Case((floats(2, 5, 4, channels),), {"height": height, "width": width, **method})
        for channels, height, width, method in (
            (3, 7, 3, {"method": "linear", "antialias": False}),
            (2, 3, 6, {"method": "cubic", "antialias": True}),
            (1, 2, 2, {"method": "lanczos3", "antialias": True}),
        )
    ],
    "flip_images": [
        Case((floats(2, 2, 3, 4, 3), np.array([True, False])), {"axes": axes, "dtype": "float64"})
        for axes in ((2,), (3,), (2, 3))
    ],
    "weighted_channels": [
        Case((floats(*shape),), {"weights": (0.3, -0.6, 1.1)})
        for shape in ((9, 3, 1), (2, 3, 5), (0, 3, 1))
    ],
    "paste_rectangles": [
        Case((floats(2, 2, 4, 3, 1), floats(*source), np.array([1, 2]), *_RECTANGLES), {})
        for source in ((3, 2, 4, 3, 1), (1, 2, 3, 1, 1))
    ],
    "paste_noise": [
        Case(
            (floats(2, 1, 4, 3, 2), *_RECTANGLES),
            {"key": (3, 4), "size": (3, 2), "scale": 2.0, "limits": (-1.0, 1.5)},
        )
    ],
    "warp": [
        *(
            Case((floats(2, 4, 5, 3), _MOVES), {"order": order, "mode": mode, "fill_value": 0.5})
            for order, mode in ((0, "wrap"), (1, "constant"), (1, "reflect"), (1, "nearest"))
        ),
        Case((floats(2, 4, 5, 1), _MOVES[:1]), {"order": 1, "mode": "mirror", "fill_value": 0.0}),
    ],
    "sample": [
        *(
            Case((floats(2, 4, 5, 3), _PLACES), {"order": order, "mode": mode, "fill_value": 0.5})
            for order in (0, 1)
            for mode in ("constant", "nearest", "wrap", "mirror", "reflect")
        ),
        Case(
            (floats(1, 3, 2, 3, 1), _places(1, 3, 4)),
            {"order": 1, "mode": "reflect", "fill_value": 0.0},
        ),
    ],
    "sample_grad": [
        Case((floats(2, 3, 4, 3), _PLACES), {"shape": (2, 4, 5, 3), "order": order, "mode": mode})
        for order, mode in ((0, "wrap"), (1, "constant"), (1, "mirror"))
    ],
    "equalized": [
        Case((floats(2, 30, 3, low=0.0, high=255.0),), {"bins": bins}, gradient=False)
        for bins in (256, 7)
    ],
    "equalized_in_tiles": [
        Case(
            (floats(2, 9, 8, 3, low=0.0, high=255.0),),
            {"tiles": tiles, "clip_limit": 2.0},
            gradient=False,
        )
        for tiles in ((2, 2), (4, 1))
    ],
}
