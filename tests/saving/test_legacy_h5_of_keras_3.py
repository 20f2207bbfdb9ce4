"""`.h5` files of Keras 3.15 are read here, ours there: numbers, training, structure."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import nkeras
from nkeras import layers
from tests.harness import oracle

pytestmark = oracle.requires_keras

# Models, in the words of both: `keras` is theirs or ours.
MODELS = """
L = keras.layers


def cnn():
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            L.Conv2D(4, 3, activation="relu", padding="same", kernel_regularizer="l2"),
            L.BatchNormalization(momentum=0.5),
            L.MaxPooling2D(),
            L.DepthwiseConv2D(3),
            L.Flatten(),
            L.Dense(1),
        ]
    )


def recurrent():
    return keras.Sequential(
        [
            keras.Input((5,)),
            L.Embedding(7, 4, mask_zero=True),
            L.Bidirectional(L.LSTM(3, return_sequences=True)),
            L.TimeDistributed(L.Dense(4)),
            L.GRU(3),
            L.Dense(1, dtype="float32"),
        ],
        name="recurrent",
    )


def graph():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    # Without a bias, whose gradient before a normalization would be rounding errors alone.
    shared = L.Dense(3, name="shared", use_bias=False, kernel_constraint="non_neg")
    inner = keras.Sequential(
        [keras.Input((3,)), L.Dense(3, use_bias=False), L.BatchNormalization()], name="inner"
    )
    frozen = keras.Sequential([keras.Input((3,)), L.BatchNormalization(), L.Dense(3)])
    frozen.trainable = False
    x = L.Add()([inner(shared(a)), inner(shared(b))])
    x = frozen(x)
    return keras.Model([a, b], [L.Dense(1, name="one")(x), L.Dense(3, name="two")(x)])


def attention():
    a = keras.Input((3, 4), name="a")
    x = L.LayerNormalization()(a)
    return keras.Model(a, L.Dense(1)(L.Flatten()(L.MultiHeadAttention(2, 2)(x, x))))
"""

THEIRS = f"""
{MODELS}
result = {{}}
for make, inputs, targets in jobs:
    model = globals()[make]()
    for weight in model.weights:
        noise = np.random.default_rng(weight.shape[-1]).normal(size=weight.shape)
        weight.assign(np.abs(noise) * 0.3 + 0.1 if "variance" in weight.path else noise * 0.4)
    if make == "graph":
        rate = keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.5)
        optimizer = keras.optimizers.RMSprop(rate, momentum=0.5, centered=True)
        model.compile(optimizer, **HOW)
        fit = lambda: model.fit(inputs, targets, batch_size=4, shuffle=False, verbose=0)
        fit()
    else:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        metrics = ["accuracy", keras.metrics.AUC(num_thresholds=20, from_logits=True)]
        model.compile("adam", loss, metrics=metrics)
    path = f"{{folder}}/{{make}}.h5"
    model.save(path)
    predicted = [model.predict(inputs, verbose=0)]
    if make == "graph":
        history = [fit().history for _ in range(2)][-1]
        predicted += [model.predict(inputs, verbose=0), history]
    result[make] = predicted
