"""Training steps on the CUDA backend, all of whose launches the interpreter executes."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras.backend import registry
from nkeras_numba_cuda.counting import counting
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


def weights(run_eagerly: bool) -> list[np.ndarray]:
    """What five steps of a small network leave, the last of which is a graph."""
    nkeras.utils.set_random_seed(0)
    layers = [nkeras.layers.Dense(4, activation="relu"), nkeras.layers.Dropout(0.25)]
    model = nkeras.Sequential([*layers, nkeras.layers.Dense(3, activation="softmax")])
    optimizer = nkeras.optimizers.Adam(nkeras.optimizers.schedules.CosineDecay(0.1, 9))
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=run_eagerly)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    model.fit(x, np.arange(4) % 3, batch_size=4, epochs=5, shuffle=False, verbose=0)
    assert run_eagerly or not model._plans.refusals()
    return [variable.numpy() for variable in (*model.weights, *model.optimizer.variables)]


def test_a_replayed_step_has_the_bits_of_one_that_runs_as_it_comes():
    found = []
    for run_eagerly in (True, False):
        with interpreted() as session, registry.use_backend("numba_cuda"), counting() as counts:
            found.append(weights(run_eagerly))
        assert session.launched["adam_float32"] == 5
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()
    assert counts.graphs.total() == 1
