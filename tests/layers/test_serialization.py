"""`layers.serialize`, `layers.deserialize`, and second names of layers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import Sequential, layers


class Scaled(layers.Dense):
    """A class of the user's."""


def test_a_layer_comes_back() -> None:
    layer = layers.Conv2D(3, 2, activation="relu", kernel_regularizer="l2")
    twin = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert isinstance(twin, layers.Conv2D)
    assert twin.get_config() == layer.get_config()


def test_classes_of_the_user_are_given_by_name() -> None:
    twin = layers.deserialize(layers.serialize(Scaled(2)), custom_objects={"Scaled": Scaled})
    assert isinstance(twin, Scaled)


def test_what_is_no_layer_is_refused() -> None:
    config = nkeras.losses.serialize(nkeras.losses.Huber())
    with pytest.raises(ValueError, match=r"layers\.deserialize: .* must describe a layer"):
        layers.deserialize(config)


def test_second_names_are_the_same_classes() -> None:
    for rank in (1, 2, 3):
        for kind in ("", "Transpose"):
            long = getattr(layers, f"Convolution{rank}D{kind}")
            assert long is getattr(layers, f"Conv{rank}D{kind}")
    assert layers.SeparableConvolution2D is layers.SeparableConv2D
    x = np.ones((1, 4, 4, 1), "float32")
    assert layers.Convolution2D(2, 2)(x).shape == (1, 3, 3, 2)


@pytest.mark.parametrize("name", ["FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"])
def test_layers_of_other_frameworks_say_what_to_do_instead(name: str) -> None:
    with pytest.raises(AttributeError, match=r"`set_weights`"):
        getattr(layers, name)
    with pytest.raises(ImportError, match=r"nkeras' backends"):
        exec(f"from nkeras.layers import {name}")


@pytest.mark.parametrize(
    "options", [{"input_shape": (4,)}, {"batch_input_shape": (None, 4)}, {"input_dim": 4}]
)
def test_the_shape_of_the_inputs_stands_in_the_input_of_the_model(options: dict[str, Any]) -> None:
    layer = layers.Dense(3, **options)
    assert not options.keys() & layer.get_config().keys()
    config = Sequential([layer]).get_config()
    assert config["layers"][0]["config"]["batch_shape"] == (None, 4)
    assert Sequential.from_config(config).input_shape == (None, 4)
    assert layers.LayerNormalization().get_config()["rms_scaling"] is False
