"""Whole graphs: what becomes a layer, what is trained, and how the model lives on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import nkeras
from tests.models.onnx.case import expected, floats, model_of, saved

node = helper.make_node


def convolutional() -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Convolutions with normalization, a sum around one of them, a dense layer."""
    weights = {
        "w1": floats(4, 3, 3, 3) * 0.2,
        "w2": floats(4, 4, 3, 3) * 0.2,
        "b2": floats(4),
        "gamma": np.abs(floats(4)) + 0.5,
        "beta": floats(4) * 0.1,
        "mean": floats(4) * 0.1,
        "variance": np.abs(floats(4)) + 0.5,
        "dense": floats(2, 4),
        "bias": floats(2),
    }
    nodes = [
        node("Conv", ["x", "w1"], ["c1"], "/stem/Conv", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c1", "gamma", "beta", "mean", "variance"], ["n1"], "norm"),
        node("Relu", ["n1"], ["r1"], "relu"),
        node("Conv", ["r1", "w2", "b2"], ["c2"], "stem/Conv", pads=[1, 1, 1, 1]),
        node("Add", ["c2", "r1"], ["a"]),
        node("GlobalAveragePool", ["a"], ["g"], "pool"),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "dense", "bias"], ["y"], "head", transB=1),
    ]
    arrays = {"x": floats(8, 3, 8, 8)}
    return model_of(nodes, arrays, ["y"], weights), arrays


def test_layers_are_those_of_keras_and_have_the_names_of_nodes(tmp_path: Path):
    model = nkeras.models.from_onnx(saved(convolutional()[0], tmp_path), name="net")
    named = {layer.name: type(layer).__name__ for layer in model.layers}
    assert named == {
        "x": "InputLayer",
        "stem_Conv_pad": "ZeroPadding2D",
        "stem_Conv": "Conv2D",
        "norm": "BatchNormalization",
        "relu": "ReLU",
        "stem_Conv_1": "Conv2D",
        "pool": "GlobalAveragePooling2D",
        "head": "Dense",
    }
    assert (model.name, model.input_shape, model.output_shape) == (
        "net",
        (None, 3, 8, 8),
        (None, 2),
    )
    assert len(model.trainable_variables) == 7


def test_a_model_is_trained_cloned_and_saved(tmp_path: Path):
    file, arrays = convolutional()
    x = arrays["x"]
    model = nkeras.models.from_onnx(saved(file, tmp_path))
    first = model.predict(x, verbose=0)
    np.testing.assert_allclose(first, expected(file, arrays)[0], 1e-5, 1e-5)
    before = [variable.numpy() for variable in model.variables]
    model.compile(nkeras.optimizers.Adam(0.01), "mse")
    history = model.fit(x, first + floats(8, 2), epochs=8, batch_size=4, verbose=0)
    losses = history.history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    changed = [np.any(a != b.numpy()) for a, b in zip(before, model.variables, strict=True)]
    assert all(changed)
    trained = model.predict(x, verbose=0)
    clone = nkeras.models.clone_model(model)
    assert np.abs(clone.predict(x, verbose=0) - trained).max() > 1e-3
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(x, verbose=0), trained)
    model.save(tmp_path / "model.keras")
    loaded = nkeras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), trained)


def test_floats_of_initializers_are_trained_wherever_they_stand(tmp_path: Path):
    weights = {
        "scale": floats(3, 1, 1),
        "half": np.array(0.5, "float32"),
        "table": floats(1, 3, 4, 5),
    }
    constant = numpy_helper.from_array(floats(5))
    nodes = [
        node("Constant", [], ["five"], value=constant),
        node("Mul", ["x", "scale"], ["a"]),
        node("Add", ["a", "five"], ["b"]),
        node("Add", ["b", "table"], ["c"]),
        node("Mul", ["c", "half"], ["y"]),
    ]
    arrays = {"x": floats(2, 3, 4, 5)}
    file = model_of(nodes, arrays, ["y"], weights)
    model = nkeras.models.from_onnx(saved(file, tmp_path))
    np.testing.assert_allclose(model(arrays["x"]).numpy(), expected(file, arrays)[0], 1e-6, 1e-6)
    assert [v.path for v in model.trainable_variables] == ["scale/value", "table/value"]
    model.save(tmp_path / "model.keras")
    loaded = nkeras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(arrays["x"]).numpy(), model(arrays["x"]).numpy())


