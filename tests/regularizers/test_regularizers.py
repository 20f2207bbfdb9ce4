"""Regularizers against Keras: penalties, gradients, configs; and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from nkeras import ops, regularizers
from nkeras.backend import registry
from nkeras.core.tape import GradientTape

CASES = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L1", {"l1": None}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.2}),
    ("L1L2", {"l1": 0.2, "l2": 0.1}),
    ("L1L2", {"l1": None, "l2": 1}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]
IDS = [f"{name}-{arguments}" for name, arguments in CASES]
X = np.random.default_rng(3).standard_normal((5, 4)).astype("float32")


@pytest.fixture(scope="module")
def expected(oracle):
    return oracle.run(
        """
        result = []
        for name, arguments in cases:
            made = getattr(keras.regularizers, name)(**arguments)
            gradient = jax.grad(lambda x: made(x))(jnp.asarray(x))
            result.append((made(jnp.asarray(x)), gradient, keras.regularizers.serialize(made)))
        """,
        cases=CASES,
        x=X,
    )


@pytest.mark.parametrize("i", range(len(CASES)), ids=IDS)
def test_penalty_gradient_and_config_are_keras(i, expected):
    name, arguments = CASES[i]
    made = getattr(regularizers, name)(**arguments)
    penalty, gradient, described = expected[i]
    with registry.use_backend("numpy"):
        x = ops.convert_to_tensor(X)
        with GradientTape() as tape:
            tape.watch(x)
            y = made(x)
        grad = tape.gradient(y, x, unconnected_gradients="zero")
    assert y.shape == ()
    assert y.dtype == "float32"
    np.testing.assert_allclose(y.numpy(), penalty, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(grad.numpy(), gradient, rtol=1e-4, atol=1e-6)
    ours = regularizers.serialize(made)
    config, theirs = ours.pop("config"), described.pop("config")
    assert ours == described
    # Keras keeps some factors in float32, and says 0.009999999776482582 for 0.01.
    assert config == {k: v if isinstance(v, str) else pytest.approx(v) for k, v in theirs.items()}
    again = regularizers.deserialize({**ours, "config": config})
    assert type(again) is type(made)
    assert again.get_config() == config


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtype_is_kept(dtype):
    with registry.use_backend("numpy"):
        x = ops.convert_to_tensor(X, dtype=dtype)
        for name, arguments in CASES:
            assert getattr(regularizers, name)(**arguments)(x).dtype == dtype, name


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), "a"])
@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("L1", "l1"),
        ("L2", "l2"),
        ("L1L2", "l1"),
        ("L1L2", "l2"),
        ("OrthogonalRegularizer", "factor"),
    ],
)
def test_bad_factors(name, argument, bad):
    with pytest.raises(ValueError, match=f"{name}: argument `{argument}`"):
        getattr(regularizers, name)(**{argument: bad})


def test_orthogonal_refusals():
    with pytest.raises(ValueError, match="mode"):
        regularizers.OrthogonalRegularizer(mode="diagonals")
    with pytest.raises(ValueError, match="rank 2"):
        regularizers.OrthogonalRegularizer()(ops.ones((3,)))


def test_orthogonal_of_one_row_is_no_penalty():
    assert float(regularizers.OrthogonalRegularizer()(ops.ones((1, 3)))) == 0.0


@pytest.mark.parametrize("name", ["l1", "L1", "l2", "L2", "l1l2", "l1_l2", "L1L2"])
def test_by_name(name):
    cls = {"l1": regularizers.L1, "l2": regularizers.L2}.get(name.lower(), regularizers.L1L2)
    assert type(regularizers.get(name)) is cls


def test_get_of_other_things():
    made = regularizers.L2(0.5)
    assert regularizers.get(None) is None
    assert regularizers.get(made) is made
    assert type(regularizers.get(regularizers.L1)) is regularizers.L1
    assert regularizers.get({"class_name": "L2", "config": {"l2": 0.5}}).l2 == 0.5
    assert regularizers.get("orthogonal_regularizer").mode == "rows"
    for bad in ("no_such_regularizer", 3):
        with pytest.raises(ValueError, match="regularizer"):
            regularizers.get(bad)
