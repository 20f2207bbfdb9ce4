"""Preprocessing layers for numbers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    yield case("Normalization")
    given = {"mean": [0.5, 0.25, -0.125], "variance": [0.125, 0.25, 0.5]}
    yield case("Normalization", **given)
    yield Case("Normalization", {**given, "invert": True}, ((2, 4, 3),), mask=True)
    yield case("Normalization", (2, 3, 2), axis=(1, 2))
    yield Case("Normalization", {"axis": -1}, ((2, 3),), below=9)
    yield case("Rescaling", scale=0.25, offset=-1)
    yield Case("Rescaling", {"scale": [0.5, 2.0, 1.0]}, ((2, 3, 3),), mask=True)
    yield Case("Rescaling", {"scale": 1.0 / 255.0, "offset": [0.5, 0.25]}, ((3, 2),), below=256)
    if long:
        yield case("Normalization", (2, 3, 2, 4), axis=None)
        yield case("Normalization", (2, 3, 2), axis=1, mean=2.0, variance=0.25, invert=True)
        yield case("Normalization", (2, 3, 2), axis=(2, 1), mean=[1.0, 2.0], variance=[0.5, 2.0])
        yield case("Normalization", (2, 3, 2), axis=(1, -1), invert=True)