def test_a_product_and_the_sum_behind_it_are_one_dense_layer(tmp_path: Path):
    weights = {"w": floats(4, 5), "b": floats(5), "v": floats(5, 5), "c": floats(5)}
    nodes = [
        node("MatMul", ["x", "w"], ["p"], "first"),
        node("Add", ["b", "p"], ["q"]),
        node("MatMul", ["q", "v"], ["r"], "second"),
        node("Add", ["r", "c"], ["s"]),
        node("Add", ["r", "s"], ["y"]),  # so the second product is needed by itself
    ]
    arrays = {"x": floats(2, 3, 4)}
    file = model_of(nodes, arrays, ["y"], weights)
    model = nkeras.models.from_onnx(saved(file, tmp_path))
    assert [model.get_layer(name).use_bias for name in ("first", "second")] == [True, False]
    np.testing.assert_allclose(model(arrays["x"]).numpy(), expected(file, arrays)[0], 1e-5, 1e-5)


def test_nodes_with_the_same_weights_share_a_layer(tmp_path: Path):
    weights = {"w": floats(4, 4), "b": floats(4), "scale": floats(4)}
    nodes = [
        node("Gemm", ["x", "w", "b"], ["p"], "first"),
        node("Gemm", ["p", "w", "b"], ["q"], "second"),
        node("Mul", ["q", "scale"], ["r"]),
        node("Mul", ["r", "scale"], ["y"]),
    ]
    arrays = {"x": floats(2, 4)}
    file = model_of(nodes, arrays, ["y"], weights)
    model = nkeras.models.from_onnx(saved(file, tmp_path))
    assert [layer.name for layer in model.layers if layer.weights] == ["first", "scale"]
    np.testing.assert_allclose(model(arrays["x"]).numpy(), expected(file, arrays)[0], 1e-5, 1e-5)


def shape_of_batch() -> list[onnx.NodeProto]:
    """The batch size as a list of one number, by arithmetic of shapes."""
    return [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "axes"], ["batch"]),
    ]


def test_arithmetic_of_shapes_with_an_open_batch(tmp_path: Path):
    weights = {name: np.array(value, "int64") for name, value in {"zero": 0, "two": 2}.items()}
    weights |= {"axes": np.array([0]), "rest": np.array([-1, 5]), "three": np.array([3])}
    weights |= {"token": floats(1, 1, 5), "inner": np.array([1, 1])}
    weights |= {"half": np.array(0.5, "float32")}
    nodes = [
        *shape_of_batch(),
        node("Concat", ["batch", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["a"]),
        node("Mul", ["batch", "three"], ["triple"]),
        node("Concat", ["triple", "rest"], ["wide"], axis=0),
        node("Reshape", ["a", "wide"], ["b"]),
        node("Reshape", ["b", "target"], ["c"]),
        node("Concat", ["batch", "inner"], ["spread"], axis=0),
        node("Expand", ["token", "spread"], ["tokens"]),
        node("Concat", ["tokens", "c"], ["y"], axis=1),
        node("ConstantOfShape", ["target_2"], ["z"]),
        node("Expand", ["half", "target_2"], ["halves"]),
        node("Concat", ["batch", "three"], ["target_2"], axis=0),
    ]
    arrays = {"x": floats(2, 3, 4, 5)}
    nodes = [*nodes[:-3], nodes[-1], *nodes[-3:-1]]
    file = model_of(nodes, arrays, ["y", "z", "halves"], weights)
    model = nkeras.models.from_onnx(saved(file, tmp_path))
    assert model.output_shape == [(None, 13, 5), (None, 3), (None, 3)]
    for got, want in zip(model(arrays["x"]), expected(file, arrays), strict=True):
        np.testing.assert_array_equal(got.numpy(), want)
    assert [v.path for v in model.trainable_variables] == ["token/value"]


def test_inputs_by_name_and_outputs_in_order(tmp_path: Path):
    nodes = [
        node("Gather", ["table", "places"], ["e"], "embedded"),
        node("Flatten", ["e"], ["f"]),
        node("Concat", ["numbers", "f"], ["y"], axis=1),
        node("ArgMax", ["y"], ["best"], axis=1, keepdims=0),
        node("NotAnOperator", ["y"], ["unused"]),
    ]
    arrays = {"numbers": floats(3, 2), "places": np.array([[0, 4], [1, 1], [2, 3]])}
    outputs = ["best", "y", "numbers"]
    file = model_of(nodes, arrays, outputs, {"table": floats(5, 3)})
    model = nkeras.models.from_onnx(saved(file, tmp_path))
    assert type(model.get_layer("embedded")).__name__ == "Embedding"
    del file.graph.node[-1]
    for got, want in zip(model(arrays), expected(file, arrays), strict=True):
        np.testing.assert_allclose(got.numpy(), want, 1e-6)


def test_shapes_of_inputs_can_be_given(tmp_path: Path):
    arrays = {"x": floats(1, 4)}
    file = model_of([node("Relu", ["x"], ["y"])], arrays, ["y"], open_axes=())
    path = saved(file, tmp_path)
    assert nkeras.models.from_onnx(path).input_shape == (1, 4)
    model = nkeras.models.from_onnx(path, {"x": (None, 4)})
    assert model.predict(floats(5, 4), verbose=0).shape == (5, 4)
    with pytest.raises(ValueError, match="inputs of the file are \\['x'\\]"):
        nkeras.models.from_onnx(path, {"z": (None, 4)})
    with pytest.raises(ValueError, match="must have 2 sizes"):
        nkeras.models.from_onnx(path, {"x": (None, 4, 1)})
    file.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ValueError, match="no shape of the input 'x'"):
        nkeras.models.from_onnx(saved(file, tmp_path))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_dtypes_of_weights(dtype: str, tmp_path: Path):
    import ml_dtypes

    kinds = {"bfloat16": ml_dtypes.bfloat16}
    x, w = (floats(*shape).astype(kinds.get(dtype, dtype)) for shape in ((2, 4), (4, 3)))
    file = model_of([node("MatMul", ["x", "w"], ["y"])], {"x": x}, ["y"], {"w": w})
    with nkeras.use_backend("numpy"):
        model = nkeras.models.from_onnx(saved(file, tmp_path))
        assert model.weights[0].dtype == model.outputs[0].dtype == dtype
        got = nkeras.ops.convert_to_numpy(model(x)).astype(float)
    np.testing.assert_allclose(got, x.astype(float) @ w.astype(float), 0.02, 0.02)


