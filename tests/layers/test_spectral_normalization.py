"""What SpectralNormalization does to the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from tests.replay.replays import both_ways, needs_plans, reasons

_KERNEL = np.random.default_rng(0).standard_normal((2, 2, 3, 4)).astype("float32")
_U = np.random.default_rng(1).standard_normal((1, 4)).astype("float32")
_X = np.random.default_rng(2).standard_normal((2, 5, 5, 3)).astype("float32")


def _layer(iterations: int) -> layers.SpectralNormalization:
    conv = layers.Conv2D(4, 2, use_bias=False)
    layer = layers.SpectralNormalization(conv, power_iterations=iterations)
    layer.build(_X.shape)
    layer.set_weights([_KERNEL, _U])
    return layer


@pytest.mark.parametrize("iterations", [1, 4])
def test_kernel_and_vector_become_what_they_become_in_keras(iterations: int, oracle: Any) -> None:
    layer = _layer(iterations)
    output = layer(_X, training=True)
    expected = oracle.run(
        """
        conv = keras.layers.Conv2D(4, 2, use_bias=False)
        layer = keras.layers.SpectralNormalization(conv, power_iterations=iterations)
        layer.build(x.shape)
        layer.set_weights([kernel, u])
        output = layer(x, training=True)
        result = [output, layer.kernel.value, layer.vector_u.value]
        """,
        **{"iterations": iterations, "x": _X, "kernel": _KERNEL, "u": _U},
    )
    for found, value in zip([output, layer.kernel, layer.vector_u], expected, strict=True):
        np.testing.assert_allclose(found.numpy(), value, rtol=2e-5, atol=1e-5)


def test_the_spectral_norm_becomes_one() -> None:
    layer = _layer(60)
    layer(_X, training=True)
    matrix = layer.kernel.numpy().reshape(-1, 4)
    assert np.linalg.norm(matrix, 2) == pytest.approx(1.0, rel=1e-4)


def test_a_kernel_of_zeros_and_inference_change_nothing() -> None:
    layer = _layer(1)
    layer(_X)
    np.testing.assert_array_equal(layer.kernel.numpy(), _KERNEL)
    layer.set_weights([np.zeros_like(_KERNEL), _U])
    layer(_X, training=True)
    np.testing.assert_array_equal(layer.kernel.numpy(), 0.0)
    np.testing.assert_array_equal(layer.vector_u.numpy(), _U)


def test_a_layer_without_kernel_is_refused() -> None:
    layer = layers.SpectralNormalization(layers.Flatten())
    with pytest.raises(ValueError, match=r"SpectralNormalization: argument `layer` must be"):
        layer(_X)


@needs_plans
def test_training_is_replayed() -> None:
    """Steps that are replayed change kernel and vector as steps that run as they come."""
    x, y = _X.reshape(-1, 5)[:24], np.ones((24, 3), "float32")

    def use(model: nkeras.Model) -> list[np.ndarray]:
        model.fit(x, y, batch_size=4, epochs=2, verbose=0)
        return [model.predict(x, verbose=0)]

    def make() -> nkeras.Model:
        return nkeras.Sequential([layers.SpectralNormalization(layers.Dense(3))])

    model = both_ways(make, use, optimizer="sgd", loss="mse")
    assert reasons(model) == []
