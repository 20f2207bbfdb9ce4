"""LoRA: what is trained, what plans notice, what is saved, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

X = np.random.default_rng(0).standard_normal((16, 8)).astype("float32")
Y = np.random.default_rng(1).standard_normal((16, 3)).astype("float32")


def trained_model() -> Any:
    nkeras.utils.set_random_seed(0)
    model = nkeras.Sequential([layers.Dense(5, activation="relu"), layers.Dense(3)])
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=4, verbose=0)
    return model


def predicted(model: Any) -> np.ndarray:
    return [model.predict(X, verbose=0) for _ in range(4)][-1]


def test_plans_notice_that_a_layer_is_adapted() -> None:
    model = trained_model()
    before = predicted(model)
    first = model.layers[0]
    first.enable_lora(2, lora_alpha=3.0)
    np.testing.assert_array_equal(predicted(model), before)  # the product begins as zero
    model.compile("sgd", "mse")
    kernel = first.base_weight.numpy()
    model.fit(X, Y, epochs=4, verbose=0)
    assert model._plans.refusals() == {}
    np.testing.assert_array_equal(first.base_weight.numpy(), kernel)
    a, b = first.lora_kernel_a.numpy(), first.lora_kernel_b.numpy()
    assert abs(b).max() > 0.0
    np.testing.assert_allclose(first.kernel.numpy(), kernel + 1.5 * a @ b, rtol=1e-6)
    np.testing.assert_allclose(predicted(model), model(X).numpy(), rtol=1e-5, atol=1e-6)
    first.lora_alpha = 0.0
    assert abs(predicted(model) - model(X).numpy()).max() < 1e-5


def test_training_is_that_of_keras(oracle: Any) -> None:
    model = trained_model()
    weights = model.get_weights()
    model.layers[0].enable_lora(2, lora_alpha=3)
    given = [
        np.random.default_rng(5).standard_normal(s).astype("float32") for s in ((8, 2), (2, 5))
    ]
    expected = oracle.run(
        """
        model = keras.Sequential([keras.layers.Dense(5, activation="relu"), keras.layers.Dense(3)])
        model.build((None, 8))
        model.set_weights(weights)
        model.layers[0].enable_lora(2, lora_alpha=3)
        model.layers[0].lora_kernel_a.assign(given[0])
        model.layers[0].lora_kernel_b.assign(given[1])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        model.fit(x, y, epochs=5, batch_size=16, verbose=0)
        store = {}
        model.layers[0].save_own_variables(store)
        result = model.get_weights(), [np.asarray(store[str(i)]) for i in range(len(store))]
        """,
        weights=weights,
        given=given,
        x=X,
        y=Y,
    )
    first = model.layers[0]
    first.lora_kernel_a.assign(given[0])
    first.lora_kernel_b.assign(given[1])
    model.compile(nkeras.optimizers.SGD(0.05), "mse")
    model.fit(X, Y, epochs=5, batch_size=16, verbose=0)
    store: dict[str, Any] = {}
    first.save_own_variables(store)
    for found, other in zip(model.get_weights(), expected[0], strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-5)
    for i, other in enumerate(expected[1]):
        np.testing.assert_allclose(store[str(i)], other, rtol=1e-4, atol=1e-5)


MADE = [
    (lambda **more: layers.Dense(3, **more), X),
    (lambda **more: layers.EinsumDense("ab,bcd->acd", (2, 3), bias_axes="d", **more), X),
    (lambda **more: layers.Conv1D(3, 2, **more), X[:, :, None]),
    (lambda **more: layers.Embedding(4, 3, **more), np.arange(4)[None]),
]


@pytest.mark.parametrize(("make", "x"), MADE)
def test_the_sum_is_saved_and_loaded(make: Any, x: np.ndarray) -> None:
    layer, plain = make(lora_rank=2, lora_alpha=5), make()
    layer(x), plain(x)
    assert (layer.lora_enabled, layer.lora_rank, layer.lora_alpha) == (True, 2, 5)
    random = np.random.default_rng(3)
    layer.set_weights([random.standard_normal(w.shape) for w in layer.weights])
    expected = layer(x).numpy()
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    for other in (plain, layer):
        other.load_own_variables(store)
        np.testing.assert_allclose(other(x).numpy(), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=r"expected \d variables"):
        plain.load_own_variables({"0": store["0"], "1": 1, "2": 2})


def test_thawing_a_layer_leaves_the_matrix_frozen() -> None:
    layer = layers.Dense(3, lora_rank=2)
    layer.build((None, 4))
    layer.trainable = False
    layer.trainable = True
    assert [v.name for v in layer.trainable_variables] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert layer.get_config()["lora_alpha"] == 2


def test_later_adaption_is_in_the_configuration() -> None:
    for make, x in MADE:
        layer = make()
        layer(x)
        assert "lora_rank" not in layer.get_config()
        layer.enable_lora(2)
        twin = type(layer).from_config(layer.get_config())
        twin(x)
        assert twin.lora_enabled
        assert len(twin.weights) == len(layer.weights)


def test_what_is_refused() -> None:
    layer = layers.Dense(3)
    with pytest.raises(AttributeError, match="build the layer"):
        layer.kernel  # noqa: B018
    with pytest.raises(ValueError, match="isn't yet built"):
        layer.enable_lora(2)
    layer.build((None, 4))
    with pytest.raises(ValueError, match="rank"):
        layer.enable_lora(0)
    layer.enable_lora(2)
    with pytest.raises(ValueError, match="already enabled"):
        layer.enable_lora(2)
    constrained = layers.Embedding(3, 4, embeddings_constraint="non_neg", lora_rank=2)
    with pytest.raises(ValueError, match="embeddings_constraint"):
        constrained.build()
    for make, _ in MADE:
        with pytest.raises(ValueError, match="lora_alpha"):
            make(lora_rank=2, lora_alpha="much")
