"""Embeddings: first values, errors in plans, both directions, dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

WORDS = np.random.default_rng(1).integers(0, 20, (8, 6)).astype("int32")
ROWS = np.random.default_rng(2).standard_normal((20, 3)).astype("float32")


@pytest.mark.parametrize("weights", [ROWS, [ROWS], ROWS.tolist()])
def test_first_values(weights: Any) -> None:
    layer = layers.Embedding(20, 3, weights=weights, name="words")
    assert layer.built
    np.testing.assert_array_equal(layer(WORDS).numpy(), ROWS[WORDS])
    assert layer.weights[0].path == "words/embeddings"
    assert "weights" not in layer.get_config()


def test_input_length_is_warned_of_as_in_keras() -> None:
    with pytest.warns(UserWarning, match="input_length"):
        layer = layers.Embedding(20, 3, input_length=6)
    assert "input_length" not in layer.get_config()


def test_floats_and_long_integers_choose_too() -> None:
    layer = layers.Embedding(20, 3, weights=ROWS)
    for dtype in ("float32", "int64", "uint8"):
        np.testing.assert_array_equal(layer(WORDS.astype(dtype)).numpy(), ROWS[WORDS])


@pytest.mark.parametrize("argument", ["input_dim", "output_dim"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3"])
def test_sizes_are_positive_ints(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"Embedding: argument `{argument}`"):
        layers.Embedding(**{"input_dim": 4, "output_dim": 4, argument: value})


def model_of_words(optimizer: Any = "sgd") -> Any:
    model = nkeras.Sequential([layers.Embedding(20, 3), layers.Flatten(), layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


def test_plans_choose_rows_and_refuse_what_is_out_of_range() -> None:
    model = model_of_words()
    y = np.ones((8, 1), "float32")
    for _ in range(4):
        model.fit(WORDS, y, verbose=0)
        model.predict(WORDS, verbose=0)
    assert model._plans.refusals() == {}
    wrong = np.where(WORDS == WORDS[0, 0], 20, WORDS)
    for step in (lambda: model.fit(wrong, y, verbose=0), lambda: model.predict(wrong, verbose=0)):
        with pytest.raises(ValueError, match="index 20 is out of range"):
            step()


def test_plans_count_negative_inputs_from_the_end() -> None:
    model = model_of_words()
    expected = [model.predict(WORDS, verbose=0) for _ in range(4)][-1]
    np.testing.assert_array_equal(model.predict(WORDS - 20, verbose=0), expected)


def test_a_matrix_of_its_own_projects_back(oracle: Any) -> None:
    upstream = np.random.default_rng(3).standard_normal((8, 6, 20)).astype("float32")
    back = ROWS.T[:, ::-1].copy()
    expected = oracle.run(
        """
        import jax
        layer = keras.layers.ReversibleEmbedding(20, 3, tie_weights=False, name="both")
        layer.build()
        layer.set_weights([rows, back])
        def loss(trained):
            vectors, _ = layer.stateless_call(trained, [], words)
            scores, _ = layer.stateless_call(trained, [], vectors, reverse=True)
            return ops.sum(scores * upstream)
        result = [v.path for v in layer.weights], jax.grad(loss)([v.value for v in layer.weights])
        """,
        rows=ROWS,
        back=back,
        words=WORDS,
        upstream=upstream,
    )
    layer = layers.ReversibleEmbedding(20, 3, tie_weights=False, name="both")
    layer.build()
    layer.set_weights([ROWS, back])
    with nkeras.GradientTape() as tape:
        loss = nkeras.ops.sum(layer(layer(WORDS), reverse=True) * upstream)
    assert [v.path for v in layer.weights] == expected[0]
    for found, other in zip(tape.gradient(loss, layer.weights), expected[1], strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("policy", "reverse_dtype", "dtype"),
    [("mixed_float16", None, "float16"), ("mixed_float16", "float32", "float32")],
)
def test_dtype_of_the_projection(policy: str, reverse_dtype: Any, dtype: str) -> None:
    layer = layers.ReversibleEmbedding(20, 3, dtype=policy, reverse_dtype=reverse_dtype)
    vectors = layer(WORDS)
    assert (vectors.dtype, layer.weights[0].dtype) == ("float16", "float32")
    assert layer(vectors, reverse=True).dtype == dtype
    assert layer(nkeras.Input((5, 3)), reverse=True).dtype == dtype


def test_tied_model_trains() -> None:
    shared = layers.ReversibleEmbedding(20, 8, logit_soft_cap=30.0)
    inputs = nkeras.Input((6,), dtype="int32")
    model = nkeras.Model(inputs, shared(layers.Dense(8)(shared(inputs)), reverse=True))
    loss = nkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nkeras.optimizers.Adam(0.05), loss)
    history = model.fit(WORDS, WORDS, epochs=30, verbose=0).history["loss"]
    assert model._plans.refusals() == {}
    assert history[-1] < 0.5 * history[0]
