"""Normalizations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    yield case("BatchNormalization", (6, 3))
    yield case("BatchNormalization", (2, 3, 4, 2), momentum=0.8, epsilon=0.01)
    yield case("BatchNormalization", (2, 3, 4, 2), axis=1, scale=False, beta_regularizer="l2")
    yield case("BatchNormalization", (4, 3), center=False, gamma_constraint="non_neg")
    yield case("BatchNormalization", (4, 3), trainable=False)
    yield Case("BatchNormalization", {}, ((2, 4, 3),), mask=True)
    yield case(
        "BatchNormalization",
        (4, 3),
        renorm=True,
        renorm_clipping={"rmax": 1.2, "rmin": 0.9, "dmax": 0.3},
        renorm_momentum=0.9,
    )
    if long:
        for axis, center, scale, renorm in product((-1, 1, 2), *[(False, True)] * 3):
            options = {"axis": axis, "center": center, "scale": scale, "renorm": renorm}
            yield Case("BatchNormalization", options, ((2, 3, 4, 5),))
