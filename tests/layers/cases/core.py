"""Core layers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    yield case("Dense", units=4)
    yield case("Dense", (2, 5, 3), units=4, activation="relu", use_bias=False)
    yield case(
        "Dense",
        units=4,
        kernel_regularizer="l2",
        bias_regularizer="l1",
        activity_regularizer="l2",
        kernel_constraint="max_norm",
        bias_constraint="non_neg",
        kernel_initializer="he_normal",
        bias_initializer="ones",
        name="named",
        trainable=True,
    )
    yield case("Identity")
    yield Case("Identity", shapes=((2, 4, 3),), mask=True)