"""


def inputs_of(make: str):
    rng = np.random.default_rng(0)
    if make == "cnn":
        return rng.normal(size=(8, 8, 8, 2)).astype("float32"), rng.integers(0, 2, (8, 1))
    if make == "recurrent":
        return rng.integers(0, 7, (8, 5)), rng.integers(0, 2, (8, 1))
    if make == "attention":
        return rng.normal(size=(8, 3, 4)).astype("float32"), rng.integers(0, 2, (8, 1))
    x = [rng.normal(size=(8, 4)).astype("float32") for _ in range(2)]
    return x, [rng.normal(size=(8, 1)), rng.normal(size=(8, 3))]


HOW = {
    "loss": {"one": "mse", "two": "mae"},
    "loss_weights": {"one": 2.0, "two": 0.5},
    "metrics": {"one": ["mae"], "two": ["mse"]},
}


def theirs(folder, make: str):
    """The model of a name, which Keras writes into a folder, and what Keras computes with it."""
    jobs = [(make, *inputs_of(make))]
    return oracle.run(THEIRS, folder=str(folder), jobs=jobs, HOW=HOW)[make]


def close(ours, expected, tolerance=1e-5) -> None:
    if isinstance(expected, (list, tuple)):
        for one, other in zip(ours, expected, strict=True):
            close(one, other, tolerance)
    else:
        np.testing.assert_allclose(np.asarray(ours), expected, rtol=1e-4, atol=tolerance)


def test_files_of_keras_predict_and_train_on(tmp_path):
    before, after, history = theirs(tmp_path, "graph")
    inputs, targets = inputs_of("graph")
    model = nkeras.models.load_model(tmp_path / "graph.h5")
    close(model.predict(inputs, verbose=0), before)
    assert len(model.trainable_weights) == 8  # the other layers are frozen
    for _ in range(2):
        ours = model.fit(inputs, targets, batch_size=4, shuffle=False, verbose=0).history
    assert sorted(ours) == sorted(history)
    close([ours[key] for key in history], list(history.values()))
    close(model.predict(inputs, verbose=0), after, 1e-4)


@pytest.mark.parametrize(
    "make",
    ["recurrent", *[pytest.param(make, marks=pytest.mark.long) for make in ("cnn", "attention")]],
)
def test_files_of_keras_predict(tmp_path, make):
    (expected,) = theirs(tmp_path, make)
    inputs, targets = inputs_of(make)
    model = nkeras.models.load_model(tmp_path / f"{make}.h5")
    close(model.predict(inputs, verbose=0), expected)
    assert model.loss.from_logits
    names = list(model.evaluate(inputs, targets, verbose=0, return_dict=True))
    assert names == ["accuracy", "auc", "loss"]


def scope():
    namespace = {"keras": nkeras}
    exec(compile(MODELS, "<models>", "exec"), namespace)
    return namespace


READ = """
model = keras.models.load_model(path)
weights = {weight.path: weight for weight in model.weights}
rate = float(model.optimizer.get_config()["learning_rate"]["config"]["initial_learning_rate"])
losses = {name: loss.__name__ for name, loss in model.loss.items()}
result = model(inputs), weights, model.optimizer.name, rate, losses
"""


def test_keras_reads_our_files(tmp_path):
    """But for the state of the optimizer: Keras 3.15 makes none when it reads such a file."""
    model = scope()["graph"]()
    rate = nkeras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.5)
    model.compile(nkeras.optimizers.RMSprop(rate, momentum=0.5), **HOW)
    inputs, targets = inputs_of("graph")
    model.fit(inputs, targets, batch_size=4, shuffle=False, verbose=0)
    model.save(tmp_path / "m.h5")
    predicted, weights, *compiled = oracle.run(READ, path=str(tmp_path / "m.h5"), inputs=inputs)
    close(model(inputs), predicted)
    ours = {weight.path: weight.numpy() for weight in model.weights}
    assert list(ours) == list(weights)
    close(list(ours.values()), list(weights.values()), 0)
    losses = {"one": "mean_squared_error", "two": "mean_absolute_error"}
    assert compiled == [model.optimizer.name, 0.05, losses]


STRUCTURE = f"""
{MODELS}
import h5py, json

model = graph()
model.compile("adam", "mse", metrics=["mae"])
model.save(folder + "/theirs.h5")


def described(path):
    found = {{}}

    def visit(name, thing):
        attributes = {{key: np.asarray(value).tolist() for key, value in thing.attrs.items()}}
        found[name] = type(thing).__name__, getattr(thing, "shape", None), str(attributes)

    with h5py.File(path) as file:
        file.visititems(visit)
        config = json.loads(file.attrs["model_config"]), json.loads(file.attrs["training_config"])
        return found, config


