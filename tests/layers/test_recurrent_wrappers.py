"""Bidirectional and TimeDistributed beyond the tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers


def sequences(batch: int = 2, time: int = 5, features: int = 3) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.standard_normal((batch, time, features)).astype("float32")


def test_directions_see_the_same_steps() -> None:
    x = sequences()
    layer = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
    y = layer(x).numpy()
    backward = layers.LSTM(4, return_sequences=True)
    backward(x)
    backward.set_weights(layer.backward_layer.get_weights())
    np.testing.assert_allclose(y[:, ::-1, 4:], backward(x[:, ::-1]).numpy(), rtol=1e-5)


def test_weights_that_it_begins_with() -> None:
    x = sequences()
    layer = layers.Bidirectional(layers.GRU(4))
    y = layer(x).numpy()
    twin = layers.Bidirectional(layers.GRU(4), weights=layer.get_weights())
    np.testing.assert_array_equal(twin(x).numpy(), y)


def test_stateful_directions() -> None:
    x = sequences()
    layer = layers.Bidirectional(layers.GRU(4, stateful=True))
    first = layer(x).numpy()
    assert (layer(x).numpy() != first).any()
    assert len(layer.states or ()) == 2
    layer.reset_states()
    np.testing.assert_array_equal(layer(x).numpy(), first)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Bidirectional(layers.GRU(4, dropout=0.2)),
        lambda: layers.Bidirectional(layers.LSTM(4, activation="relu")),
    ],
    ids=["one operation", "steps"],
)
def test_plans_do_what_steps_do(make: Any) -> None:
    x, y = sequences(8), np.arange(8, dtype="float32")[:, None]
    results = []
    for eagerly in (True, False):
        nkeras.utils.set_random_seed(1)
        model = nkeras.Sequential(
            [
                nkeras.Input((5, 3)),
                layers.TimeDistributed(layers.Dense(6, activation="relu")),
                make(),
                layers.Dense(1),
            ]
        )
        model.compile("adam", "mse", run_eagerly=eagerly)
        losses = model.fit(x, y, batch_size=4, epochs=4, shuffle=False, verbose=0).history["loss"]
        results.append((losses, [one.numpy() for one in model.weights]))
        if not eagerly:
            assert not model._plans.refusals()
    assert results[0][0] == results[1][0]
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_wrong_directions_are_named() -> None:
    with pytest.raises(ValueError, match="must have `go_backwards=True`"):
        layers.Bidirectional(layers.GRU(3), backward_layer=layers.GRU(3))
    with pytest.raises(ValueError, match="must have the same `return_state`"):
        layers.Bidirectional(
            layers.GRU(3), backward_layer=layers.GRU(3, go_backwards=True, return_state=True)
        )
    with pytest.raises(ValueError, match="argument `merge_mode`"):
        layers.Bidirectional(layers.GRU(3), merge_mode="max")
    with pytest.raises(AttributeError, match="must be stateful"):
        layers.Bidirectional(layers.GRU(3)).reset_state()


def test_steps_of_unknown_number() -> None:
    layer = layers.TimeDistributed(layers.Conv1D(4, 2))
    assert layer(nkeras.Input((None, 6, 3))).shape == (None, None, 5, 4)
    assert layer(np.ones((2, 7, 6, 3), "float32")).shape == (2, 7, 5, 4)


def test_layers_that_look_at_the_batch_are_applied_step_by_step() -> None:
    x = sequences(4)
    layer = layers.TimeDistributed(layers.BatchNormalization())
    y = layer(x, training=True).numpy()
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)


def test_a_mask_that_does_not_fit_is_named() -> None:
    layer = layers.TimeDistributed(layers.Dense(3))
    with pytest.raises(ValueError, match="TimeDistributed: argument `mask`"):
        layer(sequences(), mask=np.ones((2, 4), bool))
    with pytest.raises(ValueError, match="at least 3 axes"):
        layers.TimeDistributed(layers.Dense(3))(np.ones((2, 3), "float32"))
