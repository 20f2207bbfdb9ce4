"""Rescaling: numbers of all kinds, and lists for channels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

X = np.random.default_rng(0).integers(0, 256, (3, 3, 10, 3)).astype("uint8")


@contextmanager
def channels_first() -> Iterator[None]:
    before = nkeras.config.image_data_format()
    nkeras.config.set_image_data_format("channels_first")
    try:
        yield
    finally:
        nkeras.config.set_image_data_format(before)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "float16", "bool"])
def test_inputs_of_all_dtypes(dtype: str) -> None:
    x = X.astype(dtype)
    y = layers.Rescaling(1.0 / 255, 0.5)(x)
    assert y.dtype == "float32"
    np.testing.assert_allclose(y, x.astype("float64") / 255 + 0.5, rtol=1e-6)


@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16", "float64"])
def test_dtypes_of_results(policy: str) -> None:
    layer = layers.Rescaling(1.0 / 255, 0.5, dtype=policy)
    assert layer(X).dtype == layer.compute_dtype
    np.testing.assert_allclose(
        nkeras.ops.cast(layer(X), "float32"), X / 255 + 0.5, rtol=1e-2, atol=0
    )


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(2, 0.5), (1.0, 2), (np.array(1 / 255), np.array(0.5)), (np.float32(2.0), True)],
)
def test_numbers_of_all_kinds(scale: Any, offset: Any) -> None:
    layer = layers.Rescaling(scale, offset)
    np.testing.assert_allclose(layer(X), X * float(scale) + float(offset), rtol=1e-6)
    twin = layers.Rescaling.from_config(layer.get_config())
    np.testing.assert_array_equal(twin(X), layer(X))


@pytest.mark.parametrize("make", [list, tuple, np.array])
def test_lists_stand_for_channels(make: Any) -> None:
    scale, offset = make([1.0, 2.0, 3.0]), make([0.0, 10.0, 20.0])
    layer = layers.Rescaling(scale, offset)
    wanted = X * np.array([1.0, 2.0, 3.0]) + np.array([0.0, 10.0, 20.0])
    np.testing.assert_allclose(layer(X), wanted)
    with channels_first():
        y = layer(X.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(y.numpy().transpose(0, 2, 3, 1), wanted)
    twin = layers.Rescaling.from_config(layer.get_config())
    np.testing.assert_array_equal(twin(X), layer(X))


def test_lists_of_scales_with_channels_first_are_keras(oracle: Any) -> None:
    x = np.random.default_rng(0).random((2, 3, 4, 5)).astype("float32")
    scale = [1 / 255, 1.5 / 255, 2 / 255]
    wanted = oracle.run(
        """
        keras.config.set_image_data_format("channels_first")
        try:
            result = keras.layers.Rescaling(scale, 0.5)(x)
        finally:
            keras.config.set_image_data_format("channels_last")
        """,
        scale=scale,
        x=x,
    )
    with channels_first():
        np.testing.assert_allclose(layers.Rescaling(scale, 0.5)(x), wanted, rtol=1e-6)


def test_plain_lists() -> None:
    np.testing.assert_array_equal(layers.Rescaling(2.0)([[1, 2], [3, 4]]), [[2, 4], [6, 8]])


@pytest.mark.parametrize("name", ["scale", "offset"])
def test_what_is_no_number(name: str) -> None:
    with pytest.raises(ValueError, match=f"Rescaling: argument `{name}` must be a number"):
        layers.Rescaling(**{"scale": 1.0, name: "large"})
