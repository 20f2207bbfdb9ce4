"""Recurrent layers beyond the tables: state, plans, one operation or many, users' cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.core.primitive import Primitive

MASK = np.array([[True, True, False, True, True], [False, True, True, True, False]])


def sequences(batch: int = 2, time: int = 5, features: int = 3) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.standard_normal((batch, time, features)).astype("float32")


class Minimal(nkeras.Layer):
    """The cell of Keras' documentation, with an output of its own."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")

    def call(self, inputs: Any, states: Any) -> Any:
        state = states[0] + ops.matmul(inputs, self.kernel)
        return ops.tanh(state), [state]


@pytest.mark.parametrize("layer", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dropout": 0.4},
        {"dropout": 0.3, "recurrent_dropout": 0.4},
        {"activation": "softsign", "dropout": 0.3, "recurrent_dropout": 0.4},
    ],
)
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_one_operation_is_the_steps_of_the_cell(
    layer: str, backwards: bool, options: Any, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = sequences()
    found = []
    with nkeras.use_backend(backend):
        weights = None
        for whole in (True, False):
            made = getattr(layers, layer)(
                4, return_sequences=True, go_backwards=backwards, seed=3, **options
            )
            made(x)
            weights = weights or made.get_weights()
            made.set_weights(weights)
            if not whole:
                monkeypatch.setattr(type(made.cell), "runs_sequences", lambda self: False)
            source = ops.convert_to_tensor(x)
            with nkeras.GradientTape() as tape:
                tape.watch(source)
                y = made(source, mask=MASK, training=True)
                loss = ops.sum(ops.square(y))
            grads = tape.gradient(loss, [source, *made.trainable_variables])
            found.append([y.numpy(), *(one.numpy() for one in grads)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("layer", ["SimpleRNN", "LSTM", "GRU"])
def test_usual_functions_are_one_operation(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"SimpleRNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru"}
    made = getattr(layers, layer)(4, dropout=0.2, recurrent_dropout=0.2)
    x = sequences()
    made(x)
    called: list[str] = []
    original = Primitive.run

    def run(self: Any, *arguments: Any) -> Any:
        called.append(self.name)
        return original(self, *arguments)

    monkeypatch.setattr(Primitive, "run", run)
    made(x, mask=MASK, training=True)
    assert called.count(names[layer]) == 1
    assert "matmul" not in called[called.index(names[layer]) :]


def test_stateful_layers_go_on_where_they_were() -> None:
    x = sequences()
    plain = layers.LSTM(4)
    plain(x)
    layer = layers.LSTM(4, stateful=True)
    layer(x)
    layer.set_weights(plain.get_weights())
    layer.reset_state()
    layer(x[:, :2])
    np.testing.assert_allclose(layer(x[:, 2:]).numpy(), plain(x).numpy(), rtol=1e-5, atol=1e-6)
    assert len(layer.weights) == 3
    with pytest.raises(ValueError, match="LSTM: the states that it keeps must be of as many"):
        layer(sequences(3))
    with pytest.raises(ValueError, match="needs a known batch size"):
        layers.GRU(4, stateful=True)(nkeras.Input((5, 3)))
    inputs = nkeras.Input(batch_shape=(2, 5, 3))
    model = nkeras.Model(inputs, layers.GRU(4, stateful=True)(inputs))
    first = model.predict(x, verbose=0)
    assert not np.allclose(model.predict(x, verbose=0), first)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.LSTM(4, dropout=0.3, recurrent_dropout=0.2),
        lambda: layers.GRU(4, activation="relu"),
        lambda: layers.SimpleRNN(4, stateful=True),
        lambda: layers.RNN([layers.LSTMCell(4), Minimal(3)]),
    ],
    ids=["one operation", "steps", "stateful", "user's cell"],
)
def test_plans_do_what_steps_do(make: Any) -> None:
    x, y = sequences(8), np.arange(8, dtype="float32")[:, None]
    results = []
    for eagerly in (True, False):
        nkeras.utils.set_random_seed(1)
        inputs = nkeras.Input(batch_shape=(4, 5, 3))
        masked = layers.Masking()(inputs)
        model = nkeras.Model(inputs, layers.Dense(1)(make()(masked)))
        model.compile("sgd", "mse", run_eagerly=eagerly)
        losses = model.fit(x, y, batch_size=4, epochs=4, shuffle=False, verbose=0).history["loss"]
        results.append((losses, [one.numpy() for one in model.weights]))
        if not eagerly:
            assert not model._plans.refusals()
    assert results[0][0] == results[1][0]
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_cell_of_the_users() -> None:
    layer = layers.RNN(Minimal(4), return_sequences=True, return_state=True)
    x = sequences()
    y, state = layer(x, mask=MASK)
    np.testing.assert_allclose(y.numpy()[0, 2], y.numpy()[0, 1])  # masked: as before
    np.testing.assert_allclose(np.tanh(state.numpy()), y.numpy()[:, -1], rtol=1e-5)
    assert [one.path for one in layer.weights] == ["rnn/minimal/kernel"]
    symbolic = layer(nkeras.Input((None, 3)))
    assert [one.shape for one in symbolic] == [(None, None, 4), (None, 4)]


def test_initial_states_of_symbolic_tensors() -> None:
    states = [nkeras.Input((4,)), nkeras.Input((4,))]
    inputs = nkeras.Input((5, 3))
    layer = layers.LSTM(4)
    model = nkeras.Model([inputs, *states], layer(inputs, initial_state=states))
    x, h = sequences(), np.ones((2, 4), "float32")
    expected = layer(x, initial_state=[h, h]).numpy()
    np.testing.assert_allclose(model.predict([x, h, h], verbose=0), expected, rtol=1e-5)


def test_masks_travel_to_recurrent_layers() -> None:
    x = sequences()
    x[0, 3:] = 0
    layer = layers.GRU(4)
    model = nkeras.Sequential([layers.Masking(), layer])
    np.testing.assert_allclose(model(x).numpy()[:1], layer(x[:1, :3]).numpy(), rtol=1e-5)


def test_dropout_has_the_same_holes_at_all_steps() -> None:
    layer = layers.SimpleRNN(
        400, activation="linear", recurrent_initializer="zeros", dropout=0.5,
        kernel_initializer="identity", return_sequences=True,
    )  # fmt: skip
    y = layer(np.ones((2, 3, 400), "float32"), training=True).numpy()
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(y[:, 0], y[:, 2])
    assert (y[0] != y[1]).any()
    other = layer(np.ones((2, 3, 400), "float32"), training=True).numpy()
    assert (other != y).any()


def test_settings_of_the_cell_are_those_of_the_layer() -> None:
    layer = layers.LSTM(4, dropout=0.5)
    layer.dropout = 0.0
    assert layer.cell.dropout == 0.0
    assert layer.get_config()["dropout"] == 0.0
    x = sequences()
    np.testing.assert_array_equal(layer(x, training=True).numpy(), layer(x).numpy())


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="LSTMCell: argument `units` must be a positive int"):
        layers.LSTM(0)
    with pytest.raises(ValueError, match="GRU: argument `use_cudnn`"):
        layers.GRU(3, use_cudnn="never")
    with pytest.raises(ValueError, match="RNN: argument `cell`"):
        layers.RNN(layers.Dense(3))
    with pytest.raises(ValueError, match="StackedRNNCells: argument `cells`"):
        layers.StackedRNNCells([layers.Dense(3)])
    with pytest.raises(ValueError, match="GRU: `initial_state` must be of as many"):
        layers.GRU(3)(sequences(), initial_state=[np.ones((3, 3), "float32")])


