"""What alpha dropout does to numbers."""

from __future__ import annotations

import numpy as np
import pytest

from nkeras import layers

_LEAST = -1.6732632423543772 * 1.0507009873554805


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_mean_and_variance_stay(rate: float) -> None:
    x = np.random.default_rng(0).standard_normal((400, 500)).astype("float32")
    y = layers.AlphaDropout(rate, seed=1)(x, training=True).numpy()
    assert y.mean() == pytest.approx(0.0, abs=0.01)
    assert y.var() == pytest.approx(1.0, abs=0.02)


def test_each_element_is_kept_or_replaced() -> None:
    x = np.random.default_rng(0).standard_normal((40, 50)).astype("float32")
    y = layers.AlphaDropout(0.25, seed=1)(x, training=True).numpy()
    a = (0.75 * (1 + 0.25 * _LEAST**2)) ** -0.5
    b = -a * _LEAST * 0.25
    is_kept = np.isclose(y, a * x + b, atol=1e-5)
    np.testing.assert_allclose(y[~is_kept], a * _LEAST + b, rtol=1e-5)
    assert is_kept.mean() == pytest.approx(0.75, abs=0.05)


def test_noise_shape_and_a_rate_of_one() -> None:
    x = np.random.default_rng(0).standard_normal((3, 8, 6)).astype("float32")
    y = layers.AlphaDropout(0.5, (None, 1, None), seed=2)(x, training=True).numpy()
    a = (0.5 * (1 + 0.5 * _LEAST**2)) ** -0.5
    dropped = np.isclose(y, a * _LEAST * 0.5, atol=1e-5)
    assert dropped.any()
    assert (dropped.all(1) | ~dropped.any(1)).all()
    np.testing.assert_array_equal(layers.AlphaDropout(1.0)(x, training=True).numpy(), 0.0)