def test_weights_in_fields_of_numbers(tmp_path: Path):
    file, arrays = convolutional()
    want = nkeras.models.from_onnx(saved(file, tmp_path))(arrays["x"]).numpy()
    for tensor in file.graph.initializer:
        tensor.float_data.extend(numpy_helper.to_array(tensor).ravel().tolist())
        tensor.ClearField("raw_data")
    model = nkeras.models.from_onnx(saved(file, tmp_path))
    np.testing.assert_array_equal(model(arrays["x"]).numpy(), want)


def test_weights_in_a_file_beside_the_model(tmp_path: Path):
    file, arrays = convolutional()
    want = nkeras.models.from_onnx(saved(file, tmp_path))(arrays["x"]).numpy()
    (tmp_path / "weights").mkdir()
    onnx.save_model(
        file,
        str(tmp_path / "model.onnx"),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="weights/all.bin",
        size_threshold=0,
    )
    model = nkeras.models.from_onnx(tmp_path / "model.onnx")
    np.testing.assert_array_equal(model(arrays["x"]).numpy(), want)


def test_reshaping_with_two_open_sizes(tmp_path: Path):
    """Attention's heads: of the batch and the time nobody knows the size."""
    shapes = {"heads": [0, 0, 2, 3], "joined": [0, 0, -1], "pairs": [0, -1], "back": [0, 0, 3, 2]}
    weights = {name: np.array(shape) for name, shape in shapes.items()}
    weights |= {"zero": np.array(0), "one": np.array(1), "table": floats(8, 6)}
    nodes = [
        node("Reshape", ["x", "heads"], ["h"]),
        node("Transpose", ["h"], ["t"], perm=[0, 2, 1, 3]),
        node("Transpose", ["t"], ["u"], perm=[0, 2, 1, 3]),
        node("Reshape", ["u", "joined"], ["j"]),
        node("Reshape", ["j", "back"], ["b"]),
        node("Reshape", ["b", "joined"], ["k"]),
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "one"], ["time"], axis=0),
        node("Range", ["zero", "time", "one"], ["places"]),
        node("Gather", ["table", "places"], ["p"], "positions"),
        node("Add", ["k", "p"], ["y"]),
    ]
    arrays = {"x": floats(2, 5, 6)}
    file = model_of(nodes, arrays, ["y"], weights, open_axes=(0, 1))
    model = nkeras.models.from_onnx(saved(file, tmp_path))
    assert model.output_shape == (None, None, 6)
    for x in (arrays["x"], floats(3, 7, 6)):
        np.testing.assert_array_equal(model(x).numpy(), expected(file, {"x": x})[0])


