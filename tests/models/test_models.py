"""Sequential, functional and subclassed models: structure, order, names, configuration."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.core.serialization import serialize_keras_object

DEFINITIONS = """
def sequential(k):
    return k.Sequential(
        [k.Input((6, 6, 1)), k.layers.Conv2D(2, 3, activation="relu"), k.layers.MaxPooling2D(),
         k.layers.Flatten(), k.layers.Dropout(0.5), k.layers.Dense(3, activation="softmax")],
        name="sequential",
    )

def deferred(k):
    model = k.Sequential([k.layers.Dense(4), k.layers.BatchNormalization(), k.layers.Dense(2)])
    model.build((None, 3))
    return model

def two_inputs(k):
    a, b = k.Input((3,), name="a"), k.Input((4,), name="b")
    shared = k.layers.Dense(4, name="shared")
    x = shared(a)
    y = k.layers.Add(name="sum")([x, b])
    z = k.layers.Concatenate(name="both")([y, k.layers.Dense(2, name="side")(b)])
    return k.Model([a, b], [k.layers.Dense(1, name="last")(z), shared(a)], name="two_inputs")

def with_ops(k):
    a, b = k.Input((3,), name="a"), k.Input((4,), name="b")
    x = k.layers.Dense(4, name="d")(a)
    y = k.ops.add(x, b)
    z = k.layers.Concatenate(name="c")([y, x[:, 1:3]])
    return k.Model([a, b], {"o": k.ops.relu(z * 2.0), "m": k.ops.mean(z, axis=-1)}, name="with_ops")

def nested(k):
    i = k.Input((3,), name="inner_input")
    inner = k.Model(i, k.layers.Dense(3, activation="tanh", name="inner_dense")(i), name="inner")
    a = k.Input((3,), name="a")
    x = inner(inner(a))
    return k.Model(a, k.layers.Dense(2, name="out")(x), name="nested")

def residual(k):
    inputs = k.Input((8, 8, 3), name="img")
    x = k.layers.Conv2D(4, 3, activation="relu", name="c1")(inputs)
    block = k.layers.MaxPooling2D(3, name="pool")(x)
    x = k.layers.Conv2D(4, 3, padding="same", name="c2")(block)
    x = k.layers.add([x, block], name="add")
    x = k.layers.GlobalAveragePooling2D(name="gap")(x)
    return k.Model(inputs, k.layers.Dense(2, name="out")(x), name="residual")

def dict_inputs(k):
    a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
    return k.Model({"a": a, "b": b}, k.layers.Subtract(name="s")([a, b]), name="dict_inputs")
"""
namespace: dict[str, Any] = {}
exec(DEFINITIONS, namespace)
KINDS = [name for name in namespace if not name.startswith("__")]

ASK = (
    DEFINITIONS
    + """
import json

def answer(kind):
    keras.utils.clear_session(free_memory=False)
    model = globals()[kind](keras)
    random = np.random.default_rng(3)
    weights = [random.normal(size=v.shape).astype("float32") for v in model.weights]
    model.set_weights(weights)
    inputs = {t.name: random.normal(size=(2, *t.shape[1:])).astype("float32") for t in model.inputs}
    given = inputs if kind == "dict_inputs" else list(inputs.values())
    outputs = model(given if len(inputs) > 1 else given[0])
    return {
        "weights": weights,
        "inputs": inputs,
        "outputs": [np.asarray(one) for one in keras.tree.flatten(outputs)],
        "paths": [v.path for v in model.weights],
        "layers": [layer.name for layer in model.layers],
        "config": json.loads(json.dumps(keras.saving.serialize_keras_object(model))),
        "output_shape": [tuple(t.shape) for t in model.outputs],
        "params": model.count_params(),
    }

