"""Fusion of recorded steps: which calls are merged, and that results stay what they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.backend import registry

pytestmark = pytest.mark.skipif(
    not hasattr(registry.active(), "lowering"), reason="this backend has no plans"
)

X = np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype("float32")
Y = np.arange(4) % 3


def normalizing(*inner: Any) -> Any:
    nkeras.utils.set_random_seed(0)
    model = nkeras.Sequential([nkeras.Input((8, 8, 3)), *inner])
    generator = np.random.default_rng(1)
    for one in model.variables:
        if not one.path.startswith("seed"):
            one.assign(generator.random(one.shape, "float32") + 0.5)
    return model


def calls(model: Any, kind: str) -> list[str]:
    """The names in the plan of one kind of step."""
    (entry,) = (one for key, one in model._plans._entries.items() if key[0] == kind)
    assert entry.refused is None
    return [step.name for step in entry.plan._trace.steps if hasattr(step, "name")]


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
    for i, one in enumerate(model.variables):
        one.assign(one.value * (1.0 + i))
        np.testing.assert_allclose(
            model.predict(X, verbose=0), model(X).numpy(), rtol=2e-5, atol=2e-5
        )


def test_what_is_used_twice_is_not_merged() -> None:
    inputs = nkeras.Input((8, 8, 3))
    y = layers.Conv2D(5, 3)(inputs)
    model = nkeras.Model(inputs, [layers.BatchNormalization()(y), layers.ReLU()(y), y])
    for _ in range(4):
        found = model.predict(X, verbose=0)
    for one, other in zip(found, model(X), strict=True):
        np.testing.assert_array_equal(one, other.numpy())
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
