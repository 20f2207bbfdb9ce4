"""Models as Keras' own tests of configurations and clones want them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import Input, Model, Sequential, layers, saving
from nkeras.models import clone_model, model_from_json


def test_a_model_that_begins_in_another_has_an_input_of_its_own(tmp_path: Path) -> None:
    inputs = Input((4,))
    middle = layers.Dense(3)(inputs)
    outputs = layers.Dense(2, name="last")(middle) + middle[:, :2]
    whole, part = Model(inputs, outputs), Model(middle, outputs)
    assert isinstance(part.layers[0], layers.InputLayer)
    assert part.layers[1] is whole.get_layer("last")
    x = np.ones((2, 4), "float32")
    halfway = Model(inputs, middle)(x)
    np.testing.assert_array_equal(part(halfway), whole(x))
    part.save(tmp_path / "part.keras")
    again = saving.load_model(tmp_path / "part.keras")
    np.testing.assert_array_equal(again(halfway), whole(x))


@pytest.mark.parametrize("kind", [list, tuple])
def test_outputs_stay_a_list_or_a_tuple(kind: Any) -> None:
    x = Input((3,))
    model = Model(x, kind([layers.Dense(2)(x), layers.Dense(3)(x)]))
    outputs = Model.from_config(model.get_config())(np.ones((2, 3)))
    assert type(outputs) is kind
    assert [part.shape for part in outputs] == [(2, 2), (2, 3)]


def test_structures_of_inputs_stay_as_they_are() -> None:
    x = Input((3,), name="x")
    model = Model([[x]], layers.Dense(2)(x))
    assert model_from_json(model.to_json()).to_json() == model.to_json()


def test_inputs_may_be_dicts_in_dicts() -> None:
    first, second = Input((1,)), Input((2,))
    model = Model({"a": first, "more": {"b": second}}, {"sum": first + second})
    given = {"a": np.ones((3, 1)), "more": {"b": np.full((3, 2), 2.0)}}
    np.testing.assert_array_equal(model(given)["sum"], np.full((3, 2), 3.0))
    np.testing.assert_array_equal(model.predict(given, verbose=0)["sum"], np.full((3, 2), 3.0))
    assert model({"a": Input((1,)), "more": {"b": Input((2,))}})["sum"].shape == (None, 2)


class Tuned(Model):
    def __init__(self, *args: Any, strength: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.strength = strength

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.strength}


def test_a_functional_model_has_arguments_of_its_own() -> None:
    x = Input((3,))
    model = Tuned(inputs=x, outputs=layers.Dense(5)(x), strength=3)
    again = Tuned.from_config(model.get_config())
    assert isinstance(again, Tuned)
    assert again.strength == 3


def test_a_frozen_model_has_frozen_layers() -> None:
    x = Input((3,))
    model = Model(x, layers.Dense(2)(x), trainable=False)
    assert not model.layers[1].trainable
    assert Model.from_config(model.get_config()).get_config() == model.get_config()


def loss(y_true: Any, y_pred: Any) -> Any:
    return nkeras.ops.mean((y_true - y_pred) ** 2)


@pytest.mark.parametrize("functional", [False, True])
def test_clones_are_compiled_as_the_model_was(functional: bool) -> None:
    model: Any = Sequential([Input((3,)), layers.Dense(2)])
    if functional:
        model = Model(model.inputs[0], model.outputs[0])
    assert not clone_model(model).compiled
    optimizer = nkeras.optimizers.Adam(0.1)
    model.compile(optimizer, loss, metrics=["mae", nkeras.metrics.MeanSquaredError()])
    clone = clone_model(model)
    assert clone.compiled
    assert clone.optimizer is not optimizer
    assert clone.optimizer.get_config() == optimizer.get_config()
    clone.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert int(optimizer.iterations) == 0
    assert int(clone.optimizer.iterations) == 1


def test_recursion_reaches_sequential_models_that_are_not_built() -> None:
    model = Sequential([Sequential([layers.Dense(2, name="inner")]), layers.Dense(3)])
    met: list[str] = []

    def clone(layer: layers.Layer) -> layers.Layer:
        met.append(layer.name)
        return type(layer).from_config(layer.get_config())

    clone_model(model, clone_function=clone, recursive=True)
    assert "inner" in met


def test_inputs_of_a_clone_have_the_model_s_structure() -> None:
    x, y = Input((2,)), Input((2,))
    model = Model({"x": x, "y": y}, x + y)
    with pytest.raises(ValueError, match="must have the structure"):
        clone_model(model, input_tensors=(x, y))
    assert set(clone_model(model, input_tensors={"x": x, "y": y}).input) == {"x", "y"}


class Counting(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.counter = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def build(self, input_shape: Any) -> None:
        self.start = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.start.assign(5.0)

    def call(self, inputs: Any) -> Any:
        self.counter.assign_add(1)
        self.start.assign(self.start + 1)
        return inputs


def test_inferring_shapes_assigns_nothing() -> None:
    model = Sequential([Input((3,)), Counting(), layers.Dense(1)])
    counting: Any = model.layers[0]
    assert (float(counting.counter), float(counting.start)) == (0, 5)
    model(np.ones((2, 3)))
    assert (float(counting.counter), float(counting.start)) == (1, 6)


@saving.register_keras_serializable(package="models_of_keras")
class Cyclic(Model):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.blocks: list[Any] = [layers.Dense(3)]
        self.blocks.append(self.blocks)

    def call(self, inputs: Any) -> Any:
        return self.blocks[0](inputs)


def test_a_list_of_layers_may_hold_itself(tmp_path: Path) -> None:
    model, x = Cyclic(), np.ones((2, 4), "float32")
    expected = model(x)
    model.save(tmp_path / "cyclic.keras")
    again = saving.load_model(tmp_path / "cyclic.keras")
    np.testing.assert_array_equal(again(x), expected)