def test_a_branch_takes_tensors_from_outside(tmp_path: Path):
    """As torch writes `squeeze`: another graph if the size of axis 1 is 1."""
    weights = {"scale": floats(4), "w": floats(4, 4), "b": floats(4), "one": np.array(1)}
    empty = [
        helper.make_empty_tensor_value_info("then"),
        helper.make_empty_tensor_value_info("else"),
    ]
    inner = [
        node("MatMul", ["p", "w"], ["q"], "inside"),
        node("Add", ["q", "b"], ["r"]),
        node("Flatten", ["r"], ["then"]),
    ]
    other = [node("Identity", ["p"], ["else"])]
    branches = {
        "then_branch": helper.make_graph(inner, "then", [], empty[:1]),
        "else_branch": helper.make_graph(other, "else", [], empty[1:]),
    }
    nodes = [
        node("Mul", ["x", "scale"], ["p"]),
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "one"], ["size"], axis=0),
        node("Equal", ["size", "one"], ["is_one"]),
        node("If", ["is_one"], ["y"], **branches),
    ]
    for length in (1, 3):
        arrays = {"x": floats(2, length, 4)}
        file = model_of(nodes, arrays, ["y"], weights)
        model = nkeras.models.from_onnx(saved(file, tmp_path))
        np.testing.assert_allclose(
            model(arrays["x"]).numpy(), expected(file, arrays)[0], 1e-5, 1e-5
        )
        assert ("inside" in [layer.name for layer in model.layers]) == (length == 1)
    arrays = {"x": floats(2, 1, 4)}
    file = model_of(nodes, arrays, ["y"], weights, open_axes=(0, 1))
    with pytest.raises(ValueError, match="whether the open size n1 is 1 is not known"):
        nkeras.models.from_onnx(saved(file, tmp_path))


def test_constants_keep_their_dtypes_in_configurations(tmp_path: Path):
    weights = {"zero": np.array(0.0, "float32"), "two": np.array(2), "three": np.array(3)}
    nodes = [node("Greater", ["x", "zero"], ["g"]), node("Where", ["g", "two", "three"], ["y"])]
    arrays = {"x": floats(2, 3)}
    file = model_of(nodes, arrays, ["y"], weights)
    model = nkeras.models.from_onnx(saved(file, tmp_path))
    again = nkeras.models.model_from_json(model.to_json())
    for made in (model, again):
        got = made(arrays["x"]).numpy()
        assert got.dtype == "int64"
        np.testing.assert_array_equal(got, expected(file, arrays)[0])


ROUND = {
    "image": lambda layers: [
        layers.Input((12, 10, 3)),
        layers.Conv2D(8, 3, strides=2, padding="same"),
        layers.BatchNormalization(),
        layers.DepthwiseConv2D(3, activation="relu6"),
        layers.Conv2DTranspose(4, 3, strides=2, activation="gelu"),
        layers.GroupNormalization(2),
        layers.AveragePooling2D(3, 2, "same"),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ],
    "sequence": lambda layers: [
        layers.Input((7,), dtype="int32"),
        layers.Embedding(20, 6),
        layers.Conv1D(6, 3, padding="causal", activation="silu"),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.LayerNormalization(),
        layers.GRU(5),
        layers.Dense(2),
    ],
}


@pytest.mark.parametrize("name", ROUND)
def test_what_nkeras_writes_is_read_again(name: str, tmp_path: Path):
    nkeras.utils.set_random_seed(3)
    with nkeras.use_backend("numpy"):
        model = nkeras.Sequential(ROUND[name](nkeras.layers))
        model.export(str(tmp_path / "model.onnx"), verbose=False)
        made = nkeras.models.from_onnx(tmp_path / "model.onnx")
        x = floats(2, 12, 10, 3) if name == "image" else np.arange(14, dtype="int32").reshape(2, 7)
        np.testing.assert_allclose(made(x).numpy(), model(x).numpy(), 1e-5, 1e-6)
    assert made.count_params() >= model.count_params()
