"""Training steps on the CUDA backend, all of whose launches the interpreter executes."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras.backend import registry
from tests.ptx.backend import interpreted


def losses(optimizer: str) -> list[float]:
    """Of three steps of a small convnet on the active backend."""
    nkeras.utils.set_random_seed(0)
    model = nkeras.Sequential(
        [
            nkeras.layers.Input((8, 8, 1)),
            nkeras.layers.Conv2D(4, 3, activation="relu"),
            nkeras.layers.MaxPooling2D(2),
            nkeras.layers.Flatten(),
            nkeras.layers.Dropout(0.25),
            nkeras.layers.Dense(5, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(12, 8, 8, 1)).astype("float32")
    y = np.arange(12) % 5
    history = model.fit(x, y, batch_size=6, epochs=2, shuffle=False, verbose=0)
    return [*history.history["loss"], float(model.evaluate(x, y, verbose=0))]


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_convnet_is_trained(optimizer, seed):
    with registry.use_backend("numpy"):
        expected = losses(optimizer)
    with interpreted(seed=seed) as session, registry.use_backend("numba_cuda"):
        found = losses(optimizer)
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    assert session.launched
