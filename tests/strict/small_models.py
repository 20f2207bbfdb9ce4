"""Small models and data that touch what steps are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import nkeras
from nkeras import layers

LOSS = "sparse_categorical_crossentropy"


def mlp() -> Any:
    """Two products and dropout."""
    return nkeras.Sequential(
        [
            layers.Dense(8, activation="relu", kernel_regularizer="l2"),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )


def convnet() -> Any:
    """Convolutions, pooling, normalization, random layers."""
    return nkeras.Sequential(
        [
            layers.GaussianNoise(0.1),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.SpatialDropout2D(0.2),
            layers.Conv2D(4, 2, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def lstm() -> Any:
    """A sequence of words."""
    return nkeras.Sequential(
        [
            layers.Embedding(6, 4),
            layers.LSTM(4, dropout=0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )


def residual() -> Any:
    """A block of a residual network."""
    x = nkeras.Input((4, 4, 2))
    y = layers.Conv2D(2, 3, padding="same", use_bias=False)(x)
    y = layers.Add()([x, layers.ReLU()(layers.BatchNormalization()(y))])
    y = layers.GlobalAveragePooling2D()(y)
    return nkeras.Model(x, layers.Dense(3, activation="softmax")(y))


MODELS: dict[str, Callable[[], Any]] = {
    "mlp": mlp,
    "convnet": convnet,
    "lstm": lstm,
    "residual": residual,
}
SHAPES = {"mlp": (5,), "convnet": (6, 6, 1), "lstm": (5,), "residual": (4, 4, 2)}


def data(name: str, samples: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels for a model."""
    random = np.random.default_rng(3)
    shape = (samples, *SHAPES[name])
    if name == "lstm":
        x = random.integers(0, 6, shape).astype("int32")
    else:
        x = random.normal(size=shape).astype("float32")
    return x, random.integers(0, 3, samples).astype("int32")
