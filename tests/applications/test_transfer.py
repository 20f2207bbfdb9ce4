"""Transfer learning: a base that stays, and a classifier that learns; on each backend."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras.backend import registry
from tests.applications.facts import fill


def model_on(base: nkeras.Model) -> nkeras.Model:
    fill(base)  # of random weights hardly anything comes out at the end
    inputs = nkeras.Input((32, 32, 3))
    x = base(inputs, training=False)
    x = nkeras.layers.GlobalAveragePooling2D()(x)
    return nkeras.Model(inputs, nkeras.layers.Dense(2)(x))


@pytest.mark.parametrize("backend", ["numba_cpu", "numpy"])
def test_a_base_that_is_not_trained_stays(backend: str) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype("float32")
    y = np.array([0, 1, 0, 1])
    with registry.use_backend(backend):
        base = nkeras.applications.MobileNetV2(
            (32, 32, 3), alpha=0.35, include_top=False, weights=None
        )
        base.trainable = False
        model = model_on(base)
        assert len(model.trainable_weights) == 2
        before = [weight.numpy() for weight in model.weights]
        loss = nkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss)
        model.fit(x, y, batch_size=2, epochs=1, verbose=0)
        after = [weight.numpy() for weight in model.weights]
    same = [np.array_equal(old, new) for old, new in zip(before, after, strict=True)]
    assert same.count(False) == 2
    assert not any(same[-2:])


def test_fine_tuning_changes_the_base() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype("float32")
    base = nkeras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    model = model_on(base)
    for layer in base.layers[:-6]:
        layer.trainable = False
    trained = {id(weight) for weight in model.trainable_weights}
    before = {id(weight): weight.numpy() for weight in model.weights}
    model.compile(nkeras.optimizers.SGD(0.1), "mse")
    model.fit(x, np.ones((4, 2)), batch_size=4, epochs=2, verbose=0)
    for weight in model.weights:
        assert np.array_equal(before[id(weight)], weight.numpy()) == (id(weight) not in trained)
