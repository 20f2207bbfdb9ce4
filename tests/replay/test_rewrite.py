"""Fusion of recorded steps: which calls are merged, and that results stay what they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.backend import registry
from nkeras.core.primitive import PRIMITIVES
from nkeras.replay.rewrite import REWRITES

pytestmark = pytest.mark.skipif(
    not hasattr(registry.active(), "lowering"), reason="this backend has no plans"
)

X = np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype("float32")
Y = np.arange(4) % 3


def normalizing(*inner: Any) -> Any:
    nkeras.utils.set_random_seed(0)
    model = nkeras.Sequential([nkeras.Input((8, 8, 3)), *inner])
    generator = np.random.default_rng(1)
    for variable in model.variables:
        if not variable.path.startswith("seed"):
            variable.assign(generator.random(variable.shape, "float32") + 0.5)
    return model


def calls(model: Any, kind: str) -> list[str]:
    """The names in the plan of one kind of step."""
    (entry,) = (entry for key, entry in model._plans._entries.items() if key[0] == kind)
    assert entry.refused is None
    return [step.name for step in entry.plan.graph.steps if hasattr(step, "name")]


def predict(model: Any) -> Any:
    for _ in range(4):
        result = model.predict(X, verbose=0)
    return result


@pytest.mark.parametrize(
    "first",
    [
        lambda: layers.Conv2D(5, 3, use_bias=False),
        lambda: layers.Conv2D(5, 3, padding="same"),
        lambda: layers.DepthwiseConv2D(3),
        lambda: layers.Dense(5),
    ],
)
@pytest.mark.parametrize("arguments", [{}, {"center": False}, {"scale": False}])
def test_batch_normalization_becomes_part_of_the_weights(first, arguments) -> None:
    model = normalizing(first(), layers.BatchNormalization(**arguments), layers.ReLU())
    np.testing.assert_allclose(predict(model), model(X).numpy(), rtol=2e-5, atol=2e-5)
    assert "batch_norm_inference" not in calls(model, "predict")
    assert "relu" not in calls(model, "predict")


def test_new_weights_are_folded_again() -> None:
    model = normalizing(layers.Conv2D(5, 3), layers.BatchNormalization())
    predict(model)
    for i, variable in enumerate(model.variables):
        variable.assign(variable.value * (1.0 + i))
        np.testing.assert_allclose(
            model.predict(X, verbose=0), model(X).numpy(), rtol=2e-5, atol=2e-5
        )


def test_what_is_used_twice_is_not_merged() -> None:
    inputs = nkeras.Input((8, 8, 3))
    y = layers.Conv2D(5, 3)(inputs)
    model = nkeras.Model(inputs, [layers.BatchNormalization()(y), layers.ReLU()(y), y])
    for _ in range(4):
        found = model.predict(X, verbose=0)
    for item, other in zip(found, model(X), strict=True):
        np.testing.assert_array_equal(item, other.numpy())
    assert {"batch_norm_inference", "relu"} <= set(calls(model, "predict"))


def test_training_normalization_is_not_folded() -> None:
    model = normalizing(layers.Conv2D(5, 3), layers.BatchNormalization(), layers.Flatten())
    model.compile("sgd", "mse")
    model.fit(np.tile(X, (6, 1, 1, 1)), np.zeros((24, 180), "float32"), batch_size=4, verbose=0)
    assert "batch_norm" in calls(model, "train")


@pytest.mark.parametrize("pool", [2, 3])
@pytest.mark.parametrize("activation", ["relu", None])
def test_training_stays_the_same_bit_by_bit(pool, activation) -> None:
    """relu merges with the layer before it, its gradient moves before that of pooling."""
    weights = []
    for eager in (False, True):
        own = [] if activation else [layers.ReLU()]
        model = normalizing(
            layers.Conv2D(5, 3, activation=activation),
            *own,
            layers.MaxPooling2D(pool, strides=2),
            layers.Flatten(),
            layers.Dense(3),
        )
        for one in model.variables:
            one.assign(one.value - 1.0)  # half of what relu gets is negative
        loss = nkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, run_eagerly=eager)
        model.fit(np.tile(X, (6, 1, 1, 1)), np.tile(Y, 6), batch_size=4, shuffle=False, verbose=0)
        weights.append(model.get_weights())
        if not eager:
            names = calls(model, "train")
            assert "relu" not in names
            assert names.index("relu_grad_x") < names.index("max_pool_grad")
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.cpu  # others have one algorithm
def test_another_algorithm_makes_another_plan() -> None:
    x = np.random.default_rng(0).standard_normal((4, 24, 24, 32)).astype("float32")
    model = nkeras.Sequential([nkeras.Input(x.shape[1:]), layers.Conv2D(32, 3)])
    results = {}
    try:
        for algorithm in ("direct", "auto", "direct"):
            nkeras.config.set_convolution_algorithm(algorithm)
            for _ in range(4):
                results[algorithm] = model.predict(x, verbose=0)
            np.testing.assert_array_equal(results[algorithm], model(x).numpy())
    finally:
        nkeras.config.set_convolution_algorithm("auto")
    assert not np.array_equal(results["direct"], results["auto"])


RELU6 = [
    lambda: layers.ReLU(max_value=6.0),
    lambda: layers.Activation("relu6"),
]


@pytest.mark.parametrize("relu6", RELU6)
@pytest.mark.parametrize(
    "first",
    [
        lambda: layers.Conv2D(5, 3, strides=2),
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
        lambda: layers.Dense(5),
    ],
)
def test_relu6_is_merged_and_keeps_what_is_not_finite(first, relu6) -> None:
    model = normalizing(first(), relu6())
    for variable in model.variables:
        variable.assign((variable.value - 1.0) * 9.0)
    x = X.copy()
    x[0, 0, 0, 0], x[1, 2, 2, 1], x[2, 4, 4, 2] = np.nan, np.inf, -np.inf
    for _ in range(4):
        found = model.predict(x, verbose=0)
    np.testing.assert_array_equal(found, model(x).numpy())
    assert np.isnan(found).any()
    assert np.nanmax(found) == 6.0
    assert len(calls(model, "predict")) <= 2  # a depthwise kernel is reshaped


def test_another_limit_is_not_merged() -> None:
    for relu in (layers.ReLU(5.0), layers.ReLU(6.0, 0.1), layers.ReLU(6.0, 0.0, 0.5)):
        model = normalizing(layers.Conv2D(5, 3), relu)
        np.testing.assert_array_equal(predict(model), model(X).numpy())
        assert "threshold_relu" in calls(model, "predict")


def residual(branch: Any, shortcut: Any = None, *last: Any) -> Any:
    """branch(x) + shortcut(x), then the last layers."""
    inputs = nkeras.Input((8, 8, 3))
    x = shortcut(inputs) if shortcut else inputs
    y = layers.Add()([x, branch(inputs)])
    for one in last:
        y = one(y)
    return nkeras.Model(inputs, y)


@pytest.mark.parametrize("filters", [3, 35])
@pytest.mark.parametrize(
    "branch",
    [
        lambda n: layers.Conv2D(n, 1),
        lambda n: layers.Conv2D(n, 3, padding="same", use_bias=False),
        lambda n: layers.Dense(n),
        lambda n: nkeras.Sequential(
            [layers.Conv2D(n, 1), layers.DepthwiseConv2D(3, padding="same")]
        ),
    ],
)
@pytest.mark.parametrize("last", ["relu", "relu6", None])
def test_a_residual_is_added_in_the_kernel(branch, filters, last) -> None:
    after = [layers.Activation(last)] if last else []
    model = residual(branch(filters), layers.Conv2D(filters, 1, padding="same"), *after)
    np.testing.assert_allclose(predict(model), model(X).numpy(), rtol=2e-5, atol=2e-5)
    assert not {"add", "relu", "relu6"} & set(calls(model, "predict"))


def test_sums_that_are_used_again_are_kept() -> None:
    """A chain of blocks: each sum is what the next one is added to."""
    inputs = nkeras.Input((8, 8, 3))
    y = inputs
    for _ in range(3):
        z = layers.Conv2D(7, 1, activation="relu")(y)
        y = layers.Add()([y, layers.Conv2D(3, 1)(z)])
    model = nkeras.Model(inputs, [y, layers.ReLU()(y)])
    for _ in range(4):
        found = model.predict(X, verbose=0)
    for item, other in zip(found, model(X), strict=True):
        np.testing.assert_allclose(item, other.numpy(), rtol=2e-5, atol=2e-5)
    assert "add" not in calls(model, "predict")
    assert "relu" in calls(model, "predict")


def test_other_sums_are_not_merged() -> None:
    """A result added to itself, one that something else uses, one that is broadcast."""
    inputs = nkeras.Input((8, 8, 3))
    y, z = layers.Conv2D(3, 1)(inputs), layers.Conv2D(3, 1)(inputs)
    w = layers.Conv2D(3, 1)(layers.GlobalAveragePooling2D(keepdims=True)(inputs))
    outputs = [layers.Add()([y, y]), z, layers.Add()([z, inputs]), inputs + w]
    model = nkeras.Model(inputs, outputs)
    for _ in range(4):
        found = model.predict(X, verbose=0)
    for item, other in zip(found, model(X), strict=True):
        np.testing.assert_array_equal(item, other.numpy())
    assert calls(model, "predict").count("add") == 3


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("kind", [layers.Conv2D, layers.DepthwiseConv2D])
def test_zeros_around_an_image_are_part_of_the_convolution(kind, strides) -> None:
    own = (5, 3) if kind is layers.Conv2D else (3,)
    model = normalizing(layers.ZeroPadding2D(((0, 1), (2, 1))), kind(*own, strides=strides))
    np.testing.assert_allclose(predict(model), model(X).numpy(), rtol=1e-6, atol=1e-6)
    assert "pad" not in calls(model, "predict")


def test_zeros_are_part_of_a_convolution_without_bias() -> None:
    pad = layers.ZeroPadding2D(((0, 1), (2, 1)))
    model = normalizing(pad, layers.SeparableConv2D(5, 3, use_bias=False))
    np.testing.assert_allclose(predict(model), model(X).numpy(), rtol=1e-6, atol=1e-6)
    assert "pad" not in calls(model, "predict")


@pytest.mark.parametrize(
    ("activation", "zeros", "merged"),
    [("relu", 1, True), ("relu6", 2, True), ("relu", 3, False), ("tanh", 1, False)],
)
def test_zeros_around_an_image_are_part_of_max_pooling(
    activation: str, zeros: int, merged: bool
) -> None:
    inner = layers.Conv2D(5, 3, activation=activation), layers.ZeroPadding2D(zeros)
    model = normalizing(*inner, layers.MaxPooling2D(3, strides=2))
    np.testing.assert_array_equal(predict(model), model(X).numpy())
    assert ("pad" in calls(model, "predict")) != merged
    model.compile("sgd", "mse")
    for _ in range(4):
        model.train_on_batch(X, np.zeros(model(X).shape))
    assert "pad" in calls(model, "train")


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_relu_of_a_layer_gets_into_its_kernel(data_format: str) -> None:
    inner = layers.Conv2D(5, 3, activation="relu", data_format=data_format)
    model = normalizing(inner, layers.Flatten(), layers.Dense(4, activation="relu"))
    np.testing.assert_array_equal(predict(model), model(X).numpy())
    assert "relu" not in calls(model, "predict")


def test_an_einsum_that_is_a_product_is_one_dense_kernel() -> None:
    first = layers.EinsumDense("abcd,def->abcef", (None, None, 2, 4), "relu", "ef")
    second = layers.EinsumDense("abcef,efg->abcg", (None, None, 8), bias_axes="g")
    model = nkeras.Sequential([first, second])
    np.testing.assert_array_equal(predict(model), model(X).numpy())
    names = calls(model, "predict")
    assert names.count("dense") == 2
    assert not {"add", "relu", "matmul", "transpose"} & set(names)


ROW_UPDATES = [
    (nkeras.optimizers.SGD, {}, True),
    (nkeras.optimizers.Adagrad, {}, True),
    (nkeras.optimizers.SGD, {"momentum": 0.9}, False),
    (nkeras.optimizers.SGD, {"weight_decay": 0.01}, True),
    (nkeras.optimizers.Adam, {}, False),
]


@pytest.mark.parametrize(("optimizer", "options", "by_rows"), ROW_UPDATES)
def test_rows_that_a_step_does_not_take_are_left_alone(
    optimizer: Any, options: dict[str, Any], by_rows: bool
) -> None:
    words = np.random.default_rng(2).integers(0, 900, (32, 7)).astype("int32")
    words[:, 3] = words[:, 0]
    weights = []
    for eagerly in (False, True):
        nkeras.utils.set_random_seed(0)
        inner = [layers.Embedding(1000, 70), layers.Flatten(), layers.Dense(1)]
        model = nkeras.Sequential(inner)
        model.compile(optimizer(0.1, **options), "mse", run_eagerly=eagerly)
        model.fit(words, np.ones((32, 1)), batch_size=8, epochs=3, verbose=0, shuffle=False)
        weights.append(model.get_weights())
        if not eagerly:
            assert any("row_update" in name for name in calls(model, "train")) == by_rows
            assert ("take_grad" in calls(model, "train")) != by_rows
    for found, expected in zip(*weights, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_rewrites_name_primitives() -> None:
    assert nkeras.ops.relu.gradient_rule("x") is not None  # declares the primitive of its gradient
    names = {name for item in REWRITES for name in (item.first, item.then)}
    epilogues = {name for item in PRIMITIVES.values() for name in item.epilogues}
    assert {name for name in names if not name.startswith("+")} <= set(PRIMITIVES)
    assert {name[1:] for name in names if name.startswith("+")} <= epilogues
