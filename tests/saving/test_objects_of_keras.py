"""Configurations as Keras writes and reads them: functions, registered names, shared objects."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, saving
from nkeras.core import serialization
from tests.harness import oracle

FUNCTIONS = """
@keras.saving.register_keras_serializable(package="objects")
def squared(x):
    return x**2

result = keras.saving.serialize_keras_object(squared)
"""


@pytest.fixture
def squared() -> Generator[Any, None, None]:
    known, names = dict(serialization._custom), dict(serialization._names)

    @saving.register_keras_serializable(package="objects")
    def squared(x: Any) -> Any:
        return x**2

    yield squared
    serialization._custom.clear()
    serialization._custom.update(known)
    serialization._names.clear()
    serialization._names.update(names)


@oracle.requires_keras
def test_a_registered_function_is_written_as_keras_does(squared: Any) -> None:
    written = saving.serialize_keras_object(squared)
    assert written == oracle.run(FUNCTIONS)
    assert saving.deserialize_keras_object(written) is squared


def function(name: object, registered: str | None = "function") -> dict[str, object]:
    parts = {"module": "builtins", "class_name": "function", "config": name}
    return {**parts, "registered_name": registered}


def test_keras_before_3_7_left_out_the_package(squared: Any) -> None:
    assert saving.deserialize_keras_object(function("squared")) is squared


@pytest.mark.parametrize("registered", ["function", "kl_divergence", None])
def test_functions_of_keras_go_by_their_names(registered: str | None) -> None:
    read = saving.deserialize_keras_object(function("kl_divergence", registered))
    assert read is nkeras.losses.kl_divergence
    assert saving.deserialize_keras_object(function("relu")) is nkeras.activations.relu


@pytest.mark.parametrize("name", ["MeanSquaredError", "get", "serialize", "eval"])
def test_builtins_are_functions_of_the_tables_alone(name: str) -> None:
    with pytest.raises(TypeError, match="Unknown class or function"):
        saving.deserialize_keras_object(function(name))


def test_a_function_is_named_by_a_text() -> None:
    with pytest.raises(TypeError, match="must be its name"):
        saving.deserialize_keras_object(function(["relu"]))


@pytest.mark.parametrize("registered", ["builtins.eval", "package>Dense"])
def test_classes_of_keras_have_no_registered_names(registered: str) -> None:
    config = saving.serialize_keras_object(layers.Dense(1))
    assert isinstance(config, dict)
    with pytest.raises(ValueError, match="goes by its own name"):
        saving.deserialize_keras_object({**config, "registered_name": registered})
    for same in ("Dense", "", None):
        read = saving.deserialize_keras_object({**config, "registered_name": same})
        assert read.units == 1


class Activated(layers.Layer):
    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activation

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": self.activation}


def test_shared_objects_are_written_and_read_in_one_scope() -> None:
    relu = layers.ReLU()
    pair = [Activated(relu), Activated(relu)]
    written = json.loads(json.dumps(serialization.serialize_with_sharing(pair)))
    custom = {"Activated": Activated}
    with serialization.sharing():
        first, second = saving.deserialize_keras_object(written, custom)
    assert first.activation is second.activation
    assert first.activation is not relu


def test_a_batch_of_one_may_leave_out_the_last_axis() -> None:
    inputs = layers.Input((1,))
    model = nkeras.Model(inputs, layers.Dense(2)(inputs))
    expected = model(np.array([[5.0]]))
    np.testing.assert_array_equal(model(np.array([5.0])), expected)
    with pytest.raises(ValueError, match="expected shape"):
        model(np.ones((1, 2)))


def test_a_sequential_model_needs_layers() -> None:
    with pytest.raises(ValueError, match="with `layers`"):
        nkeras.Sequential.from_config({"name": "model"})


def test_h5_files_make_their_folder(tmp_path: Path) -> None:
    model = nkeras.Sequential([layers.Dense(1, input_shape=(3,))])
    path = tmp_path / "a" / "b" / "model.h5"
    model.save(path)
    again = saving.load_model(path)
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(again(x), model(x))


def test_h5_files_name_registered_functions(tmp_path: Path, squared: Any) -> None:
    @saving.register_keras_serializable(package="objects")
    def difference(y_true: Any, y_pred: Any) -> Any:
        return nkeras.ops.mean(squared(y_true - y_pred))

    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(1, activation=squared)])
    model.compile("sgd", difference, metrics=[difference])
    model.save(tmp_path / "model.h5")
    again = saving.load_model(tmp_path / "model.h5")
    assert again.layers[0].activation is squared
    x, y = np.ones((2, 3), "float32"), np.ones((2, 1), "float32")
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    np.testing.assert_array_equal(again(x), model(x))
