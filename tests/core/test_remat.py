"""Functions and layers that compute intermediate results again: same numbers, less memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import GradientTape, RematScope, Variable, layers, ops, remat
from tests.replay.replays import needs_plans, reasons

_X = np.random.default_rng(0).standard_normal((6, 5)).astype("float32")


def _wave(x: Any) -> Any:
    return ops.tanh(ops.sin(x) * x + 1.0)


def test_gradients_by_arguments_variables_and_captured_tensors() -> None:
    weight, captured = Variable(_X[:5]), ops.convert_to_tensor(_X[0])

    def function(pair: dict[str, Any], *, scale: float) -> tuple[Any, Any]:
        y = ops.matmul(pair["x"], weight) * captured * scale
        return _wave(y), y + pair["x"]

    found = []
    for run in (function, remat(function)):
        x = ops.convert_to_tensor(_X)
        with GradientTape() as tape:
            tape.watch([x, captured])
            first, second = run({"x": x}, scale=2.0)
            loss = ops.sum(first * first) + ops.sum(second)
        found.append([loss, *tape.gradient(loss, [x, weight, captured])])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_what_is_given_back_as_it_came() -> None:
    x = ops.convert_to_tensor(_X)
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        same, other = remat(lambda x: (x, ops.square(x)))(x)
        loss = ops.sum(same * 3.0) + ops.sum(other)
    for _ in range(2):
        np.testing.assert_allclose(tape.gradient(loss, x).numpy(), 3.0 + 2.0 * _X, rtol=1e-6)


def test_second_derivatives_and_nested_functions() -> None:
    def function(x: Any) -> Any:
        return remat(_wave)(remat(_wave)(x))

    found = []
    for run in (lambda x: _wave(_wave(x)), remat(function)):
        x = ops.convert_to_tensor(_X, "float64")
        with GradientTape() as outer:
            outer.watch(x)
            with GradientTape() as inner:
                inner.watch(x)
                loss = ops.sum(run(x))
            slope = inner.gradient(loss, x)
        found.append([slope, outer.gradient(slope, x)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)


def test_random_numbers_and_assignments_happen_once() -> None:
    found = []
    for wraps in (lambda f: f, remat):
        nkeras.utils.set_random_seed(1)
        norm, drop = layers.BatchNormalization(), layers.Dropout(0.5, seed=3)
        run = wraps(lambda x, norm=norm, drop=drop: drop(norm(x, training=True), training=True))
        x = ops.convert_to_tensor(_X)
        norm.build(x.shape)
        with GradientTape() as tape:
            tape.watch(x)
            loss = ops.sum(ops.square(run(x)))
        grads = tape.gradient(loss, [x, *norm.trainable_variables])
        found.append([loss, *grads, *norm.variables, *drop.variables])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_memory_is_saved(backend: str) -> None:
    def function(x: Any) -> Any:
        for _ in range(20):
            x = ops.sin(x)
        return x

    peaks = []
    with nkeras.use_backend(backend):
        for run in (function, remat(function)):
            x = ops.ones((1 << 17,))
            tracemalloc.start()
            with GradientTape() as tape:
                tape.watch(x)
                y = ops.exp(run(x))
            kept, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert tape.gradient(y, x) is not None
            peaks.append(kept)
    assert peaks[0] > 18 * 4 * (1 << 17)
    assert peaks[1] < 4 * 4 * (1 << 17)


def _model(scope: RematScope | None) -> nkeras.Model:
    nkeras.utils.set_random_seed(3)
    with scope or RematScope(None):
        x = nkeras.Input((5,))
        y = layers.Dense(16, activation="tanh", activity_regularizer="l2", name="first")(x)
        y = layers.BatchNormalization()(y)
        y = layers.Dropout(0.3)(y)
        y = nkeras.Sequential([layers.Dense(8, activation="gelu", kernel_regularizer="l1")])(y)
        return nkeras.Model(x, layers.Dense(1, name="last")(y))


SCOPES = [
    RematScope(),
    RematScope("activations"),
    RematScope("larger_than", output_size_threshold=60),
    RematScope("list_of_layers", layer_names=["first"]),
]


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: scope.mode)
def test_training_is_the_same_in_each_mode(scope: RematScope, eagerly: bool) -> None:
    found = []
    x = np.random.default_rng(1).standard_normal((24, 5)).astype("float32")
    for used in (None, scope):
        model = _model(used)
        model.compile("adam", "mse", run_eagerly=eagerly)
        history = model.fit(x, x[:, :1], batch_size=6, epochs=3, verbose=0)
        found.append([np.array(history.history["loss"]), *model.get_weights()])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@needs_plans
def test_steps_are_replayed() -> None:
    model = _model(RematScope())
    model.compile("sgd", "mse")
    model.fit(_X, _X[:, :1], epochs=4, verbose=0)
    assert reasons(model) == []


def test_a_scope_is_that_of_the_layers_making() -> None:
    with RematScope("full"):
        inside = layers.Dense(2)
        with RematScope(None):
            outside = layers.Dense(2)
    assert inside._remat_scope is not None
    assert outside._remat_scope is None
    assert layers.Dense(2)._remat_scope is None
    assert "remat" not in str(inside.get_config())


def test_a_layer_and_symbolic_tensors() -> None:
    dense = layers.Dense(3)
    x = nkeras.Input((5,))
    model = nkeras.Model(x, remat(_wave)(remat(dense)(x)))
    assert model.trainable_variables == dense.trainable_variables
    expected = _wave(ops.matmul(ops.convert_to_tensor(_X), dense.kernel) + dense.bias)
    np.testing.assert_allclose(model(_X).numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
    with GradientTape() as tape:
        loss = ops.sum(remat(dense)(_X))
    assert tape.gradient(loss, dense.kernel).shape == (5, 3)


def test_gradients_are_those_of_keras(oracle: Any) -> None:
    x = ops.convert_to_tensor(_X)
    with GradientTape() as tape:
        tape.watch(x)
        loss = ops.sum(remat(_wave)(x))
    expected = oracle.run(
        """
        wave = keras.remat(lambda x: ops.tanh(ops.sin(x) * x + 1.0))
        result = jax.grad(lambda x: ops.sum(wave(x)))(x)
        """,
        x=_X,
    )
    np.testing.assert_allclose(tape.gradient(loss, x).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="RematScope: argument `mode`"):
        RematScope("some")
    with pytest.raises(ValueError, match="RematScope: argument `layer_names`"):
        RematScope("list_of_layers", layer_names="dense")
