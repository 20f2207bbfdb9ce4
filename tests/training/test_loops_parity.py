"""Recurrent layers whose rounds are a loop of the plan train as those of Keras do."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.same_code import agree

CODE = """
keras.utils.set_random_seed(2)
inputs = keras.Input((20, {shape}))
x = {masked}
outputs = keras.layers.Dense(2)(keras.layers.Flatten()({layer}(x)))
model = keras.Model(inputs, outputs)
generator = np.random.default_rng(3)
model.set_weights([generator.normal(0.0, 0.3, w.shape).astype("float32") for w in model.weights])
model.compile(keras.optimizers.SGD(0.05), "mse")
losses = [model.train_on_batch(x, y) for x, y in zip(xs, ys)]
result = [np.array(losses), *[np.array(w) for w in model.get_weights()]]
"""
LAYERS = [
    ("keras.layers.LSTM(3, activation='relu')", "4", "inputs"),
    ("keras.layers.GRU(3, activation='elu', go_backwards=True)", "4", "inputs"),
    ("keras.layers.SimpleRNN(3, activation='softsign')", "4", "keras.layers.Masking()(inputs)"),
    ("keras.layers.ConvLSTM1D(2, 3, return_sequences=True)", "5, 2", "inputs"),
]


@pytest.mark.parametrize(
    ("layer", "shape", "masked"),
    [
        LAYERS[0],
        *[pytest.param(*case, marks=pytest.mark.long) for case in LAYERS[1:]],
    ],
)
def test_six_steps(oracle, layer, shape, masked):
    sizes = [int(size) for size in shape.split(",")]
    generator = np.random.default_rng(1)
    xs = generator.standard_normal((6, 3, 20, *sizes)).astype("float32")
    xs[:, 0, 4:9] = xs[:, 1, 17:] = 0.0
    ys = generator.standard_normal((6, 3, 2)).astype("float32")
    code = CODE.format(layer=layer, shape=shape, masked=masked)
    agree(oracle, code, rtol=2e-4, atol=2e-6, xs=xs, ys=ys)
