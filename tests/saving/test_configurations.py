"""Objects to configurations and back, as `keras.saving` and `keras.legacy.saving` do it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import saving
from tests.harness import oracle

OBJECTS = """
layers, optimizers = keras.layers, keras.optimizers
objects = [
    None, True, 3, 0.5, "text", [1, (2, None)], {"a": [1]}, b"bytes",
    slice(1, None, 2), Ellipsis, np.float32(1.5), np.array(2), np.arange(3, dtype="int32"),
    layers.Dense(3, activation="relu", name="d"),
    layers.Dense(2, kernel_regularizer="l2", dtype="mixed_bfloat16", name="e"),
    optimizers.Adam(0.1, name="adam"),
    optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 5, 0.5), name="sgd"),
    keras.losses.CategoricalCrossentropy(label_smoothing=0.5),
    keras.metrics.Precision(thresholds=0.3, name="p"),
    keras.initializers.HeNormal(seed=3),
    keras.constraints.MaxNorm(2.0),
    keras.KerasTensor((None, 3), "float16", name="x"),
    keras.DTypePolicy("mixed_float16"),
    keras.random.SeedGenerator(5, name="seeds"),
]
result = [keras.saving.serialize_keras_object(one) for one in objects]
"""


@oracle.requires_keras
def test_configurations_are_those_of_keras() -> None:
    names: dict[str, Any] = {"keras": nkeras, "np": np}
    exec(OBJECTS, names)
    theirs = oracle.run(OBJECTS)
    for one, ours, other in zip(names["objects"], names["result"], theirs, strict=True):
        assert json.loads(json.dumps(ours)) == json.loads(json.dumps(other)), repr(one)
        again = saving.deserialize_keras_object(other)
        assert json.dumps(saving.serialize_keras_object(again)) == json.dumps(other)


MODEL = """
def make(keras):
    x = keras.Input((4, 6), name="x")
    y = keras.layers.Dense(3, "relu", name="first")(x[:, 1])
    z = keras.layers.Dense(3, name="second")(y) + y
    model = keras.Model(x, z, name="model")
    model.compile("sgd", "mse")
    return model
"""


@oracle.requires_keras
def test_models_go_through_json() -> None:
    names: dict[str, Any] = {}
    exec(MODEL, names)
    model = names["make"](nkeras)
    text = model.to_json(indent=1)
    again = nkeras.models.model_from_json(text)
    assert [layer.name for layer in again.layers] == ["x", "first", "second"]
    assert again.to_json(indent=1) == text
    again.set_weights(model.get_weights())
    x = np.ones((2, 4, 6), "float32")
    np.testing.assert_array_equal(again(x), model(x))
    theirs = oracle.run(MODEL + "model = make(keras); result = model.to_json()")
    from_keras = nkeras.models.model_from_json(theirs)
    from_keras.set_weights(model.get_weights())
    np.testing.assert_array_equal(from_keras(x), model(x))


def double(x: Any) -> Any:
    return x * 2


class Twice(nkeras.layers.Layer):
    def call(self, x: Any) -> Any:
        return x * 2


def test_custom_objects_in_all_ways() -> None:
    config = saving.serialize_keras_object(Twice(name="twice"))
    config = {**config, "module": None, "registered_name": None}
    with pytest.raises(TypeError, match="Unknown class or function 'Twice'"):
        saving.deserialize_keras_object(config)
    assert isinstance(saving.deserialize_keras_object(config, {"Twice": Twice}), Twice)
    with saving.CustomObjectScope({"Twice": Twice}), saving.custom_object_scope(None):
        assert isinstance(saving.deserialize_keras_object(config), Twice)
        assert saving.get_registered_object("Twice") is Twice
    assert saving.get_registered_object("Twice") is None
    known = saving.get_custom_objects()
    known["Twice"] = Twice
    try:
        assert isinstance(saving.deserialize_keras_object(config), Twice)
    finally:
        del known["Twice"]


def test_names_stand_for_functions_and_classes() -> None:
    assert saving.deserialize_keras_object("double", {"double": double}) is double
    assert saving.deserialize_keras_object("double") == "double"
    made = saving.deserialize_keras_object("Twice", module_objects={"Twice": Twice})
    assert isinstance(made, Twice)
    registered = saving.register_keras_serializable("mine", "other")(double)
    try:
        assert saving.get_registered_name(registered) == "mine>other"
        assert saving.get_registered_object("mine>other") is double
    finally:
        del saving.get_custom_objects()["mine>other"]


def test_the_same_names_are_in_utils() -> None:
    for name in ("CustomObjectScope", "serialize_keras_object", "register_keras_serializable"):
        assert getattr(saving, name) is getattr(nkeras.utils, name)
    for name in ("serialize_keras_object", "deserialize_keras_object"):
        assert getattr(nkeras.legacy.saving, name) is getattr(nkeras.utils.legacy, name)


LEGACY = """
def legacy(keras, module):
    objects = [
        None,
        keras.layers.Dense(3, activation="relu", name="d"),
        keras.regularizers.L1L2(0.1, 0.2),
        keras.optimizers.SGD(0.5, name="sgd"),
        keras.activations.relu,
    ]
    return [module.serialize_keras_object(one) for one in objects]
"""


@oracle.requires_keras
def test_legacy_configurations_are_those_of_keras() -> None:
    names: dict[str, Any] = {}
    exec(LEGACY, names)
    ours = names["legacy"](nkeras, nkeras.legacy.saving)
    theirs = oracle.run(LEGACY + "result = legacy(keras, keras.legacy.saving)")
    assert json.loads(json.dumps(ours)) == json.loads(json.dumps(theirs))
    read = nkeras.legacy.saving.deserialize_keras_object
    known = {"Dense": nkeras.layers.Dense, "L1L2": nkeras.regularizers.L1L2, "relu": double}
    assert read(None) is None
    assert read(theirs[1], known).units == 3
    assert read(theirs[2], known).get_config() == nkeras.regularizers.L1L2(0.1, 0.2).get_config()
    assert read("relu", known) is double
    assert read(double) is double


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda legacy: legacy.serialize_keras_object(3), "neither `get_config"),
        (lambda legacy: legacy.deserialize_keras_object({"a": 1}), "Improper config format"),
        (
            lambda legacy: legacy.deserialize_keras_object("x", printable_module_name="layer"),
            "Unknown layer: 'x'",
        ),
    ],
)
def test_errors_of_legacy(call: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call(nkeras.legacy.saving)
