"""How many launches a training step takes, at the sizes that people train with.

Nothing is computed by our kernels here: launches are counted and their types checked.
"""

from unittest import mock

import numpy as np
import pytest

import nkeras as keras
from nkeras import layers
from nkeras_numba_cuda import launch, simulator
from nkeras_numba_cuda.counting import counting

_random = np.random.default_rng(0)


def convnet():
    """That of examples/simple_mnist_convnet.py."""
    model = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(padding="same"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model, (128, 28, 28, 1), np.eye(10, dtype="float32")[_random.integers(0, 10, 128)]


def mlp():
    model = keras.Sequential(
        [layers.Input((64,)), *[layers.Dense(64, activation="relu") for _ in range(3)]]
    )
    model.add(layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss, optimizer="adamw", metrics=["accuracy"])
    return model, (128, 64), _random.integers(0, 10, 128)


def residual():
    """A block of a ResNet."""
    inputs = layers.Input((16, 16, 32))
    x = inputs
    for _ in range(2):
        x = layers.Conv2D(32, 3, padding="same", use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(layers.add([x, inputs]))
    model = keras.Model(inputs, layers.Dense(10)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(loss=loss, optimizer=optimizer, metrics=["accuracy"])
    return model, (32, 16, 16, 32), _random.integers(0, 10, 32)


def counted(kernel, grid, threads, arguments):
    simulator.check_types(kernel.function.__name__, kernel.signatures, arguments)


@pytest.mark.parametrize(("make", "most"), [(convnet, 37), (mlp, 32), (residual, 45)])
def test_launches_of_a_training_step(make, most):
    with keras.use_backend("cuda"), mock.patch.object(launch, "launcher", counted):
        model, shape, y = make()
        model.run_eagerly = True  # what is recorded is also compared
        x = keras.ops.convert_to_tensor(np.zeros(shape, "float32"))
        batch = x, keras.ops.convert_to_tensor(y)
        for _ in range(2):
            model._run_step("train", batch)
        with counting() as counts:
            model._run_step("train", batch)
    assert counts.synchronizations.total() == 0, str(counts)
    assert counts.launches.total() + counts.computations.total() <= most, str(counts)


def sequence(layer, shape=(5, 3)):
    return keras.Sequential([layers.Input(shape), layer, layers.Dense(3, activation="softmax")])


def transformer():
    tokens = layers.Input((6,), dtype="int32")
    x = layers.Embedding(10, 8)(tokens)
    x = layers.add([x, layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(tokens, layers.Dense(3, activation="softmax")(x))


def images():
    return keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )


MOVES = {"astype", "copy", "setitem", "fill", "zeros"}
"""CuPy casts and moves numbers; what else it computes is listed for each model."""
LEFT = [
    (images, set()),
    (transformer, set()),
    (lambda: sequence(layers.LSTM(4, dropout=0.1, recurrent_dropout=0.2)), {"add"}),
    (lambda: sequence(layers.GRU(4)), {"add"}),
    (lambda: sequence(layers.GRU(4, reset_after=False, recurrent_dropout=0.2)), {"add"}),
    (lambda: sequence(layers.SimpleRNN(4, recurrent_dropout=0.2)), {"add"}),
]


@pytest.mark.parametrize(("make", "left"), LEFT)
def test_what_cupy_computes_in_a_step(make, left):
    """No convolution, product, pooling or reduction; `add` is once for a sequence, not a step."""
    with keras.use_backend("cuda"), mock.patch.object(launch, "launcher", counted):
        model = make()
        model.compile("adam", "sparse_categorical_crossentropy")
        (shape,) = [tensor.shape[1:] for tensor in model.inputs]
        x = np.zeros((4, *shape), "int32" if len(shape) == 1 else "float32")
        batch = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(np.zeros(4, "int32"))
        model._run_step("train", batch)
        with counting() as counts:
            model._run_step("train", batch)
    assert set(counts.computations) - MOVES <= left, str(counts)
    assert counts.computations["add"] <= 1, str(counts)