def test_masked_images_are_skipped() -> None:
    films = np.random.default_rng(0).standard_normal((2, 4, 6, 5, 3)).astype("float32")
    layer = layers.ConvLSTM2D(2, 3, padding="same")
    mask = np.array([[True, False, True, True], [True, True, True, False]])
    y = layer(films, mask=mask).numpy()
    np.testing.assert_allclose(y[:1], layer(films[:1, [0, 2, 3]]).numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y[1:], layer(films[1:, :3]).numpy(), rtol=1e-5, atol=1e-6)


def test_stateful_films_and_their_mistakes() -> None:
    films = np.ones((2, 4, 6, 5, 3), "float32")
    layer = layers.ConvLSTM2D(2, 3, stateful=True)
    first = layer(films).numpy()
    assert (layer(films).numpy() != first).any()
    with pytest.raises(ValueError, match="sizes and channels of the images must be known"):
        layers.ConvLSTM2D(2, 3)(nkeras.Input((4, None, 5, 3)))
    with pytest.raises(ValueError, match="argument `filters` must be a positive int"):
        layers.ConvLSTM1D(0, 3)


def test_zeros_of_masked_steps_are_for_sequences() -> None:
    x = sequences()
    options = {"return_sequences": True, "zero_output_for_mask": True}
    layer = layers.GRU(4, **options)
    y = layer(x, mask=MASK).numpy()
    assert not y[~MASK].any()
    last = layers.GRU(4, zero_output_for_mask=True)
    last(x)
    last.set_weights(layer.get_weights())
    np.testing.assert_allclose(last(x, mask=MASK).numpy()[1], y[1, 3], rtol=1e-6)
