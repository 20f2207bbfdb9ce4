"""Dropout, noise and penalties."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    for name, options, shape in (
        ("Dropout", {"rate": 0.4}, (2, 3)),
        ("Dropout", {"rate": 0.4, "noise_shape": (None, 1, 3), "seed": 3}, (2, 4, 3)),
        ("AlphaDropout", {"rate": 0.4}, (2, 3)),
        ("AlphaDropout", {"rate": 0.4, "noise_shape": (None, 1, 3), "seed": 3}, (2, 4, 3)),
        ("SpatialDropout1D", {"rate": 0.4}, (2, 4, 3)),
        ("SpatialDropout2D", {"rate": 0.4, "data_format": "channels_first"}, (2, 4, 3, 3)),
        ("SpatialDropout3D", {"rate": 0.4}, (2, 4, 3, 3, 2)),
        ("GaussianNoise", {"stddev": 0.4}, (2, 3)),
        ("GaussianDropout", {"rate": 0.4}, (2, 3)),
    ):
        yield Case(name, options, (shape,), random=True)
    if long:
        options = {"rate": 0.4, "data_format": "channels_first"}
        yield Case("SpatialDropout3D", options, ((2, 4, 3, 3, 2),), random=True)
    yield case("Dropout", rate=0.0)
    yield case("Dropout", rate=1.0)
    yield case("AlphaDropout", rate=0.0)
    yield Case("AlphaDropout", {"rate": 0.4}, ((2, 4, 3),), mask=True, random=True)
    yield case("ActivityRegularization", l1=0.1, l2=0.2)
