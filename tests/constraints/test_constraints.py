"""Constraints against Keras: values and configs; and names."""

from __future__ import annotations

import numpy as np
import pytest

from nkeras import constraints, ops
from nkeras.backend import registry

CASES = [
    ("Constraint", {}),
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.7, "axis": 1}),
    ("MaxNorm", {"max_value": 1.0, "axis": (0, 1)}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": -1}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 1.5, "max_value": 2.5, "rate": 0.5, "axis": 1}),
]
IDS = [f"{name}-{arguments}" for name, arguments in CASES]
W = np.random.default_rng(3).standard_normal((5, 4)).astype("float32")
W[:, 2] = 0.0  # a norm of 0 must not divide by 0


@pytest.fixture(scope="module")
def expected(oracle):
    return oracle.run(
        """
        result = []
        for name, arguments in cases:
            made = getattr(keras.constraints, name)(**arguments)
            result.append(
                (made(jnp.asarray(w)), keras.constraints.serialize(made), made.get_config())
            )
        """,
        cases=CASES,
        w=W,
    )


@pytest.mark.parametrize("i", range(len(CASES)), ids=IDS)
def test_values_and_configs_are_keras(i, expected):
    name, arguments = CASES[i]
    made = getattr(constraints, name)(**arguments)
    values, described, config = expected[i]
    with registry.use_backend("numpy"):
        y = made(ops.convert_to_tensor(W))
    np.testing.assert_allclose(y.numpy(), values, rtol=1e-5, atol=1e-7)
    ours = constraints.serialize(made)
    assert made.get_config() == config
    del described["config"]
    assert {key: value for key, value in ours.items() if key != "config"} == described
    again = constraints.deserialize(ours)
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtype_is_kept(dtype):
    with registry.use_backend("numpy"):
        w = ops.convert_to_tensor(W, dtype=dtype)
        for name, arguments in CASES:
            assert getattr(constraints, name)(**arguments)(w).dtype == dtype, name


def test_axis_may_be_a_list():
    with registry.use_backend("numpy"):
        y = constraints.UnitNorm(axis=[0, 1])(W)
    assert np.linalg.norm(y.numpy()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("MaxNorm", constraints.MaxNorm),
        ("max_norm", constraints.MaxNorm),
        ("non_neg", constraints.NonNeg),
        ("UnitNorm", constraints.UnitNorm),
        ("min_max_norm", constraints.MinMaxNorm),
    ],
)
def test_by_name(name, cls):
    assert type(constraints.get(name)) is cls
    assert getattr(constraints, name) is cls


def test_get_of_other_things():
    made = constraints.MaxNorm(3)
    assert constraints.get(None) is None
    assert constraints.get(made) is made
    assert type(constraints.get(constraints.NonNeg)) is constraints.NonNeg
    assert constraints.get({"class_name": "MaxNorm", "config": {"max_value": 3}}).max_value == 3
    for bad in ("no_such_constraint", 3):
        with pytest.raises(ValueError, match="constraint"):
            constraints.get(bad)
