"""A small model and data for it."""

from __future__ import annotations

import numpy as np

import nkeras
from nkeras import layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype("float32")
Y = (X @ RNG.normal(size=(3, 2))).astype("float32")


def make_model(outputs=2, **compiled):
    model = nkeras.Sequential(
        [layers.Dense(8, activation="relu"), layers.Dropout(0.2), layers.Dense(outputs)]
    )
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **compiled})
    return model
