"""Resizing."""

from __future__ import annotations

from collections.abc import Iterator

from tests.models.onnx.case import Case, const, floats

WAYS = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


def cases() -> Iterator[Case]:
    image = floats(2, 3, 4, 5)
    twice, other = const([1.0, 1.0, 2.0, 3.0]), const([1.0, 1.0, 1.5, 0.6])
    for mode in ("nearest", "linear", "cubic"):
        for way in WAYS:
            given = {"mode": mode, "coordinate_transformation_mode": way}
            yield Case("Resize", (image, None, twice), given, tolerance=1e-5)
            yield Case("Resize", (image, None, other), given, tolerance=1e-5)
    for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        given = {"nearest_mode": rounding, "coordinate_transformation_mode": "asymmetric"}
        yield Case("Resize", (image, None, other), given)
        yield Case("Resize", (image, None, twice), given)
    sizes = const([2, 3, 7, 10])
    for mode in ("nearest", "linear"):
        yield Case(
            "Resize", (image, None, None, sizes), {"mode": mode}, open_axes=(), tolerance=1e-5
        )
    yield Case("Resize", (image, None, const([2.0]), None), {"axes": [3]}, opset=18)
    yield Case("Resize", (image, None, twice), open_axes=(0, 2, 3))
    yield Case("Resize", (floats(2, 3, 5), None, const([1.0, 1.0, 2.0])))
    yield Case("Resize", (image, twice), {"mode": "linear"}, opset=10)
    yield Case("Upsample", (image, twice), opset=9)
    yield Case("Upsample", (image, twice), {"mode": "linear"}, opset=9)
    yield Case("Upsample", (image,), {"scales": [1.0, 1.0, 2.0, 2.0]}, opset=7)
