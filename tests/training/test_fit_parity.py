"""Training with fixed weights, epoch by epoch as Keras."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.same_code import agree

RNG = np.random.default_rng(0)
DATA = {
    "x": RNG.normal(size=(23, 3)).astype("float32"),
    "y": RNG.normal(size=(23, 2)).astype("float32"),
    "label": RNG.integers(0, 3, 23).astype("int32"),
    "weight": RNG.uniform(0.1, 2.0, 23).astype("float32"),
    "kernel": RNG.normal(size=(3, 2)).astype("float32"),
    "kernel3": RNG.normal(size=(3, 3)).astype("float32"),
}

ONE_OUTPUT = """
layer = keras.layers.Dense(2, name="out")
model = keras.Sequential([keras.Input((3,)), layer])
layer.set_weights([kernel, np.zeros(2, "float32")])
"""
CLASSES = """
layer = keras.layers.Dense(3, activation="softmax", name="out")
model = keras.Sequential([keras.Input((3,)), layer])
layer.set_weights([kernel3, np.zeros(3, "float32")])
"""
TWO_OUTPUTS = """
inputs = keras.Input((3,), name="in")
a, b = keras.layers.Dense(2, name="a"), keras.layers.Dense(3, activation="softmax", name="b")
model = keras.Model(inputs, [a(inputs), b(inputs)])
a.set_weights([kernel, np.zeros(2, "float32")])
b.set_weights([kernel3, np.zeros(3, "float32")])
"""
DICT_OUTPUTS = TWO_OUTPUTS.replace("[a(inputs), b(inputs)]", '{"b": b(inputs), "a": a(inputs)}')
TAIL = """
history = model.fit(x, {targets}, shuffle=False, verbose=0, {options})
result = [history.history, history.epoch, model.get_weights()]
"""

SINGLE = {
    "mse": ('"sgd", "mse"', "epochs=3"),
    "batch size": ('"adam", "mae", metrics=["mse"]', "epochs=2, batch_size=7"),
    "whole batch": ('"rmsprop", "huber"', "epochs=2, batch_size=100"),
    "sample weight": (
        '"sgd", "mse", metrics=["mae"], weighted_metrics=["mae", "mse"]',
        "epochs=2, sample_weight=weight",
    ),
    "validation split": ('"sgd", "mse", metrics=["mae"]', "epochs=3, validation_split=0.3"),
    "split of weights": (
        '"sgd", "mse", weighted_metrics=["mae"]',
        "epochs=2, validation_split=0.3, sample_weight=weight",
    ),
    "validation data": (
        '"sgd", "mse"',
        "epochs=4, validation_data=(x[:9], y[:9], weight[:9]), validation_freq=2, "
        "validation_batch_size=4, validation_steps=2",
    ),
    "validation list": (
        '"sgd", "mse"',
        "epochs=4, validation_data=(x[:9], y[:9]), validation_freq=[1, 4]",
    ),
    "steps": ('"sgd", "mse"', "epochs=3, batch_size=4, steps_per_epoch=3"),
    "steps divide": ('"sgd", "mse"', "epochs=2, steps_per_epoch=4"),
    "initial epoch": ('"sgd", "mse"', "epochs=5, initial_epoch=3"),
    "execution": ('"sgd", "mse", steps_per_execution=3', "epochs=2, batch_size=2"),
    "objects": (
        'keras.optimizers.SGD(0.05, momentum=0.9), keras.losses.MeanSquaredError(name="m"), '
        'metrics=[keras.metrics.MeanAbsoluteError(name="far"), "mse"]',
        "epochs=2",
    ),
    "function": (
        '"sgd", lambda t, p: ops.mean(ops.abs(t - p) ** 3, axis=-1), metrics=["mse", "mse"]',
        "epochs=2",
    ),
    "list of one": ('"sgd", ["mse"], loss_weights=[0.5]', "epochs=2"),
    "weighted loss": ('"sgd", "mse", loss_weights=0.3', "epochs=2"),
    "ema": ("keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)", "epochs=2"),
}
SINGLE["ema"] = (SINGLE["ema"][0] + ', "mse"', "epochs=2")


def table(cases, *quick):
    """All cases; those that are not `quick` run with the long tests."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.long) for name in cases]


def fit(oracle, model, compiled, targets, options):
    code = f"{model}\nmodel.compile({compiled})\n" + TAIL.format(targets=targets, options=options)
    return agree(oracle, code, **DATA)


@pytest.mark.parametrize("case", table(SINGLE, "mse", "sample weight", "validation split", "steps"))
def test_one_output(oracle, case):
    history, _, _ = fit(oracle, ONE_OUTPUT, SINGLE[case][0], "y", SINGLE[case][1])
    assert all(type(value) is float for values in history.values() for value in values)


