"""Whole models in ONNX Runtime: outputs, names, weights, sizes that are not known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import nkeras
from nkeras import layers
from nkeras.backend.derive import tanh
from nkeras.export.onnx.versions import newest_opset
from tests.export.runtime import check, largest_error, run, session


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    nkeras.utils.set_random_seed(3)
    with nkeras.use_backend("numpy"):
        yield


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal(shape).astype("float32")


def ids(*shape: int, below: int = 20) -> np.ndarray:
    return np.random.default_rng(5).integers(1, below, shape).astype("int32")


def convnet() -> nkeras.Model:
    return nkeras.Sequential(
        [
            nkeras.Input((12, 12, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def residual() -> nkeras.Model:
    x = inputs = nkeras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(y))
    x = layers.ReLU()(layers.Add()([layers.Conv2D(4, 1, strides=2)(x), y]))
    return nkeras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def lstm_classifier() -> nkeras.Model:
    return nkeras.Sequential(
        [
            nkeras.Input((None,), dtype="int32"),
            layers.Embedding(20, 5, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(3),
            layers.Dense(2, activation="softmax"),
        ]
    )


def transformer() -> nkeras.Model:
    tokens = nkeras.Input((None,), dtype="int32")
    x = layers.Embedding(20, 8)(tokens)
    attention = layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    x = layers.LayerNormalization()(x + attention)
    hidden = layers.Dense(16, activation="gelu")(x)
    x = layers.LayerNormalization()(x + layers.Dense(8)(hidden))
    return nkeras.Model(tokens, layers.Dense(20)(x))


def nested() -> nkeras.Model:
    inner = nkeras.Sequential([nkeras.Input((4,)), layers.Dense(4, activation="swish")])
    inputs = nkeras.Input((4,))
    return nkeras.Model(inputs, inner(inner(inputs)) * 2.0)


def lengths() -> nkeras.Model:
    """Sizes that are not known stand in means, slices, shapes and padding."""
    x = nkeras.Input((None, 4))
    last = x[:, -1] + nkeras.ops.mean(x, axis=1)
    pairs = nkeras.ops.matmul(x, nkeras.ops.transpose(x, (0, 2, 1)))
    flat = nkeras.ops.reshape(x[:, ::-1], (-1, 4))
    return nkeras.Model(x, [last, pairs, flat, layers.ZeroPadding1D(2)(x)])


def images_of_any_size() -> nkeras.Model:
    return nkeras.Sequential(
        [
            nkeras.Input((None, None, 3)),
            layers.Conv2D(4, 3, strides=2, padding="same"),
            layers.MaxPooling2D(2, padding="same"),
            layers.UpSampling2D(2),
            layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
            layers.GlobalMaxPooling2D(),
        ]
    )


def two_images() -> nkeras.Model:
    """Sizes that are not known must be those of the other input."""
    a, b = nkeras.Input((None, None, 3)), nkeras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(a + b)
    return nkeras.Model([a, b], [layers.Reshape((-1, 4))(x), nkeras.ops.mean(x, axis=(1, 2))])


def cut() -> nkeras.Model:
    """Sizes that are cut at a limit, also where it is not reached."""
    x = nkeras.Input((None, 4))
    first, last = x[:, :50], x[:, -50:]

    class Cut(layers.Layer):
        def call(self, x: Any) -> Any:
            kept = min(x.shape[1], 20)
            left = max(x.shape[1] - 20, 0)
            return nkeras.ops.sum(x[:, :kept], 1) * left

    class Updated(layers.Layer):
        def call(self, x: Any) -> Any:
            return nkeras.ops.slice_update(x, (0, 1, 1), x[:, 1:3, 1:3] * 2.0)

    return nkeras.Model(x, [first, last, Cut()(x), Updated()(x)])


def limits() -> nkeras.Model:
    x = nkeras.Input((4,))
    makers = ({}, {"max_value": 6.0}, {"negative_slope": 0.1}, {"max_value": 2.0, "threshold": 1.0})
    return nkeras.Model(x, [layers.ReLU(**options)(x * 4.0) for options in makers])


def own_function() -> nkeras.Model:
    @nkeras.elementwise
    def soft_limit(x: Any, limit: Any) -> Any:
        return limit * tanh(x / limit)

    x = nkeras.Input((4,))
    return nkeras.Model(x, soft_limit(layers.Dense(3)(x), 0.5))


def mixed(policy: str) -> nkeras.Model:
    return nkeras.Sequential(
        [
            nkeras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", dtype=policy),
            layers.GlobalMaxPooling2D(dtype=policy),
            layers.Dense(3, dtype=policy),
            layers.Activation("softmax", dtype="float32"),
        ]
    )


MODELS = {
    "convnet": (convnet, floats(5, 12, 12, 1)),
    "residual": (residual, floats(5, 8, 8, 3)),
    "lstm": (lstm_classifier, np.where(ids(5, 7) < 6, 0, ids(5, 7)).astype("int32")),
    "transformer": (transformer, ids(5, 9)),
    "nested": (nested, floats(5, 4)),
    "lengths": (lengths, floats(5, 7, 4)),
    "images": (images_of_any_size, floats(5, 17, 24, 3)),
    "limits": (limits, floats(5, 4)),
    "own function": (own_function, floats(5, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, tmp_path: Path) -> None:
    make, array = MODELS[name]
    path = tmp_path / "model.onnx"
    model = make()
    check(model, path, [array])
    onnx.checker.check_model(path, full_check=True)


@pytest.mark.parametrize("sizes", [(8, 9), (7, 7), (16, 5), (33, 64)])
def test_images_of_other_sizes(sizes: tuple[int, int], tmp_path: Path) -> None:
    check(images_of_any_size(), tmp_path / "m.onnx", [floats(2, *sizes, 3)])


def test_sizes_of_two_inputs(tmp_path: Path) -> None:
    check(two_images(), tmp_path / "m.onnx", [floats(5, 9, 14, 3), floats(5, 9, 14, 3)])


def test_batches_of_pairs(tmp_path: Path) -> None:
    class Pairs(nkeras.Model):
        def call(self, x: Any) -> Any:
            both = nkeras.ops.reshape(x, (x.shape[0] // 2, 2, 3))
            return both[:, 0] - both[:, 1]

    model, array = Pairs(), floats(6, 3)
    model(array)
    model.export(tmp_path / "m.onnx", verbose=False)
    assert largest_error(run(session(tmp_path / "m.onnx"), [array]), model(array)) == 0.0


def test_limits_are_single_operators(tmp_path: Path) -> None:
    limits().export(tmp_path / "m.onnx", verbose=False)
    names = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
    assert {"Relu", "Clip"} <= set(names)


@pytest.mark.parametrize("length", [2, 33])
def test_sequences_of_other_lengths(length: int, tmp_path: Path) -> None:
    check(transformer(), tmp_path / "m.onnx", [ids(2, length)])
    check(lengths(), tmp_path / "m.onnx", [floats(3, length - 1, 4)])
    check(cut(), tmp_path / "m.onnx", [floats(3, 3 * length, 4)])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_rounded_where_nkeras_rounds(policy: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    check(mixed(policy), path, [floats(5, 8, 8, 3)], tolerance=1e-4)
    half = onnx.TensorProto.FLOAT16 if "float16" == policy[6:] else onnx.TensorProto.BFLOAT16
    weights = [one for one in onnx.load(path).graph.initializer if "/" in one.name]
    assert {one.data_type for one in weights} == {half}


def test_names_of_several_inputs_and_outputs(tmp_path: Path) -> None:
    a, b = nkeras.Input((4,), name="wide"), nkeras.Input((None, 3), name="long")
    steps = layers.GRU(3, return_sequences=True)(b) + nkeras.ops.expand_dims(layers.Dense(3)(a), 1)
    model = nkeras.Model(
        [a, b], [layers.Dense(2, name="first")(steps), layers.Dense(1, name="wide_2")(a)]
    )
    loaded = check(model, tmp_path / "m.onnx", [floats(5, 4), floats(5, 6, 3)])
    assert [one.name for one in loaded.get_inputs()] == ["wide", "long"]
    assert [one.name for one in loaded.get_outputs()] == ["first", "wide_2"]
    assert loaded.get_inputs()[1].shape == ["batch", "dim_1_1", 3]
    assert loaded.get_outputs()[0].shape == ["batch", "dim_1_1", 2]


def test_dicts_of_inputs_and_outputs(tmp_path: Path) -> None:
    a, b = nkeras.Input((4,), name="a"), nkeras.Input((4,), name="b")
    model = nkeras.Model({"a": a, "b": b}, {"sum": a + b, "same": a})
    model.export(tmp_path / "m.onnx", verbose=False)
    loaded = session(tmp_path / "m.onnx")
    x, y = floats(3, 4), floats(3, 4) * 2.0
    assert [one.name for one in loaded.get_inputs()] == ["a", "b"]
    assert [one.name for one in loaded.get_outputs()] == ["same", "sum"]
    assert largest_error(run(loaded, [x, y]), model({"a": x, "b": y})) <= 1e-6


class Subclassed(nkeras.Model):
    def __init__(self) -> None:
        super().__init__(name="subclassed")
        self.dense = layers.Dense(3)
        self.table = nkeras.ops.convert_to_tensor(floats(3))

    def call(self, x: Any, training: bool = False) -> Any:
        return {"y": self.dense(x) + self.table * (2.0 if training else 1.0), "x": x[:, ::-1]}


def test_a_subclassed_model_is_exported_as_it_was_called(tmp_path: Path) -> None:
    model, path = Subclassed(), tmp_path / "m.onnx"
    with pytest.raises(ValueError, match="has never been called"):
        model.export(path)
    model(floats(2, 4))
    loaded = check(model, path, [floats(5, 4)])
    assert [one.name for one in loaded.get_outputs()] == ["x", "y"]
    assert loaded.get_inputs()[0].shape == ["batch", 4]


def test_a_model_goes_on_after_export_and_its_tensors_come_along(tmp_path: Path) -> None:
    with nkeras.use_backend("numba_cpu"):
        model = Subclassed()
        before = model(floats(2, 4))["y"].numpy()
        model.export(tmp_path / "m.onnx", verbose=False)
        np.testing.assert_array_equal(model(floats(2, 4))["y"].numpy(), before)
        assert model.dense.kernel.value.backend.name == "numba_cpu"
        found = run(session(tmp_path / "m.onnx"), [floats(2, 4)])
    np.testing.assert_allclose(found[1], before, rtol=1e-5)


def test_a_trained_model_is_exported_with_its_weights(tmp_path: Path) -> None:
    with nkeras.use_backend("numba_cpu"):
        model = nkeras.Sequential([nkeras.Input((4,)), layers.Dense(2)])
        model.compile("sgd", "mse")
        model.fit(floats(32, 4), floats(32, 2), epochs=3, verbose=0)
        check(model, tmp_path / "m.onnx", [floats(5, 4)])


def test_signatures(tmp_path: Path) -> None:
    path, model = tmp_path / "m.onnx", convnet()
    for spec in (
        nkeras.InputSpec(shape=(2, 12, 12, 1), name="image"),
        [nkeras.InputSpec(shape=(2, 12, 12, 1), dtype="float32", name="image")],
        [nkeras.KerasTensor((2, 12, 12, 1), name="image")],
    ):
        model.export(path, verbose=False, input_signature=spec)
        (given,) = session(path).get_inputs()
        assert (given.name, given.shape) == ("image", [2, 12, 12, 1])
    model.export(path, verbose=False, input_signature=[floats(2, 12, 12, 1)])
    assert session(path).get_inputs()[0].shape == [2, 12, 12, 1]


def test_weights_are_initializers_of_their_paths_and_lie_as_operators_want_them(
    tmp_path: Path,
) -> None:
    model = convnet()
    model.export(tmp_path / "m.onnx", verbose=False)
    graph = onnx.load(tmp_path / "m.onnx").graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    assert {v.path for v in model.weights if "seed" not in v.path} <= set(stored)
    kernel = model.layers[0].kernel
    np.testing.assert_array_equal(stored[kernel.path], np.transpose(kernel.numpy(), (3, 2, 0, 1)))
    dense = model.layers[-1].kernel
    np.testing.assert_array_equal(stored[dense.path], dense.numpy())
    transposed = [one for one in graph.node if one.op_type == "Transpose"]
    assert all(one.input[0] not in stored for one in transposed)


def test_a_weight_that_is_used_twice_is_stored_once(tmp_path: Path) -> None:
    class Tied(nkeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = layers.Embedding(1000, 64)

        def call(self, tokens: Any) -> Any:
            x = self.embedding(tokens)
            return nkeras.ops.matmul(x, nkeras.ops.transpose(self.embedding.embeddings))

    model, path = Tied(), tmp_path / "m.onnx"
    model(ids(2, 3))
    check(model, path, [ids(5, 7)], [nkeras.InputSpec(shape=(None, 7), dtype="int32")])
    assert path.stat().st_size < 1000 * 64 * 4 * 1.1


def test_integers_of_a_quantized_model_stay_integers(tmp_path: Path) -> None:
    inputs = nkeras.Input((64,))
    model = nkeras.Model(inputs, layers.Dense(3)(layers.Dense(64, activation="relu")(inputs)))
    model.quantize("int8", filters="dense")
    check(model, tmp_path / "m.onnx", [floats(5, 64)])
    assert (tmp_path / "m.onnx").stat().st_size < 2 * 64 * 64


def test_nodes_have_the_names_of_layers(tmp_path: Path) -> None:
    nested().export(tmp_path / "m.onnx", verbose=False)
    graph = onnx.load(tmp_path / "m.onnx").graph
    names = [node.name for node in graph.node if node.op_type == "Gemm"]
    assert len(names) == len(set(names)) == 2
    assert all("/dense/" in name for name in names)


@pytest.mark.long
@pytest.mark.parametrize("opset", range(21, newest_opset() + 1))
def test_versions_of_the_operators(opset: int, tmp_path: Path) -> None:
    for make, array in MODELS.values():
        check(make(), tmp_path / "m.onnx", [array], opset_version=opset)
    assert onnx.load(tmp_path / "m.onnx").opset_import[0].version == opset
