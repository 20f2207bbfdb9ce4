"""Locally connected layers against what they say they compute, written with NumPy and in Keras."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

LAYERS = {
    1: layers.LocallyConnected1D,
    2: layers.LocallyConnected2D,
    3: layers.LocallyConnected3D,
}
SIZES = {1: (9,), 2: (7, 6), 3: (4, 5, 6)}
WINDOWS = {1: (3,), 2: (3, 2), 3: (2, 3, 2)}
STRIDES = {1: (2,), 2: (1, 2), 3: (2, 1, 3)}


def _by_hand(
    x: np.ndarray, layer: Any, channels_first: bool, pads: list[tuple[int, int]]
) -> np.ndarray:
    """Place by place, as Keras 2's first implementation."""
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    counts = bias.shape[:-1]
    around = [(0, 0), (0, 0), *pads] if channels_first else [(0, 0), *pads, (0, 0)]
    x = np.pad(x, around)
    result = np.zeros((len(x), *bias.shape), "float32")
    for number, place in enumerate(itertools.product(*map(range, counts))):
        cut = tuple(
            slice(i * stride, i * stride + size)
            for i, stride, size in zip(place, layer.strides, layer.kernel_size, strict=True)
        )
        window = x[(slice(None), slice(None), *cut)] if channels_first else x[(slice(None), *cut)]
        result[(slice(None), *place)] = window.reshape(len(x), -1) @ kernel[number] + bias[place]
    return np.moveaxis(result, -1, 1) if channels_first else result


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_each_place_has_a_kernel_of_its_own(rank: int, backend: str, data_format: str) -> None:
    first = data_format == "channels_first"
    shape = (3, 2, *SIZES[rank]) if first else (3, *SIZES[rank], 2)
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    options = {"data_format": data_format, "bias_initializer": "normal"}
    with nkeras.use_backend(backend):
        layer = LAYERS[rank](5, WINDOWS[rank], STRIDES[rank], **options)
        found = layer(x).numpy()
        expected = _by_hand(x, layer, first, [(0, 0)] * rank)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_same_padding_puts_zeros_around() -> None:
    x = np.random.default_rng(0).standard_normal((2, 7, 6, 3)).astype("float32")
    layer = layers.LocallyConnected2D(4, (3, 2), 2, "same", implementation=2)
    assert layer(x).shape == (2, 4, 3, 4)
    expected = _by_hand(x, layer, False, [(1, 1), (0, 0)])
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_numbers_and_gradients_are_those_of_patches_in_keras(oracle: Any) -> None:
    random = np.random.default_rng(1)
    x = random.standard_normal((4, 8, 7, 3)).astype("float32")
    upstream = random.standard_normal((4, 3, 3, 5)).astype("float32")
    layer = layers.LocallyConnected2D(5, 3, 2, activation="tanh", bias_initializer="normal")
    with nkeras.GradientTape() as tape:
        inputs = nkeras.ops.convert_to_tensor(x)
        tape.watch(inputs)
        y = layer(inputs)
        loss = nkeras.ops.sum(y * upstream)
    grads = tape.gradient(loss, [inputs, layer.kernel, layer.bias])
    expected = oracle.run(
        """
        def forward(x, kernel, bias):
            patches = ops.image.extract_patches(x, (3, 3), (2, 2), padding="valid")
            patches = ops.reshape(patches, (4, 9, 27))
            y = ops.reshape(ops.einsum("npk,pkf->npf", patches, kernel), (4, 3, 3, 5))
            return ops.tanh(y + bias)

        def loss(*arrays):
            return ops.sum(forward(*arrays) * upstream)

        result = [forward(x, kernel, bias), *jax.grad(loss, (0, 1, 2))(x, kernel, bias)]
        """,
        **{"x": x, "kernel": layer.kernel, "bias": layer.bias, "upstream": upstream},
    )
    for found, value in zip([y, *grads], expected, strict=True):
        np.testing.assert_allclose(found.numpy(), value, rtol=1e-4, atol=1e-5)


def test_shapes_of_weights_are_those_of_keras_2() -> None:
    layer = layers.LocallyConnected2D(8, (3, 2), name="local")
    layer.build((None, 6, 5, 3))
    described = {weight.path: weight.shape for weight in layer.weights}
    assert described == {"local/kernel": (16, 18, 8), "local/bias": (4, 4, 8)}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"padding": "same"}, "padding"),
        ({"implementation": 4}, "implementation"),
        ({"filters": 0}, "filters"),
        ({"kernel_size": 0}, "kernel_size"),
        ({"dilation_rate": 2}, "dilation_rate"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"LocallyConnected2D.*{named}"):
        layers.LocallyConnected2D(**{"filters": 2, "kernel_size": 2, **options})


def test_sizes_must_be_known_and_large_enough() -> None:
    with pytest.raises(ValueError, match=r"LocallyConnected2D: all sizes .* must be known"):
        layers.LocallyConnected2D(2, 2)(nkeras.Input((None, 4, 1)))
    with pytest.raises(ValueError, match=r"LocallyConnected1D: windows of size \(5,\)"):
        layers.LocallyConnected1D(2, 5)(nkeras.Input((4, 1)))
