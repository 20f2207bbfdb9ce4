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
    yield Case("BatchNormalization", {"synchronized": True}, ((4, 3),), in_keras=False)
    yield Case("BatchNormalization", {"axis": 1}, ((2, 4, 4),), mask=True)
    yield from _of_samples(long)
    if long:
        for axis, center, scale, renorm in product((-1, 1, 2), *[(False, True)] * 3):
            options = {"axis": axis, "center": center, "scale": scale, "renorm": renorm}
            yield Case("BatchNormalization", options, ((2, 3, 4, 5),))


def _of_samples(long: bool) -> Iterator[Case]:
    yield case("LayerNormalization", (2, 5, 7))
    yield case("LayerNormalization", (2, 4, 3, 5), axis=[1, 3], epsilon=0.01)
    yield case("LayerNormalization", (2, 4, 3), axis=1, scale=False, beta_regularizer="l2")
    yield case(
        "LayerNormalization", (2, 4, 3), axis=[2, 1], center=False, gamma_constraint="non_neg"
    )
    yield case("LayerNormalization", (2, 4, 3), rms_scaling=True)
    yield Case("LayerNormalization", {}, ((2, 4, 3),), mask=True)
    yield case("RMSNormalization", (2, 5, 7))
    yield case("RMSNormalization", (2, 4, 3), axis=[1, 2], epsilon=0.1)
    yield Case("RMSNormalization", {"axis": 1}, ((2, 4, 3),), in_keras=False)
    yield case("GroupNormalization", (2, 3, 4, 6), groups=2)
    yield case("GroupNormalization", (2, 6, 3, 4), groups=3, axis=1, beta_constraint="unit_norm")
    yield case("GroupNormalization", (2, 3, 4, 2), groups=2, axis=2, scale=False, center=False)
    yield case("GroupNormalization", (2, 3, 4), groups=-1, epsilon=0.1, gamma_regularizer="l1")
    yield Case("GroupNormalization", {"groups": 1}, ((2, 4, 3),), mask=True)
    yield case("UnitNormalization", (2, 5, 7))
    yield case("UnitNormalization", (2, 4, 3), axis=[1, 2])
    yield Case("UnitNormalization", {"axis": 1}, ((2, 4, 3),), mask=True)
    dense = {"class_name": "Dense", "module": "keras.layers", "config": {"units": 4}}
    yield Case("SpectralNormalization", {"layer": dense}, ((3, 5),), random=True)
    conv = {"filters": 2, "kernel_size": 2, "padding": "same"}
    conv = {"class_name": "Conv2D", "module": "keras.layers", "config": conv}
    options = {"layer": conv, "power_iterations": 3}
    yield Case("SpectralNormalization", options, ((2, 4, 4, 3),), random=True)
    if long:
        for axis, center, scale in product((-1, 1, [1, 2], [2, 3]), *[(False, True)] * 2):
            options = {"axis": axis, "center": center, "scale": scale}
            yield Case("LayerNormalization", options, ((2, 3, 4, 5),))
        for axis, groups, center, scale in product((-1, 1, 2), (1, 2), *[(False, True)] * 2):
            options = {"axis": axis, "groups": groups, "center": center, "scale": scale}
            yield Case("GroupNormalization", options, ((2, 6, 4, 6),))
