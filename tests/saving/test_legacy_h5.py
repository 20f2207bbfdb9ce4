"""Whole-model `.h5` files of Keras 1 and 2, whose numbers are computed here by NumPy."""

from __future__ import annotations

import json
import re
import struct

import h5py
import numpy as np
import pytest

import nkeras
from nkeras import layers
from tests.saving import legacy_files as files

RNG = np.random.default_rng(7)


def array(*shape: int) -> np.ndarray:
    return (RNG.standard_normal(shape) * 0.4).astype("float32")


def load(path, **options):
    return nkeras.models.load_model(path, **options)


def close(ours, expected, tolerance=2e-6) -> None:
    np.testing.assert_allclose(np.asarray(ours), expected, rtol=1e-5, atol=tolerance)


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0.0, 1.0)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def lstm(x, kernel, recurrent, bias, gate=hard_sigmoid):
    """The last output of an LSTM with gates in the order i, f, c, o."""
    h = c = np.zeros((len(x), recurrent.shape[0]))
    for step in range(x.shape[1]):
        i, f, g, o = np.split(x[:, step] @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = gate(f) * c + gate(i) * np.tanh(g)
        h = gate(o) * np.tanh(c)
    return h


def gru(x, kernel, recurrent, bias):
    """The last output of the GRU of Keras 2.0, whose reset gate comes before the product."""
    h = np.zeros((len(x), recurrent.shape[0]))
    units = len(recurrent)
    for step in range(x.shape[1]):
        z, r, g = np.split(x[:, step] @ kernel + bias, 3, axis=-1)
        gates = h @ recurrent[:, : 2 * units]
        z, r = hard_sigmoid(z + gates[:, :units]), hard_sigmoid(r + gates[:, units:])
        g = np.tanh(g + (r * h) @ recurrent[:, 2 * units :])
        h = z * h + (1.0 - z) * g
    return h


def correlation(x, kernel):
    """A valid convolution as TensorFlow has it, channels last."""
    rows, columns = kernel.shape[:2]
    height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    return sum(
        x[:, r : r + height, c : c + width] @ kernel[r, c]
        for r in range(rows)
        for c in range(columns)
    )


# Keras 2.


def normalization(name: str, **more) -> dict:
    return {
        "name": name,
        "trainable": True,
        "dtype": "float32",
        "axis": [3],
        "momentum": 0.9,
        "epsilon": 0.001,
        "center": True,
        "scale": True,
        "beta_initializer": files.ZEROS,
        "gamma_initializer": files.ONES,
        "moving_mean_initializer": files.ZEROS,
        "moving_variance_initializer": files.ONES,
        "beta_regularizer": None,
        "gamma_regularizer": None,
        "beta_constraint": None,
        "gamma_constraint": None,
        **more,
    }


@pytest.fixture
def cnn(tmp_path):
    """A Sequential of Keras 2.4: convolution, normalization, pooling, dense; its arrays."""
    w = {
        "kernel": array(3, 3, 1, 4),
        "bias": array(4),
        "gamma": array(4),
        "beta": array(4),
        "mean": array(4),
        "variance": np.abs(array(4)) + 0.5,
        "dense": array(36, 3),
        "dense bias": array(3),
    }
    pooling = {"name": "pool", "trainable": True, "pool_size": [2, 2], "padding": "valid"}
    config = files.sequential(
        (
            "Conv2D",
            files.convolution("conv", 4, 3, groups=1, batch_input_shape=[None, 6, 6, 1]),
        ),
        ("BatchNormalization", normalization("bn")),
        ("LeakyReLU", {"name": "leaky", "trainable": True, "alpha": 0.25}),
        ("MaxPooling2D", {**pooling, "strides": [2, 2], "data_format": "channels_last"}),
        ("Dropout", {"name": "drop", "rate": 0.5, "noise_shape": None, "seed": None}),
        ("Flatten", {"name": "flat", "trainable": True, "data_format": "channels_last"}),
        ("Dense", files.dense("out", 3, "softmax")),
        name="sequential_1",
    )
    weights = {
        "conv": [("conv/kernel:0", w["kernel"]), ("conv/bias:0", w["bias"])],
        "bn": [
            ("bn/gamma:0", w["gamma"]),
            ("bn/beta:0", w["beta"]),
            ("bn/moving_mean:0", w["mean"]),
            ("bn/moving_variance:0", w["variance"]),
        ],
        "leaky": [],
        "pool": [],
        "drop": [],
        "flat": [],
        "out": [("out/kernel:0", w["dense"]), ("out/bias:0", w["dense bias"])],
    }
    return config, weights, w


def run_cnn(x, w):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = np.maximum(correlation(padded, w["kernel"]) + w["bias"], 0.0)
    y = (y - w["mean"]) / np.sqrt(w["variance"] + 0.001) * w["gamma"] + w["beta"]
    y = np.where(y < 0, 0.25 * y, y)
    y = y.reshape(-1, 3, 2, 3, 2, 4).max(axis=(2, 4)).reshape(len(x), -1)
    y = np.exp(y @ w["dense"] + w["dense bias"])
    return y / y.sum(axis=-1, keepdims=True)


def test_cnn_of_keras_2_with_training(cnn, tmp_path):
    config, weights, w = cnn
    trained = [item for name in ("conv", "bn", "out") for item in weights[name][:2]]
    state = [("Adam/iter:0", np.int64(17))]
    for slot in ("m", "v"):
        state += [
            (f"Adam/{name[:-2]}/{slot}:0", np.abs(array(*value.shape))) for name, value in trained
        ]
    training = {
        "loss": "categorical_crossentropy",
        "metrics": [
            [
                {
                    "class_name": "MeanMetricWrapper",
                    "config": {
                        "name": "accuracy",
                        "dtype": "float32",
                        "fn": "categorical_accuracy",
                    },
                }
            ]
        ],
        "weighted_metrics": None,
        "loss_weights": None,
        "sample_weight_mode": None,
        "optimizer_config": {
            "class_name": "Adam",
            "config": {
                "name": "Adam",
                "lr": 0.002,
                "decay": 0.5,
                "beta_1": 0.8,
                "beta_2": 0.99,
                "epsilon": None,
                "amsgrad": False,
            },
        },
    }
    path = files.write(
        tmp_path / "cnn.h5", config, weights, version="2.4.0", training=training, state=state
    )
    model = load(path)
    x = array(2, 6, 6, 1)
    close(model.predict(x, verbose=0), run_cnn(x, w))
    assert model.input_names == ["conv_input"]
    optimizer = model.optimizer
    assert (optimizer.beta_1, optimizer.epsilon) == (0.8, 1e-7)
    assert int(optimizer.iterations) == 17
    assert float(optimizer.learning_rate) == pytest.approx(0.002 / (1 + 0.5 * 17))
    known = {variable.name: variable for variable in optimizer.variables}
    for name, value in state[1:]:
        path, slot = name[:-2].removeprefix("Adam/").rsplit("/", 1)
        ours = next(v for v in model.variables if v.path.endswith(path)).path.replace("/", "_")
        close(known[f"{ours}_{ {'m': 'momentum', 'v': 'velocity'}[slot] }"], value, 0)
    history = model.fit(x, np.eye(3)[:2], verbose=0).history
    assert list(history) == ["accuracy", "loss"]


def test_weights_of_keras_2_by_order_and_by_name(cnn, tmp_path):
    config, weights, w = cnn
    path = files.write(tmp_path / "cnn.h5", config, weights)
    model = load(path, compile=False)
    only = files.write(tmp_path / "w.weights.h5", None, weights, weights_only=True)
    x = array(2, 6, 6, 1)
    expected = model.predict(x, verbose=0)
    for file in (path, only):
        other = load(path, compile=False)
        other.set_weights([0 * value for value in other.get_weights()])
        other.load_weights(file)
        close(other.predict(x, verbose=0), expected, 0)
    new = nkeras.Sequential(
        [nkeras.Input((6, 6, 1)), layers.Conv2D(4, 3, name="conv"), layers.Dense(5, name="out")]
    )
    before = new.get_layer("out").kernel.numpy()
    with pytest.raises(ValueError, match=r"out.*kernel has shape"):
        new.load_weights(only, by_name=True)
    with pytest.warns(UserWarning, match="stay as they are"):
        new.load_weights(path, by_name=True, skip_mismatch=True)
    close(new.get_layer("conv").kernel, w["kernel"], 0)
    close(new.get_layer("out").kernel, before, 0)
    with pytest.raises(ValueError, match="weights of 3 layers"):
        new.load_weights(path)


def test_functional_model_of_keras_2_with_shared_and_nested_layers(tmp_path):
    w = [array(4, 3), array(3), array(3, 3), array(3), array(6, 2), array(2)]
    inner = {
        "class_name": "Sequential",
        "config": {
            "name": "inner",
            "layers": [
                {
                    "class_name": "Dense",
                    "config": files.dense("d2", 3, "tanh", batch_input_shape=[None, 3]),
                }
            ],
        },
    }
    entry = {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False}
    config = files.functional(
        [
            files.node("InputLayer", [], name="a", **entry),
            files.node("InputLayer", [], name="b", **entry),
            files.node("Dense", [[["a", 0, 0, {}]], [["b", 0, 0, {}]]], **files.dense("d1", 3)),
            {
                **inner,
                "name": "inner",
                "inbound_nodes": [[["d1", 0, 0, {}]], [["d1", 1, 0, {}]]],
            },
            files.node(
                "Concatenate",
                [[["inner", 1, 0, {}], ["inner", 2, 0, {}]]],
                name="both",
                trainable=True,
                axis=-1,
            ),
            files.node("Dense", [[["both", 0, 0, {}]]], **files.dense("d3", 2)),
        ],
        [["a", 0, 0], ["b", 0, 0]],
        [["d3", 0, 0]],
    )
    weights = {
        "a": [],
        "b": [],
        "d1": [("d1/kernel:0", w[0]), ("d1/bias:0", w[1])],
        "inner": [("d2/kernel:0", w[2]), ("d2/bias:0", w[3])],
        "both": [],
        "d3": [("d3/kernel:0", w[4]), ("d3/bias:0", w[5])],
    }
    model = load(files.write(tmp_path / "f.h5", config, weights), compile=False)
    a, b = array(3, 4), array(3, 4)

    def half(x):
        return np.tanh((x @ w[0] + w[1]) @ w[2] + w[3])

    expected = np.concatenate([half(a), half(b)], axis=-1) @ w[4] + w[5]
    close(model.predict([a, b], verbose=0), expected)
    assert len(model.get_layer("d1")._inbound_nodes) == 2


@pytest.mark.parametrize("is_cudnn", [False, True])
def test_lstm_and_gru_of_keras_2(tmp_path, is_cudnn):
    w = [array(4, 12), array(3, 12), array(12), array(4, 9), array(3, 9), array(9), array(9, 1)]
    both = {"class_name": "LSTM", "config": files.recurrent("lstm", 3, unit_forget_bias=True)}
    config = files.sequential(
        (
            "Bidirectional",
            {
                "name": "bi",
                "trainable": True,
                "layer": both,
                "merge_mode": "concat",
                "batch_input_shape": [None, 5, 4],
            },
        ),
        name="s",
    )
    x = array(2, 5, 4)
    back = [array(4, 12), array(3, 12), array(12)]
    weights = {
        "bi": [
            (f"bi/{side}_lstm/{name}:0", value)
            for side, values in (("forward", w[:3]), ("backward", back))
            for name, value in zip(("kernel", "recurrent_kernel", "bias"), values, strict=True)
        ]
    }
    expected = np.concatenate([lstm(x, *w[:3]), lstm(x[:, ::-1], *back)], axis=-1)
    if not is_cudnn:
        close(
            load(files.write(tmp_path / "bi.h5", config, weights)).predict(x, verbose=0), expected
        )
    else:  # transposed matrices, two biases, sigmoid gates
        config = files.sequential(
            ("CuDNNLSTM", {"name": "l", "units": 3, "batch_input_shape": [None, 5, 4]})
        )
        kernel = np.concatenate([g.T.reshape(4, 3) for g in np.split(w[0], 4, axis=1)], axis=1)
        recurrent = np.concatenate([g.T for g in np.split(w[1], 4, axis=1)], axis=1)
        bias = np.concatenate([w[2], back[2]])
        weights = {"l": [("l/k:0", kernel), ("l/r:0", recurrent), ("l/b:0", bias)]}
        expected = lstm(x, w[0], w[1], w[2] + back[2], sigmoid)
        model = load(files.write(tmp_path / "l.h5", config, weights))
        close(model.predict(x, verbose=0), expected)
        return
    config = files.sequential(
        ("GRU", files.recurrent("gru", 3, batch_input_shape=[None, 5, 4])),
        ("Dense", files.dense("d", 1)),
    )
    weights = {
        "gru": [("gru/k:0", w[3]), ("gru/r:0", w[4]), ("gru/b:0", w[5])],
        "d": [("d/kernel:0", array(3, 1)), ("d/bias:0", array(1))],
    }
    model = load(files.write(tmp_path / "gru.h5", config, weights, version="2.0.6"))
    y = gru(x, *w[3:6]) @ weights["d"][0][1] + weights["d"][1][1]
    close(model.predict(x, verbose=0), y)
    assert model.layers[0].recurrent_activation is nkeras.activations.keras2_hard_sigmoid
    again = tmp_path / "again.keras"
    model.save(again)
    close(load(again).predict(x, verbose=0), y)


def test_states_of_keras_2_are_inputs_of_recurrent_layers(tmp_path):
    """An encoder and a decoder: states stand among the inputs of a call."""
    w = [array(4, 12), array(3, 12), array(12)]
    entry = {"dtype": "float32", "sparse": False}
    config = files.functional(
        [
            files.node("InputLayer", [], name="x", batch_input_shape=[None, 5, 4], **entry),
            files.node("InputLayer", [], name="h", batch_input_shape=[None, 3], **entry),
            files.node("InputLayer", [], name="c", batch_input_shape=[None, 3], **entry),
            files.node(
                "LSTM",
                [[["x", 0, 0, {}], ["h", 0, 0, {}], ["c", 0, 0, {}]]],
                **files.recurrent("lstm", 3, recurrent_activation="sigmoid", time_major=False),
            ),
        ],
        [["x", 0, 0], ["h", 0, 0], ["c", 0, 0]],
        [["lstm", 0, 0]],
    )
    names = ("kernel", "recurrent_kernel", "bias")
    weights = {"lstm": [(f"lstm/{name}:0", value) for name, value in zip(names, w, strict=True)]}
    model = load(files.write(tmp_path / "s.h5", config, weights), compile=False)
    x, zero = array(2, 5, 4), np.zeros((2, 3), "float32")
    close(model.predict([x, zero, zero], verbose=0), lstm(x, *w, sigmoid))
    assert not np.allclose(model.predict([x, zero + 1, zero], verbose=0), lstm(x, *w, sigmoid))


# Keras 1.


def test_mlp_of_keras_1_with_training(tmp_path):
    w = [array(4, 5), array(5), array(5, 3), array(3)]
    regularizer = {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01}
    config = files.sequential(
        (
            "Dense",
            files.dense_of_keras_1(
                "dense_1",
                5,
                "relu",
                batch_input_shape=[None, 4],
                input_dtype="float32",
                W_regularizer=regularizer,
                W_constraint={"name": "MaxNorm", "m": 2, "axis": 0},
            ),
        ),
        ("Dropout", {"name": "dropout_1", "trainable": True, "p": 0.5}),
        ("Dense", files.dense_of_keras_1("dense_2", 3, "linear")),
        ("Activation", {"name": "activation_1", "trainable": True, "activation": "softmax"}),
    )
    weights = {
        "dense_1": [("dense_1_W", w[0]), ("dense_1_b", w[1])],
        "dropout_1": [],
        "dense_2": [("dense_2_W", w[2]), ("dense_2_b", w[3])],
        "activation_1": [],
    }
    moments = [array(*value.shape) for value in w]
    names = ("iterations", "zeros", "zeros_1", "zeros_2", "zeros_3")
    state = list(zip(names, [np.float32(40), *moments], strict=True))
    training = {
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy"],
        "sample_weight_mode": None,
        "loss_weights": None,
        "optimizer_config": {
            "class_name": "SGD",
            "config": {"lr": 0.1, "decay": 0.0, "momentum": 0.9, "nesterov": True},
        },
    }
    path = files.write(
        tmp_path / "mlp.h5",
        config,
        weights,
        version=None,
        backend=None,
        training=training,
        state=state,
    )
    model = load(path)
    x = array(2, 4)
    y = np.exp(np.maximum(x @ w[0] + w[1], 0) @ w[2] + w[3])
    close(model.predict(x, verbose=0), y / y.sum(axis=-1, keepdims=True))
    first = model.layers[0]
    assert (first.kernel_regularizer.l2, first.kernel_constraint.max_value) == (0.01, 2)
    assert model.layers[1].rate == 0.5
    assert model.optimizer.nesterov
    assert int(model.optimizer.iterations) == 40
    for variable, moment in zip(model.optimizer.variables[2:], moments, strict=True):
        close(variable, moment, 0)


@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
@pytest.mark.parametrize("ordering", ["tf", "th"])
def test_cnn_of_keras_1(tmp_path, backend, ordering):
    """Theano turned kernels around; `th` had other axes. The numbers are the same."""
    kernel, bias, w, b = array(3, 2, 2, 4), array(4), array(4 * 4 * 2, 3), array(3)
    stored = kernel if backend == "tensorflow" else kernel[::-1, ::-1]
    is_first = ordering == "th"
    config = files.sequential(
        (
            "Convolution2D",
            files.convolution_of_keras_1(
                "convolution2d_1",
                4,
                3,
                nb_col=2,
                dim_ordering=ordering,
                batch_input_shape=[None, 2, 10, 5] if is_first else [None, 10, 5, 2],
            ),
        ),
        (
            "MaxPooling2D",
            {
                "name": "maxpooling2d_1",
                "trainable": True,
                "pool_size": [2, 2],
                "strides": [2, 2],
                "border_mode": "valid",
                "dim_ordering": ordering,
            },
        ),
        ("Flatten", {"name": "flatten_1", "trainable": True}),
        ("Dense", files.dense_of_keras_1("dense_1", 3, "linear", input_dim=32)),
    )
    weights = {
        "convolution2d_1": [
            ("convolution2d_1_W", stored.transpose(3, 2, 0, 1) if is_first else stored),
            ("convolution2d_1_b", bias),
        ],
        "maxpooling2d_1": [],
        "flatten_1": [],
        "dense_1": [("dense_1_W", w), ("dense_1_b", b)],
    }
    path = files.write(tmp_path / "cnn.h5", config, weights, version="1.2.2", backend=backend)
    x = array(2, 10, 5, 2)
    y = np.maximum(correlation(x, kernel) + bias, 0)
    y = y.reshape(2, 4, 2, 2, 2, 4).max(axis=(2, 4))
    y = y.transpose(0, 3, 1, 2) if is_first else y
    model = load(path)
    close(
        model.predict(x.transpose(0, 3, 1, 2) if is_first else x, verbose=0),
        y.reshape(2, -1) @ w + b,
    )


def test_other_layers_of_keras_1(tmp_path):
    """Arrays of its own for each gate, a kernel with an axis too many, merged branches."""
    w = {gate: [array(5, 3), array(3, 3), array(3)] for gate in "icfo"}
    kernel, bias = array(2, 1, 4, 5), array(5)
    config = files.functional(
        [
            files.node(
                "InputLayer",
                [],
                name="input_1",
                batch_input_shape=[None, 6, 4],
                input_dtype="float32",
                sparse=False,
            ),
            files.node(
                "Convolution1D",
                [[["input_1", 0, 0]]],
                name="convolution1d_1",
                nb_filter=5,
                filter_length=2,
                init="glorot_uniform",
                activation="linear",
                border_mode="valid",
                subsample_length=1,
                bias=True,
                input_dim=4,
                input_length=6,
            ),
            files.node(
                "LSTM",
                [[["convolution1d_1", 0, 0]]],
                **files.recurrent_of_keras_1("lstm_1", 3, forget_bias_init="one"),
            ),
            files.node(
                "Merge",
                [[["lstm_1", 0, 0], ["lstm_1", 0, 0]]],
                name="merge_1",
                mode="concat",
                mode_type="raw",
                concat_axis=-1,
                dot_axes=-1,
                output_shape=None,
            ),
        ],
        [["input_1", 0, 0]],
        [["merge_1", 0, 0]],
    )
    gates = [
        (f"lstm_1_{'WUb'[part]}_{gate}", values[part])
        for gate, values in w.items()
        for part in range(3)
    ]
    weights = {
        "convolution1d_1": [("convolution1d_1_W", kernel), ("convolution1d_1_b", bias)],
        "lstm_1": gates,
    }
    model = load(files.write(tmp_path / "m.h5", config, weights, version=None))
    x = array(2, 6, 4)
    y = np.stack([x[:, t : t + 2].reshape(2, 8) @ kernel.reshape(8, 5) for t in range(5)], axis=1)
    parts = [np.concatenate([w[gate][part] for gate in "ifco"], axis=-1) for part in range(3)]
    h = lstm(y + bias, *parts)
    close(model.predict(x, verbose=0), np.concatenate([h, h], axis=-1))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (("MaxoutDense", {"name": "m", "output_dim": 3}), "MaxoutDense"),
        (("Merge", {"name": "m", "mode": "dot"}), "Merge 'm' of mode 'dot'"),
        (
            ("BatchNormalization", {"name": "b", "mode": 1, "axis": -1, "epsilon": 0.001}),
            "no argument 'mode' today",
        ),
        (
            ("Dense", {"output_dim": 2, "W_regularizer": {"name": "EigenvalueRegularizer"}}),
            "no regularizer",
        ),
    ],
)
def test_what_keras_1_had_and_nobody_has_today(tmp_path, layer, message):
    name, config = layer
    path = files.write(
        tmp_path / "m.h5",
        files.sequential((name, {**config, "batch_input_shape": [None, 4]})),
        {},
        version=None,
    )
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith("m.h5: ")


