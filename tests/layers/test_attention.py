"""Attention layers: what the tables cannot say."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.layers.attention import masks

_random = np.random.default_rng(2)


def normal(*shape: int) -> np.ndarray:
    return _random.standard_normal(shape).astype("float32")


def test_scores_that_are_returned_are_those_of_the_output() -> None:
    query, value = normal(2, 4, 6), normal(2, 5, 6)
    mask = _random.random((2, 4, 5)) < 0.7
    mask[:, :, 0] = True
    for layer in (
        layers.MultiHeadAttention(2, 3),
        layers.GroupQueryAttention(3, 4, 2),
        layers.MultiHeadAttention(2, 3, sliding_window=3, use_gate=True),
    ):
        arguments: dict[str, Any] = {"attention_mask": mask, "use_causal_mask": True}
        output, scores = layer(query, value, return_attention_scores=True, **arguments)
        np.testing.assert_allclose(layer(query, value, **arguments), output, rtol=2e-5, atol=1e-5)
        weights = scores.numpy()
        np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-5)
        assert (weights[..., np.triu_indices(4, 1)[0], np.triu_indices(4, 1)[1]] == 0).all()


def test_grouped_heads_are_heads_with_repeated_keys() -> None:
    x = normal(2, 5, 8)
    grouped, plain = layers.GroupQueryAttention(4, 4, 2), layers.MultiHeadAttention(4, 4)
    grouped(x, x), plain(x, x)
    weights = [
        np.repeat(w, 2, axis=-2) if name in ("key", "value") else w
        for w, name in zip(
            grouped.get_weights(), [v.path.split("/")[1] for v in grouped.weights], strict=True
        )
    ]
    plain.set_weights(weights)
    np.testing.assert_allclose(
        grouped(x, x, use_causal_mask=True), plain(x, x, use_causal_mask=True), rtol=1e-5, atol=1e-6
    )


def test_masks_that_travel_are_those_that_are_given() -> None:
    tokens = np.array([[1, 2, 0, 0], [3, 4, 5, 0]])
    embedding = layers.Embedding(6, 8, mask_zero=True)
    attention = layers.MultiHeadAttention(2, 4)
    x = embedding(tokens)
    y = attention(x, x)
    np.testing.assert_array_equal(y._keras_mask, tokens > 0)
    given = attention(x.numpy(), x.numpy(), query_mask=tokens > 0, value_mask=tokens > 0)
    np.testing.assert_allclose(y, given, rtol=1e-6)


def test_queries_that_all_samples_share() -> None:
    """As a Perceiver's latent array; the values are Keras'."""
    query = np.array([[[1.0, 2.0]]], np.float32)
    key = np.array([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 2.0]]], np.float32)
    y = layers.Attention()([query, key, key])
    np.testing.assert_allclose(y, [[[0.268941, 0.731059]], [[0.238406, 1.761594]]], atol=1e-5)


def test_dropout_drops_weights_and_keeps_seeds() -> None:
    x = normal(2, 6, 8)
    for layer in (
        layers.MultiHeadAttention(2, 4, dropout=0.5, seed=1),
        layers.Attention(dropout=0.5),
    ):
        arguments = ([x, x],) if isinstance(layer, layers.Attention) else (x, x)
        inference = layer(*arguments).numpy()
        one, other = (layer(*arguments, training=True).numpy() for _ in range(2))
        assert (one != other).any()
        assert (one != inference).any()
        np.testing.assert_array_equal(layer(*arguments).numpy(), inference)


def test_training_replays_plans() -> None:
    inputs = nkeras.Input((6, 4))
    hidden = layers.MultiHeadAttention(2, 2, dropout=0.1)(inputs, inputs, use_causal_mask=True)
    model = nkeras.Model(inputs, layers.Dense(1)(hidden))
    model.compile("adam", "mse")
    x = normal(64, 6, 4)
    history = model.fit(x, x.sum(-1, keepdims=True), batch_size=8, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert not model._plans.refusals()


def test_a_method_of_the_users_gets_the_causal_mask() -> None:
    class Own(layers.MultiHeadAttention):
        def _compute_attention(
            self, query: Any, key: Any, value: Any, mask: Any, *more: Any
        ) -> Any:
            self.seen = mask
            return super()._compute_attention(query, key, value, mask, *more)

    x, layer = normal(1, 3, 4), Own(2, 2)
    layer(x, x, use_causal_mask=True)
    np.testing.assert_array_equal(layer.seen, np.tri(3, dtype=bool)[None])


def test_long_sequences_take_little_memory() -> None:
    """The scores of 4,096 tokens and 4 heads would be 268 MB."""
    x = ops.convert_to_tensor(normal(1, 4096, 16))
    layer = layers.MultiHeadAttention(4, 4)
    layer(x, x, use_causal_mask=True)
    tracemalloc.start()
    with nkeras.GradientTape() as tape:
        loss = ops.sum(layer(x, x, use_causal_mask=True))
    tape.gradient(loss, layer.trainable_variables)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_flash_attention() -> None:
    assert nkeras.config.is_flash_attention_enabled() is None
    nkeras.config.disable_flash_attention()
    assert nkeras.config.is_flash_attention_enabled() is False
    nkeras.config.enable_flash_attention()
    with pytest.raises(ValueError, match="`dropout` must be 0"):
        layers.MultiHeadAttention(2, 3, dropout=0.1, flash_attention=True)
    layer = layers.MultiHeadAttention(2, 3, flash_attention=True)
    x = normal(1, 2, 4)
    assert layer(x, x).shape == (1, 2, 4)
    with pytest.raises(ValueError, match="return_attention_scores"):
        layer(x, x, return_attention_scores=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MultiHeadAttention(0, 3), "num_heads"),
        (lambda: layers.MultiHeadAttention(2, 3, value_dim=0), "value_dim"),
        (lambda: layers.MultiHeadAttention(2, 3, sliding_window=0), "sliding_window"),
        (lambda: layers.MultiHeadAttention(2, 3, attention_axes="a"), "attention_axes"),
        (lambda: layers.MultiHeadAttention(2, 3, dropout=2), "dropout"),
        (lambda: layers.GroupQueryAttention(3, 4, 3), "a multiple"),
        (lambda: layers.Attention(score_mode="sum"), "score_mode"),
        (lambda: layers.Attention()(normal(1, 2, 3)), "must be called on a list"),
    ],
)
def test_messages(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_masks() -> None:
    near = masks.near(3, 4, 2).numpy()
    want = [[abs(i - j) < 2 for j in range(4)] for i in range(3)]
    np.testing.assert_array_equal(near, [want])
    shape = masks.by_head(ops.ones((2, 3, 4), "bool"), 1, 4)
    assert shape is not None
    assert shape.shape == (2, 1, 3, 4)