@pytest.mark.long
@pytest.mark.parametrize(
    ("targets", "loss"),
    [
        ("label", "sparse_categorical_crossentropy"),
        ("label[:, None]", "sparse_categorical_crossentropy"),
        ("np.eye(3)[label]", "categorical_crossentropy"),
        ("label", "crossentropy"),
        ("np.eye(3)[label]", "ce"),
    ],
)
@pytest.mark.filterwarnings("ignore:Argument `class_weight` lacks")
def test_classes_and_their_weights(oracle, targets, loss):
    metrics = 'metrics=["accuracy"], weighted_metrics=["acc", "accuracy"]'
    compiled = f'"sgd", "{loss}", {metrics}'
    options = "epochs=2, class_weight={0: 0.2, 2: 3.0}"
    fit(oracle, CLASSES, compiled, targets, options)


@pytest.mark.long
def test_binary(oracle):
    model = CLASSES.replace("Dense(3", "Dense(1").replace("softmax", "sigmoid")
    model = model.replace("kernel3", "kernel[:, :1]").replace("zeros(3", "zeros(1")
    fit(oracle, model, '"sgd", "crossentropy", metrics=["acc"]', "label > 0", "epochs=2")
    fit(oracle, model, '"sgd", "bce", metrics=["accuracy"]', "(label > 0)[:, None]", "epochs=2")


BOTH = "[y, label]"
SEVERAL = {
    "list": ('"sgd", ["mse", "sparse_categorical_crossentropy"]', BOTH, ""),
    "tuple of targets": ('"sgd", ["mse", "sparse_categorical_crossentropy"]', "(y, label)", ""),
    "dict": ('"sgd", {"b": "sparse_categorical_crossentropy", "a": "mae"}', BOTH, ""),
    "dict of targets": (
        '"sgd", {"a": "mse", "b": "sparse_categorical_crossentropy"}',
        '{"b": label, "a": y}',
        "",
    ),
    "weights": (
        '"sgd", ["mse", "sparse_categorical_crossentropy"], loss_weights=[0.3, 2.0], '
        'metrics=[["mae", "mse"], ["accuracy"]]',
        BOTH,
        "validation_split=0.3",
    ),
    "weights by name": (
        '"sgd", {"a": "mse", "b": "sparse_categorical_crossentropy"}, '
        'loss_weights={"a": 0.3, "b": 2.0}, metrics={"b": "accuracy"}, '
        'weighted_metrics={"b": ["accuracy"], "a": ["mae"]}',
        BOTH,
        "sample_weight=weight",
    ),
    "weights for each output": (
        '"sgd", ["mse", "sparse_categorical_crossentropy"], weighted_metrics=["mae", "acc"]',
        BOTH,
        "sample_weight=[weight, weight * 2]",
    ),
    "one loss for all": ('"sgd", "mse", metrics=["mae", None]', "[y, np.eye(3)[label]]", ""),
    "one output without": ('"sgd", ["mse", None]', BOTH, ""),
}


# An output without a loss gives its weights no gradient.
@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("case", table(SEVERAL, "weights by name"))
def test_several_outputs(oracle, case):
    compiled, targets, options = SEVERAL[case]
    fit(oracle, TWO_OUTPUTS, compiled, targets, f"epochs=2, {options}")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize(
    "compiled",
    [
        '"sgd", {"a": "mse", "b": "ce"}, loss_weights={"a": 1, "b": 3}',
        '"sgd", {"b": "sparse_categorical_crossentropy"}, metrics={"b": ["acc"]}',
        '"sgd", {"b": "ce", "a": "mae"}, metrics={"a": ["mse"], "b": ["acc"]}',
    ],
)
def test_outputs_by_name(oracle, compiled):
    fit(oracle, DICT_OUTPUTS, compiled, '{"a": y, "b": label}', "epochs=2")


@pytest.mark.parametrize("model", [ONE_OUTPUT, TWO_OUTPUTS], ids=["one", "two"])
def test_evaluate_and_single_batches(oracle, model):
    targets = "y" if model is ONE_OUTPUT else BOTH
    loss = '"mse", metrics=["mae"]'
    if model is TWO_OUTPUTS:
        loss = '["mse", "sparse_categorical_crossentropy"], metrics=[["mae"], ["acc"]]'
    code = f"""
{model}
model.compile("sgd", {loss})
t = {targets}
result = [
    model.evaluate(x, t, verbose=0),
    model.evaluate(x, t, batch_size=6, verbose=0, return_dict=True),
    model.evaluate(x, t, verbose=0, sample_weight=weight), model.evaluate(x, t, 4, 0, steps=2),
    model.train_on_batch(x, t), model.train_on_batch(x, t, sample_weight=weight, return_dict=True),
    model.test_on_batch(x, t), model.test_on_batch(x, t, weight, return_dict=True),
    model.predict(x, verbose=0), model.predict(x, batch_size=4, verbose=0),
    model.predict(x, batch_size=4, verbose=0, steps=2), model.predict_on_batch(x),
    model.get_weights(), model.metrics_names,
]
"""
    agree(oracle, code, **DATA)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Argument `class_weight` lacks")