result = {kind: answer(kind) for kind in kinds}
"""
)


@pytest.fixture(autouse=True)
def _numpy_backend() -> Any:
    with nkeras.use_backend("numpy"):
        yield


@pytest.fixture(scope="module")
def answers(oracle: Any) -> Any:
    """The same models in Keras."""
    nkeras.utils.clear_session()  # automatic names are counted from the start, as there
    return oracle.run(ASK, kinds=KINDS)


def _run(model: Any, answer: dict[str, Any]) -> list[np.ndarray]:
    inputs = answer["inputs"]
    given = inputs if isinstance(model.input, dict) else list(inputs.values())
    outputs = model(given if len(inputs) > 1 else given[0])
    return [leaf.numpy() for leaf in nkeras.tree.flatten(outputs)]


def _check(model: Any, answer: dict[str, Any]) -> None:
    model.set_weights(answer["weights"])
    for mine, theirs in zip(_run(model, answer), answer["outputs"], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_model_is_what_it_is_in_keras(kind: str, answers: Any) -> None:
    model, answer = namespace[kind](nkeras), answers[kind]
    assert [layer.name for layer in model.layers] == answer["layers"]
    assert [v.path for v in model.weights] == answer["paths"]
    assert model.count_params() == answer["params"]
    assert [t.shape for t in nkeras.tree.flatten(model.output)] == answer["output_shape"]
    _check(model, answer)


@pytest.mark.parametrize("kind", KINDS)
def test_config_that_keras_wrote_is_read(kind: str, answers: Any) -> None:
    config = answers[kind]["config"]
    model = nkeras.core.serialization.deserialize_keras_object(config)
    _check(model, answers[kind])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "with_ops"])
def test_config_is_read_by_keras(kind: str, answers: Any, oracle: Any) -> None:
    model = namespace[kind](nkeras)
    answer = answers[kind]
    config = json.loads(json.dumps(serialize_keras_object(model)))
    outputs = oracle.run(
        """
        model = keras.saving.deserialize_keras_object(config)
        model.set_weights(weights)
        given = inputs if model.name == "dict_inputs" else list(inputs.values())
        outputs = model(given if len(inputs) > 1 else given[0])
        result = [np.asarray(one) for one in keras.tree.flatten(outputs)]
        """,
        config=config,
        weights=answer["weights"],
        inputs=answer["inputs"],
    )
    for mine, theirs in zip(outputs, answer["outputs"], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_config_round_trip_and_clone(kind: str, answers: Any) -> None:
    model = namespace[kind](nkeras)
    config = json.loads(json.dumps(model.get_config(), default=str))
    twin = type(model).from_config(json.loads(json.dumps(serialize_keras_object(model)))["config"])
    assert json.loads(json.dumps(twin.get_config(), default=str)) == config
    _check(twin, answers[kind])
    clone = nkeras.models.clone_model(model)
    assert [v.shape for v in clone.weights] == [v.shape for v in model.weights]
    assert not any(
        weight is other for weight, other in zip(clone.weights, model.weights, strict=True)
    )
    _check(clone, answers[kind])


def test_clone_of_an_empty_stack_is_empty() -> None:
    assert nkeras.models.clone_model(nkeras.Sequential()).layers == []


def test_model_between_intermediate_tensors() -> None:
    inputs = nkeras.Input((4,))
    middle = layers.Dense(3, activation="relu")(inputs)
    outputs = layers.Dense(2)(middle)
    model = nkeras.Model(inputs, outputs)
    head, tail = nkeras.Model(inputs, middle), nkeras.Model(middle, outputs)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_allclose(tail(head(x)).numpy(), model(x).numpy(), rtol=1e-6)
    features = nkeras.Model(model.inputs, [layer.output for layer in model.layers[1:]])
    assert [feature.shape for feature in features(x)] == [(5, 3), (5, 2)]


def test_outputs_that_do_not_depend_on_the_inputs_are_refused() -> None:
    a, b = nkeras.Input((2,)), nkeras.Input((2,))
    with pytest.raises(ValueError, match="input"):
        nkeras.Model(a, layers.Add()([a, b]))
    with pytest.raises(ValueError, match="unique"):
        nkeras.Model([a, a], layers.ReLU()(a))
    with pytest.raises(ValueError, match="KerasTensor"):
        nkeras.Model(a, np.ones(3))


def test_sequential_add_pop_and_errors() -> None:
    model = nkeras.Sequential()
    model.add(nkeras.Input((3,)))
    model.add(layers.Dense(4, name="first"))
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    model.pop()
    assert model.output_shape == (None, 4)
    assert len(model.layers) == 1
    with pytest.raises(ValueError, match="unique"):
        model.add(layers.Dense(1, name="first"))
    with pytest.raises(ValueError, match="Layer"):
        model.add(3)
    with pytest.raises(ValueError, match="first"):
        model.add(nkeras.Input((2,)))
    with pytest.raises(ValueError, match="built"):
        nkeras.Sequential([layers.Dense(2)]).count_params()
    legacy = nkeras.Sequential([layers.Dense(2, input_shape=(3,))])
    assert legacy.input_shape == (None, 3)


def test_sequential_builds_at_the_first_call() -> None:
    model = nkeras.Sequential([layers.Dense(4), layers.Dense(2)])
    assert not model.built
    assert model(np.ones((3, 5), "float32")).shape == (3, 2)
    assert model.built
    assert model.count_params() == 24 + 10
    assert model(np.ones((7, 5), "float32")).shape == (7, 2)


def test_subclassed_model_paths_and_training_argument(oracle: Any) -> None:
    source = """
def make(k):
    class Mine(k.Model):
        def __init__(self):
            super().__init__()
            self.first = k.layers.Dense(3)
            self.normal = k.layers.BatchNormalization()
            self.blocks = [k.layers.Dense(2), k.layers.Dropout(0.5)]

        def call(self, inputs, training=False):
            x = self.normal(self.first(inputs))
            for block in self.blocks:
                x = block(x)
            return x

    return Mine()