# Lambda, long lists, and what a file must not do.


def lambda_model(function, **more):
    config = {"name": "twice", "trainable": True, "function": function, "output_shape": None}
    return files.sequential(
        ("Lambda", {**config, "arguments": {}, "batch_input_shape": [None, 2], **more})
    )


def test_lambda_is_handed_over(tmp_path):
    code = ["4wEAAAAAAAAA", None, None]
    path = files.write(tmp_path / "m.h5", lambda_model(code, function_type="lambda"), {})
    with pytest.raises(ValueError, match="brings along code") as caught:
        load(path)
    assert "custom_objects={'twice': function}" in str(caught.value)
    model = load(path, custom_objects={"twice": lambda x: 2 * x})
    close(model.predict(np.ones((1, 2)), verbose=0), [[2.0, 2.0]])
    path = files.write(tmp_path / "m.h5", lambda_model("exec", function_type="function"), {})
    with pytest.raises(ValueError, match="is the function 'exec'"):
        load(path)


def test_long_lists_of_names_are_cut(tmp_path):
    many = nkeras.Sequential(
        [nkeras.Input((1,)), *(layers.Dense(1, name=f"d{i}" + "x" * 800) for i in range(90))]
    )
    path = tmp_path / "m.h5"
    many.save(path)
    with h5py.File(path) as file:
        assert "layer_names1" in file["model_weights"].attrs
    for one, other in zip(load(path).weights, many.weights, strict=True):
        close(one, other.numpy(), 0)


