"""Activations and gradients of layers, against models that end there and numeric differences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import nkeras
from tests.inspect.models import Looking, Subclassed, nested, residual

IMAGES = np.random.default_rng(3).normal(size=(2, 8, 8, 3)).astype("float32")


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_activations_are_those_of_models_that_end_there(backend: str) -> None:
    with nkeras.use_backend(backend):
        model = residual()
        found = model.activations(IMAGES)
        assert next(iter(found)) == "first"
        for name in ("first", "norm_1", "sum_1", "scores"):
            part = nkeras.Model(model.input, model.get_layer(name).output)
            np.testing.assert_allclose(found[name], part(IMAGES).numpy(), rtol=1e-5, atol=1e-6)


def test_chosen_layers() -> None:
    model = residual()
    assert list(model.activations(IMAGES, ["sum_0", "first"])) == ["first", "sum_0"]
    assert list(model.activations(IMAGES, "first")) == ["first"]
    assert list(model.activations(IMAGES, lambda name: "conv" in name)) == ["conv_0", "conv_1"]
    with pytest.raises(ValueError, match="no layer 'frist'\\. Did you mean 'first'"):
        model.activations(IMAGES, ["frist"])
    with pytest.raises(TypeError, match="layers=3"):
        model.activations(IMAGES, 3)


def test_nested_shared_and_ops() -> None:
    one, two = np.ones((2, 3), "float32"), np.zeros((2, 3), "float32")
    found = nested().activations([one, two])
    assert set(found) == {
        *("inner/a", "inner/b", "inner", "inner/a#2", "inner/b#2", "inner#2"),
        *("multiply", "both", "end"),
    }
    np.testing.assert_array_equal(found["multiply"], two)
    np.testing.assert_array_equal(found["both"][:, :2], found["inner"])


@pytest.mark.parametrize("make", [Subclassed, Looking])
def test_subclassed(make: type[nkeras.Model]) -> None:
    found = make().activations(np.ones((2, 5), "float32"))
    assert {name: value.shape for name, value in found.items()}["hidden"] == (2, 4)
    assert found["out"].shape == (2, 3)


def test_training_mode() -> None:
    model = nkeras.Sequential([nkeras.Input((50,)), nkeras.layers.Dropout(0.5, seed=1, name="d")])
    x = np.ones((1, 50), "float32")
    assert (model.activations(x)["d"] == 1).all()
    assert (model.activations(x, training=True)["d"] == 0).any()


@pytest.fixture
def _in_float64() -> Iterator[None]:
    """Layers compute in float64, whatever policy another test has left."""
    before = nkeras.config.dtype_policy()
    nkeras.config.set_floatx("float64")
    nkeras.config.set_dtype_policy("float64")
    yield
    nkeras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("_in_float64")
def test_gradients_are_differences_of_the_loss() -> None:
    nkeras.utils.set_random_seed(1)
    model = residual()
    model.compile(loss="mse")
    images, targets = IMAGES.astype("float64"), np.array([[1.0, 0.0], [0.0, 1.0]])
    found = model.gradients(images, targets)
    assert found.loss == pytest.approx(model.evaluate(images, targets, verbose=0))
    kernel = model.get_layer("conv_1").kernel
    step = 1e-6
    for place in ((0, 0, 0, 0), (1, 2, 3, 1)):
        values = kernel.numpy()
        losses = []
        for sign in (1, -1):
            moved = values.copy()
            moved[place] += sign * step
            kernel.assign(moved)
            losses.append(model.evaluate(images, targets, verbose=0))
        kernel.assign(values)
        numeric = (losses[0] - losses[1]) / (2 * step)
        assert found.weights["conv_1/kernel"][place] == pytest.approx(numeric, rel=1e-4)
    rest = nkeras.Model(model.get_layer("pool").output, model.output)
    pooled = model.activations(images)["pool"]
    moved = pooled.copy()
    moved[0, 1] += step
    losses = [float(((rest(value).numpy() - targets) ** 2).mean()) for value in (moved, pooled)]
    assert found.outputs["pool"][0, 1] == pytest.approx((losses[0] - losses[1]) / step, rel=1e-3)


def test_gradients_need_a_loss() -> None:
    with pytest.raises(ValueError, match="has no loss"):
        residual().gradients(IMAGES, np.zeros((2, 2)))
