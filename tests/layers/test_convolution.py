"""What convolutions offer to layers that are made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops


@pytest.fixture(autouse=True)
def _numpy_backend() -> Any:
    with nkeras.use_backend("numpy"):
        yield


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (layers.Conv1D, {"padding": "causal", "dilation_rate": 2}),
        (layers.Conv2D, {"padding": "same", "strides": 2, "data_format": "channels_first"}),
        (layers.Conv3D, {"groups": 2, "use_bias": False}),
    ],
)
def test_convolution_op_is_the_convolution_alone(kind, options):
    class Own(kind):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel)

    x = np.random.default_rng(0).normal(size=(2, *(4,) * (kind.rank + 1))).astype("float32")
    known = kind(6, 2, activation="relu", bias_initializer="ones", **options)
    own = Own(6, 2, activation="relu", **options)
    expected = known(x)
    own.build(x.shape)
    own.set_weights(known.get_weights())
    np.testing.assert_allclose(own(x), expected, rtol=1e-6)


def test_layers_override_the_convolution_or_call_it_with_another_kernel():
    """A recipe of Keras: the kernel is standardized in either way."""

    def standardized(kernel):
        mean, variance = ops.moments(kernel, axes=[0, 1, 2], keepdims=True)
        return (kernel - mean) / ops.sqrt(variance + 1e-10)

    class Override(layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return ops.conv(inputs, standardized(kernel), padding="valid", strides=self.strides)

    class Call(layers.Conv2D):
        def call(self, inputs):
            return self.convolution_op(inputs, standardized(self.kernel)) + self.bias

    x = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype("float32")
    first, second = Override(4, 3, strides=2), Call(4, 3, strides=2)
    assert first(x).shape == second(x).shape == (2, 2, 2, 4)
    second.set_weights(first.get_weights())
    np.testing.assert_allclose(first(x), second(x), rtol=1e-6)
    kernel = np.asarray(first.kernel)
    kernel = (kernel - kernel.mean((0, 1, 2))) / kernel.std((0, 1, 2))
    np.testing.assert_allclose(
        first(x)[:, 0, 0], np.einsum("byxc,yxcf->bf", x[:, :3, :3], kernel), rtol=1e-4, atol=1e-5
    )
