"""Users' own array kernels: every backend, gradients, plans, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.core.primitive import PRIMITIVES

HALF = 0.5
WEIGHTS = np.array([1.0, 2.0, 4.0], "float32")


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


def halved(x: float) -> float:
    return x * HALF


@nkeras.kernel(shape=lambda x, w: x, parallel="n")
def scale_rows(n, x, w, y, *, power=1.0):
    """Rows times a vector, halved."""
    for j in range(x.shape[1]):
        y[n, j] = halved(w[j] * x[n, j]) * power


@scale_rows.vjp(sums="grad_w")
def scale_rows_grad(n, x, w, grad_y, grad_x, grad_w, *, power):
    for j in range(x.shape[1]):
        grad_x[n, j] = halved(w[j] * grad_y[n, j]) * power
        grad_w[j] += halved(x[n, j] * grad_y[n, j]) * power


@nkeras.kernel(shape=lambda x: [x.shape[:2], ((x.shape[0],), "int32")], parallel="n h")
def norms(n, h, x, length, positive):
    """Lengths of vectors; how many numbers of an example are positive."""
    total = 0.0
    for c in range(x.shape[2]):
        total += x[n, h, c] * x[n, h, c] * WEIGHTS[c]
    length[n, h] = math.sqrt(total)
    if h == 0:
        for k in range(x.shape[1]):
            for c in range(x.shape[2]):
                positive[n] += 1 if x[n, k, c] > 0 else 0


X = np.random.default_rng(3).normal(size=(70, 5)).astype("float32")
W = np.linspace(0.5, 2.0, 5).astype("float32")


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_values_gradients_and_several_results(backend: str) -> None:
    with nkeras.use_backend(backend):
        np.testing.assert_allclose(scale_rows(X, W, power=3.0), X * W * 1.5, rtol=1e-6)
        scale_rows.check(X[:3], W, power=2.0)
        length, positive = norms(X[:, None, :3])
        expected = np.sqrt((X[:, :3] ** 2 * WEIGHTS).sum(-1))[:, None]
        np.testing.assert_allclose(length, expected, rtol=1e-6)
        np.testing.assert_array_equal(positive, (X[:, :3] > 0).sum(-1))
        assert positive.dtype == "int32"


def test_sums_are_the_same_on_every_backend_and_number_of_threads() -> None:
    from nkeras_numba_cpu.threads import get_num_threads, set_num_threads

    def gradient() -> np.ndarray:
        return nkeras.grad(lambda w: nkeras.ops.sum(scale_rows(X, w)))(W).numpy()

    with nkeras.use_backend("numpy"):
        expected = gradient()
    threads = get_num_threads()
    many = gradient()
    set_num_threads(1)
    try:
        np.testing.assert_array_equal(gradient(), many)
    finally:
        set_num_threads(threads)
    np.testing.assert_allclose(many, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtypes(dtype: str) -> None:
    x, w = nkeras.ops.cast(X, dtype), nkeras.ops.cast(W, dtype)
    result = scale_rows(x, w)
    assert result.dtype == dtype
    np.testing.assert_allclose(result.numpy().astype("float32"), X * W * 0.5, rtol=2e-2)
    assert scale_rows(nkeras.ops.cast(X, "float16"), W).dtype == "float32"


def test_it_is_an_operation_in_models_and_plans() -> None:
    inputs = nkeras.Input((5,))
    outputs = layers.Dense(2, kernel_initializer="ones")(scale_rows(inputs, W))
    model = nkeras.Model(inputs, outputs)
    assert model.output_shape == (None, 2)
    model.compile("sgd", "mse")
    y = np.ones((70, 2), "float32")
    losses = model.fit(X, y, epochs=4, batch_size=35, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model(X)
    np.testing.assert_array_equal(model(X), model.predict(X, verbose=0))


def test_a_wrong_gradient_is_found() -> None:
    @nkeras.kernel(shape=lambda x: x, parallel="n")
    def triple(n, x, y):
        y[n] = 3.0 * x[n]

    @triple.vjp
    def _(n, x, grad_y, grad_x):
        grad_x[n] = 2.0 * grad_y[n]

    with pytest.raises(ValueError, match="the gradient by x is wrong at 2 of 2 places"):
        triple.check([1.0, 2.0])


def test_an_index_out_of_bounds_is_found_by_check() -> None:
    @nkeras.kernel(shape=lambda x: x, parallel="n")
    def shifted(n, x, y):
        y[n] = x[n + 1]

    with pytest.raises(IndexError):
        shifted.check([1.0, 2.0])


def test_defined_again_it_is_another_one() -> None:
    def made(factor: float) -> Any:
        source = f"def again(n, x, y):\n    y[n] = {factor} * x[n]\n"
        names: dict[str, Any] = {"__name__": "tests.own"}
        exec(source, names)
        return nkeras.kernel(names["again"], shape=lambda x: x, parallel="n")

    two, three = made(2.0), made(3.0)
    assert float(two([1.0])[0]) == 2.0
    assert float(three([1.0])[0]) == 3.0


def test_empty_arrays() -> None:
    assert scale_rows(X[:0], W).shape == (0, 5)


def _plain(n, x, y):
    y[n] = x[n]


THINGS = {"a": 1}


def _with_dict(n, x, y):
    y[n] = THINGS["a"]


def _allocating(n, x, y):
    y[n] = np.zeros(3)[n]


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("`parallel` must name", lambda: nkeras.kernel(_plain, shape=lambda x: x, parallel="m")),
        ("must take the inputs", lambda: nkeras.kernel(_plain, shape=lambda z: z, parallel="n")),
        ("`sums`", lambda: nkeras.kernel(_plain, shape=lambda x: x, parallel="n", sums="z")),
        ("global 'THINGS'", lambda: nkeras.kernel(_with_dict, shape=lambda x: x, parallel="n")),
        (
            "`shape` must give a tuple",
            lambda: nkeras.kernel(_plain, shape=lambda x: "x", parallel="n")([1.0]),
        ),
        (
            "`shape` must give 1 results",
            lambda: nkeras.kernel(_plain, shape=lambda x: [x, x], parallel="n")([1.0]),
        ),
    ],
)
def test_what_does_not_fit_is_refused(message: str, make: Any) -> None:
    with pytest.raises(ValueError, match=message) as found:
        make()
    assert len(str(found.value)) <= 400


def test_gradients_with_other_parameters_are_refused() -> None:
    plain = nkeras.kernel(_plain, shape=lambda x: x, parallel="n")
    with pytest.raises(ValueError, match="the parameters must be the indices n, then some of"):
        plain.vjp(lambda n, z, grad_x: None)
    with pytest.raises(TypeError, match="a Python function is needed"):
        nkeras.kernel(math.sqrt, shape=lambda x: x, parallel="n")


def test_what_numba_cannot_compile_says_why() -> None:
    bad = nkeras.kernel(_allocating, shape=lambda x: x, parallel="n")
    with pytest.raises(TypeError, match="The kernel _allocating cannot be compiled") as found:
        bad([1.0])
    assert len(str(found.value)) <= 400