"""
    theirs = oracle.run(
        source
        + """
model = make(keras)
model(np.ones((2, 4), "float32"))
result = [[v.path for v in model.weights], [layer.name for layer in model.layers]]
"""
    )
    defined: dict[str, Any] = {}
    exec(source, defined)
    model = defined["make"](nkeras)
    x = np.ones((2, 4), "float32")
    model(x)
    assert [[v.path for v in model.weights], [layer.name for layer in model.layers]] == theirs
    before = model.normal.moving_mean.numpy()
    model(x, training=False)
    np.testing.assert_array_equal(model.normal.moving_mean.numpy(), before)
    model(x, training=True)  # travels to the layers that are called inside
    assert (model.normal.moving_mean.numpy() != before).any()


def test_get_layer_and_wrong_inputs() -> None:
    model = namespace["two_inputs"](nkeras)
    assert model.get_layer("sum") is model.layers[3] or model.get_layer("sum").name == "sum"
    assert model.get_layer(index=0).name == "a"
    with pytest.raises(ValueError, match="nothing"):
        model.get_layer("nothing")
    with pytest.raises(ValueError, match="either"):
        model.get_layer()
    with pytest.raises(ValueError, match="2 input"):
        model(np.ones((2, 3), "float32"))
    x = {"a": np.ones((2, 3), "float32"), "b": np.ones((2, 4), "float32")}
    by_name = model(x)
    by_order = model(list(x.values()))
    np.testing.assert_array_equal(by_name[0].numpy(), by_order[0].numpy())
    with pytest.raises(ValueError, match=r"incompatible|expected"):
        model([np.ones((2, 5), "float32"), x["b"]])


def test_last_axis_of_size_one_is_made_or_dropped() -> None:
    inputs = nkeras.Input((1,))
    model = nkeras.Model(inputs, inputs * 2.0)
    assert model(np.ones(4, "float32")).shape == (4, 1)
    assert ops.shape(model(np.ones((4, 1), "float32"))) == (4, 1)


def test_two_layers_of_one_name_are_refused():
    x = nkeras.Input((3,))
    y = layers.Dense(2, name="twice")(layers.Dense(2, name="twice")(x))
    with pytest.raises(ValueError, match=r'The name "twice" is used 2 times in the model'):
        nkeras.Model(x, y)
    shared = layers.Dense(3, name="shared")
    assert [layer.name for layer in nkeras.Model(x, shared(shared(x))).layers][1:] == ["shared"]


def test_a_subclassed_model_builds_sequential_models_and_graphs_inside() -> None:
    class Inner(nkeras.Layer):
        def build(self, input_shape: Any) -> None:
            inputs = nkeras.Input(input_shape[1:])
            self.model = nkeras.Model(inputs, layers.Dense(3)(inputs))

        def call(self, inputs: Any) -> Any:
            return self.model(inputs)

    class Autoencoder(nkeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nkeras.Sequential([layers.Flatten(), Inner()])
            self.decoder = nkeras.Sequential([layers.Dense(8), layers.Reshape((4, 2))])

        def call(self, inputs: Any) -> Any:
            return self.decoder(self.encoder(inputs))

    x = np.ones((5, 4, 2), "float32")
    called, built = Autoencoder(), Autoencoder()
    built.build((None, 4, 2))
    for model in (called, built):
        model.compile("sgd", "mse")
        assert list(model.fit(x, x, batch_size=3, verbose=0).history) == ["loss"]
        assert model.predict(x, verbose=0).shape == (5, 4, 2)
        assert len(model.weights) == 4
    assert built.encoder.output_shape == (None, 3)


def test_a_sequential_model_without_input_takes_other_sizes_later() -> None:
    model = nkeras.Sequential([layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()])
    assert model(np.ones((1, 6, 6, 1), "float32")).shape == (1, 2)
    assert model(np.ones((2, 9, 7, 1), "float32")).shape == (2, 2)
    with pytest.raises(ValueError, match="axis -1 of input shape to have value 1"):
        model(np.ones((2, 9, 7, 4), "float32"))
    told = nkeras.Sequential([nkeras.Input((6, 6, 1)), layers.GlobalMaxPooling2D()])
    with pytest.raises(ValueError, match=r"shape=\(None, 6, 6, 1\), found shape=\(2, 9, 7, 1\)"):
        told(np.ones((2, 9, 7, 1), "float32"))


def test_what_is_frozen_stays_frozen_in_a_clone() -> None:
    x = nkeras.Input((3,))
    frozen = nkeras.layers.Dense(2, trainable=False, name="frozen")
    model = nkeras.Model(x, nkeras.layers.Dense(1)(frozen(x)))
    assert len(nkeras.models.clone_model(model).trainable_variables) == 2
    model.trainable = False
    assert nkeras.models.clone_model(model).trainable_variables == []
