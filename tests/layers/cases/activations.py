"""Activation layers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    for activation in ("relu", "softmax", "gelu", "tanh"):
        yield case("Activation", activation=activation)
    yield case("ReLU")
    yield case("ReLU", max_value=1.0, negative_slope=0.2, threshold=0.3)
    yield case("LeakyReLU")
    yield case("LeakyReLU", negative_slope=0.1)
    yield case("ELU")
    yield case("ELU", alpha=0.5)
    yield case("PReLU")
    yield case("PReLU", (2, 3, 4, 2), shared_axes=[1, 2], alpha_initializer="ones")
    yield case("Softmax")
    yield case("Softmax", (2, 3, 4), axis=1)
    yield case("Softmax", (2, 3, 4), axis=(1, 2))
    yield Case("ThresholdedReLU", {"theta": 0.5}, in_keras=False)
