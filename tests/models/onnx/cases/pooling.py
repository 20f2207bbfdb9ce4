"""Pooling."""

from __future__ import annotations

from collections.abc import Iterator

from tests.models.onnx.case import Case, floats


def cases() -> Iterator[Case]:
    image = floats(2, 3, 7, 8)
    window = {"kernel_shape": [3, 3]}
    shared = (
        {},
        {"strides": [2, 2]},
        {"strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"strides": [2, 1], "pads": [0, 2, 1, 0]},
        {"strides": [3, 2], "ceil_mode": 1},
        {"strides": [2, 3], "pads": [1, 1, 0, 1], "ceil_mode": 1},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
        {"auto_pad": "VALID"},
        {"dilations": [2, 2], "pads": [1, 1, 1, 1]},
        {"dilations": [2, 1], "strides": [2, 2]},
    )
    for given in shared:
        yield Case("MaxPool", (image,), window | given)
        yield Case("AveragePool", (image,), window | given)
        if "ceil_mode" not in given or "pads" not in given:
            yield Case("AveragePool", (image,), window | given | {"count_include_pad": 1})
    for name in ("MaxPool", "AveragePool"):
        given = {"kernel_shape": [2], "strides": [2], "pads": [1, 0]}
        yield Case(name, (floats(2, 3, 7),), given)
        yield Case(name, (floats(1, 2, 5, 4, 6),), {"kernel_shape": [2, 2, 3]})
        padded = window | {"pads": [1, 1, 1, 1], "strides": [2, 2]}
        yield Case(name, (image,), padded, open_axes=(0, 2, 3))
    for name in ("GlobalAveragePool", "GlobalMaxPool"):
        yield Case(name, (image,))
        yield Case(name, (floats(2, 3, 7),))
        yield Case(name, (floats(1, 2, 3, 4, 2),))