def damaged(tmp_path, damage):
    """A small file of ours to which something was done."""
    path = tmp_path / "m.h5"
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2, name="d")])
    model.compile("adam", "mse")
    model.save(path)
    with h5py.File(path, "a") as file:
        damage(file)
    return path


def replace(file, name, text) -> None:
    del file.attrs[name]
    file.attrs[name] = text


def changed(change):
    def damage(file) -> None:
        config = json.loads(file.attrs["model_config"])
        change(config)
        replace(file, "model_config", json.dumps(config))

    return damage


def layer_of(config, number=1):
    return config["config"]["layers"][number]


def without_weight(file) -> None:
    del file["model_weights/d/sequential"]


def link(file) -> None:
    file["model_weights/d/soft"] = h5py.SoftLink("/model_weights")


def external(file) -> None:
    file["model_weights/more"] = h5py.ExternalLink("other.h5", "/")


def wrong_names(file) -> None:
    del file["model_weights"].attrs["layer_names"]
    file["model_weights"].attrs["layer_names"] = np.arange(3)


DAMAGES = {
    "no_json": (lambda file: replace(file, "model_config", "{"), "damaged"),
    "a_list": (lambda file: replace(file, "model_config", "[1, 2]"), "no object"),
    "a_number": (lambda file: replace(file, "model_config", 3), "not text"),
    "deep": (lambda file: replace(file, "model_config", "[" * 5000 + "]" * 5000), "damaged|nested"),
    "deep_model": (
        changed(lambda config: config.update(config=nested(60))),
        "nested|d|weights",
    ),
    "no_layers": (changed(lambda config: config.update(config={})), "layers of a model are None"),
    "layers_are_a_number": (
        changed(lambda config: config["config"].update(layers=5)),
        "layers of a model are 5",
    ),
    "layer_is_a_number": (
        changed(lambda config: config["config"]["layers"].append(5)),
        "5 describes no layer",
    ),
    "system": (
        changed(lambda config: layer_of(config).update(class_name="system", module="os")),
        "system",
    ),
    "subclass": (
        changed(lambda config: layer_of(config).update(class_name="__subclasses__")),
        "__subclasses__",
    ),
    "large": (
        changed(lambda config: layer_of(config)["config"].update(units=10**12)),
        "kernel has shape",
    ),
    "huge_integer": (
        changed(lambda config: layer_of(config)["config"].update(units=10**40)),
        "integer",
    ),
    "text_for_units": (
        changed(lambda config: layer_of(config)["config"].update(units="3")),
        "units",
    ),
    "unknown_argument": (
        changed(lambda config: layer_of(config)["config"].update(power=3)),
        "power",
    ),
    "missing_weight": (without_weight, "is missing"),
    "soft_link": (link, "link to elsewhere"),
    "external_link": (external, "link to elsewhere"),
    "names_are_numbers": (wrong_names, "not text"),
    "training_is_no_json": (lambda file: replace(file, "training_config", "{"), "compile=False"),
    "training_has_no_optimizer": (
        lambda file: replace(file, "training_config", "{}"),
        "compile=False",
    ),
    "unknown_loss": (
        lambda file: replace(
            file,
            "training_config",
            json.dumps({**json.loads(file.attrs["training_config"]), "loss": "eval"}),
        ),
        "no loss or metric 'eval'",
    ),
}


