"""Convolutions with strides and dilation, which Keras 3.15 allows its operations alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

_X = np.random.default_rng(0).standard_normal((2, 9, 8, 3)).astype("float32")


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_numbers_are_those_of_the_operations_in_keras(name: str, padding: str, oracle: Any) -> None:
    kind = {"conv": layers.Conv2D, "conv_transpose": layers.Conv2DTranspose}[name]
    layer = kind(4, (2, 3), strides=2, dilation_rate=(3, 2), padding=padding)
    with nkeras.GradientTape() as tape:
        y = layer(_X)
        loss = nkeras.ops.sum(nkeras.ops.square(y))
    grad = tape.gradient(loss, layer.kernel)
    expected = oracle.run(
        """
        def forward(kernel):
            return getattr(ops, name)(x, kernel, strides=2, padding=padding, dilation_rate=(3, 2))

        result = [forward(kernel), jax.grad(lambda k: ops.sum(ops.square(forward(k))))(kernel)]
        """,
        **{"x": _X, "kernel": layer.kernel, "padding": padding, "name": name},
    )
    np.testing.assert_allclose(y.numpy(), expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(grad.numpy(), expected[1], rtol=1e-4, atol=1e-4)