result = described(folder + "/theirs.h5")
"""


def test_our_files_are_built_as_those_of_keras(tmp_path):
    theirs, (config, training) = oracle.run(STRUCTURE, folder=str(tmp_path))
    nkeras.utils.clear_session()
    model = scope()["graph"]()
    model.compile("adam", "mse", metrics=["mae"])
    model.save(tmp_path / "ours.h5")
    found = {}
    with h5py.File(tmp_path / "ours.h5") as file:
        file.visititems(lambda name, thing: found.update({name: getattr(thing, "shape", None)}))
        ours = json.loads(file.attrs["model_config"]), json.loads(file.attrs["training_config"])
        names = [
            name.decode() for name in file["model_weights/inner"].attrs["weight_names"].tolist()
        ]
    expected = {name: shape for name, (_, shape, _) in theirs.items()}
    assert found == expected
    assert str(names) in theirs["model_weights/inner"][2]
    assert [layer["class_name"] for layer in ours[0]["config"]["layers"]] == [
        layer["class_name"] for layer in config["config"]["layers"]
    ]
    for one, other in zip(ours[0]["config"]["layers"], config["config"]["layers"], strict=True):
        assert set(one) == set(other)
    assert ours[1].keys() == training.keys()
    assert (
        ours[1]["optimizer_config"]["config"].keys()
        == training["optimizer_config"]["config"].keys()
    )


OPERATIONS = """
x = keras.Input((3,))
y = ops.relu(x * 2.0 - 1.0) + ops.concatenate([x[:, 1:], x[:, :1]], axis=-1)
model = keras.Model(x, keras.layers.Dense(2)(y))
model.save(folder + "/m.h5")
result = model.predict(data, verbose=0)
"""


def test_calls_of_operations_which_keras_writes_and_cannot_read(tmp_path):
    data = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    expected = oracle.run(OPERATIONS, folder=str(tmp_path), data=data)
    model = nkeras.models.load_model(tmp_path / "m.h5")
    close(model.predict(data, verbose=0), expected)
    model.save(tmp_path / "ours.h5")
    close(nkeras.models.load_model(tmp_path / "ours.h5").predict(data, verbose=0), expected, 1e-7)


@nkeras.saving.register_keras_serializable("tests")
class Scale(nkeras.Layer):
    """A layer of the user's."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.weight = self.add_weight(name="weight", shape=(input_shape[-1],))

    def call(self, inputs):
        return inputs * self.weight * self.factor


@nkeras.saving.register_keras_serializable("tests")
class Twice(nkeras.Model):
    """A model of the user's, with a weight of its own."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(units)
        self.scale = self.add_weight(name="scale", shape=(units,), initializer="ones")

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, inputs):
        return self.dense(inputs) * self.scale


def own_loss(y_true, y_pred):
    return nkeras.ops.mean((y_true - y_pred) ** 2, axis=-1)


def test_things_of_users(tmp_path):
    model = nkeras.Sequential([nkeras.Input((3,)), Scale(2.0), layers.Dense(2)])
    model.compile("adam", own_loss, metrics=[own_loss])
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    path = tmp_path / "m.h5"
    model.save(path)
    with pytest.raises(ValueError, match="own_loss"):
        nkeras.models.load_model(path)
    again = nkeras.models.load_model(path, {"own_loss": own_loss})
    x = np.ones((2, 3), "float32")
    close(again.predict(x, verbose=0), model.predict(x, verbose=0), 0)
    assert again.loss is own_loss or again.loss == "own_loss"
    for one, other in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        close(one, other.numpy(), 0)
    model.save(path, include_optimizer=False)
    assert not nkeras.models.load_model(path).compiled
    own = Twice(2)
    own(x)
    own.scale.assign([3.0, 4.0])
    own.save(path)
    close(nkeras.models.load_model(path)(x), own(x), 0)


def test_half_precision(tmp_path):
    first = layers.Dense(4, dtype="mixed_bfloat16")
    model = nkeras.Sequential([nkeras.Input((3,)), first, layers.Dense(2, dtype="bfloat16")])
    model.save(tmp_path / "m.h5")
    again = nkeras.models.load_model(tmp_path / "m.h5")
    for one, other in zip(again.weights, model.weights, strict=True):
        assert one.dtype == other.dtype
        close(one.numpy().astype("float32"), other.numpy().astype("float32"), 0)