def test_class_weight_on_one_batch(oracle):
    agree(
        oracle,
        f"""
{CLASSES}
model.compile("sgd", "sparse_categorical_crossentropy")
result = [model.train_on_batch(x, label, class_weight={{1: 3.0}}), model.get_weights()]
""",
        **DATA,
    )


def test_generators_and_datasets(oracle):
    agree(
        oracle,
        f"""
{ONE_OUTPUT}
model.compile("sgd", "mse", metrics=["mae"])
def stream(weighted):
    while True:
        for i in range(0, 20, 5):
            batch = x[i:i + 5], y[i:i + 5], weight[i:i + 5]
            yield batch if weighted else batch[:2]
class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3
    def __getitem__(self, i):
        return x[i * 8:i * 8 + 8], y[i * 8:i * 8 + 8]
result = [
    model.fit(stream(False), steps_per_epoch=3, epochs=3, shuffle=False, verbose=0).history,
    model.fit(stream(True), steps_per_epoch=6, epochs=2, shuffle=False, verbose=0,
              validation_data=Batches(), validation_steps=2).history,
    model.fit(Batches(), epochs=2, shuffle=False, verbose=0).history,
    model.fit(Batches(workers=2), epochs=2, shuffle=False, verbose=0,
              validation_data=Batches()).history,
    model.evaluate(Batches(), verbose=0), model.evaluate(stream(True), steps=4, verbose=0),
    model.predict(stream(False), steps=2, verbose=0), model.predict(Batches(), verbose=0),
]
""",
        **DATA,
    )


@pytest.mark.long
def test_losses_that_layers_add(oracle):
    agree(
        oracle,
        """
layer = keras.layers.Dense(2, kernel_regularizer="l2", activity_regularizer="l1")
model = keras.Sequential([keras.Input((3,)), layer])
layer.set_weights([kernel, np.zeros(2, "float32")])
model.compile("sgd", "mse")
history = model.fit(x, y, epochs=2, verbose=0, shuffle=False, validation_split=0.2)
result = [history.history, model.get_weights()]
""",
        **DATA,
    )


def test_masks(oracle):
    agree(
        oracle,
        """
class Skip(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.supports_masking = True
    def call(self, inputs):
        return inputs * 1.0
    def compute_mask(self, inputs, mask=None):
        return ops.any(ops.not_equal(inputs, 0.0), axis=-1)
layer = keras.layers.Dense(2)
model = keras.Sequential([keras.Input((4, 3)), Skip(), layer])
layer.set_weights([kernel, np.zeros(2, "float32")])
x, y, weight = x[:20].reshape(5, 4, 3).copy(), y[:20].reshape(5, 4, 2), weight[:5]
x[1:, 2:] = 0.0
model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
# JAX drops the mask of y_pred before Keras updates metrics in training: only losses compare there.
first = model.fit(x, y, epochs=2, batch_size=2, verbose=0, shuffle=False).history["loss"]
weight = np.tile(weight[:, None], (1, 4))
weighted = model.fit(x, y, sample_weight=weight, verbose=0).history["loss"]
result = [first, weighted, model.evaluate(x, y, verbose=0),
          model.evaluate(x, y, sample_weight=weight, verbose=0), model.get_weights()]
""",
        **DATA,
    )


def test_compile_config(oracle):
    agree(
        oracle,
        f"""
{TWO_OUTPUTS}
model.compile("adam", {{"a": "mse", "b": keras.losses.SparseCategoricalCrossentropy()}},
              loss_weights={{"a": 1.0, "b": 2.0}}, metrics={{"b": ["accuracy"]}}, jit_compile=False)
result = model.get_compile_config()
""",
        **DATA,
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "compiled",
    [
        '{"a": ["mse", "mae"], "b": None}, metrics={"a": [["mae"], []], "b": []}',
        '{"a": ["mse", "mae"], "b": "mse"}, metrics={"a": [["mae"], ["mse"]], "b": ["mse"]}, '
        'weighted_metrics={"a": [["mae"], ["mse"]], "b": ["mse"]}',
        '"mae", metrics={"a": [["mae"], ["mse"]], "b": "mae"}',
    ],
)
def test_nested_outputs(oracle, compiled):
    agree(
        oracle,
        f"""
class Nested(keras.Model):
    def call(self, inputs):
        return {{"a": [inputs, inputs * 2.0], "b": inputs}}
model = Nested()
model.compile("sgd", {compiled})
result = model.evaluate(y, {{"a": [y * 0, y + 1], "b": y ** 2}}, verbose=0, return_dict=True)
""",
        **DATA,
    )