def nested(times):
    config = {"name": "m", "layers": []}
    for _ in range(times):
        config = {"name": "m", "layers": [{"class_name": "Sequential", "config": config}]}
    return config


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_and_hostile_files_are_refused(tmp_path, kind):
    damage, message = DAMAGES[kind]
    path = damaged(tmp_path, damage)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith("m.h5")
    assert len(text.splitlines()) <= 3
    assert len(text) <= 400


def test_many_names_that_are_one_large_text(tmp_path):
    """Elements of an attribute may share a text: 3 GB in memory that are 1 MB in the file."""
    path = damaged(tmp_path, lambda file: None)
    with h5py.File(path, "a") as file:
        attributes = file["model_weights"].attrs
        attributes["text"] = "x" * (1 << 20)
        del attributes["layer_names"]
        attributes.create("layer_names", ["a"] * 3000, dtype=h5py.string_dtype())
    content = path.read_bytes()
    heap = content.index(b"x" * 1000) - 32  # behind the headers of the heap and of the text in it
    assert content[heap : heap + 4] == b"GCOL"
    # Each element is a length, the place of a heap, and a number in it.
    elements = re.search(rb"(?:\x01\0\0\0.{12}){3000}", content, re.DOTALL)
    large = struct.pack("<IQI", 1 << 20, heap, 1) * 3000
    path.write_bytes(content[: elements.start()] + large + content[elements.end() :])
    with pytest.raises(ValueError, match="claims 3000 large texts"):
        load(path)


def test_other_refusals(tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match="no HDF5 file"):
        load(path)
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2)])
    model.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match="by_name"):
        model.load_weights(tmp_path / "w.weights.h5", by_name=True)
    (tmp_path / "w.weights.h5").rename(tmp_path / "w.h5")
    with pytest.raises(ValueError, match="no configuration of a model"):
        load(tmp_path / "w.h5")
    with pytest.raises(ValueError, match="no list of layers"):
        model.load_weights(tmp_path / "w.h5")
    model.save(path)
    with pytest.raises(ValueError, match="objects_to_skip"):
        model.load_weights(path, objects_to_skip=[model.layers[0]])


def test_a_file_that_does_not_fit_changes_nothing(tmp_path):
    path = tmp_path / "m.h5"
    nkeras.Sequential([nkeras.Input((3,)), layers.Dense(4), layers.Dense(2)]).save(path)
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(4), layers.Dense(3)])
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"shape \(4, 3\), in the file \(4, 2\)\. 1 more"):
        model.load_weights(path)
    for one, other in zip(before, model.get_weights(), strict=True):
        close(one, other, 0)
