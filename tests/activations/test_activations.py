"""Values and gradients of every activation against Keras; names, configs and bad arguments."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import nkeras
from nkeras import activations, ops
from nkeras.activations.lookup import ACTIVATIONS
from nkeras.backend import registry
from nkeras.core.graph import KerasTensor
from nkeras.core.missing import public_names
from nkeras.core.tape import GradientTape

CASES = [
    ("relu", {}),
    ("relu", {"negative_slope": 0.3}),
    ("relu", {"max_value": 1.5}),
    ("relu", {"max_value": 6}),
    ("relu", {"threshold": 0.7}),
    ("relu", {"negative_slope": 0.2, "max_value": 2.0, "threshold": 0.5}),
    ("relu", {"negative_slope": 0.2, "max_value": 2.0, "threshold": -0.5}),
    ("relu", {"negative_slope": 0.1, "threshold": -1.0}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.01}),
    ("relu6", {}),
    ("softmax", {}),
    ("softmax", {"axis": 0}),
    ("softmax", {"axis": (0, 1)}),
    ("elu", {}),
    ("elu", {"alpha": 0.4}),
    ("selu", {}),
    ("softplus", {}),
    ("softsign", {}),
    ("soft_shrink", {}),
    ("soft_shrink", {"threshold": 1.1}),
    ("sparse_plus", {}),
    ("silu", {}),
    ("squareplus", {}),
    ("squareplus", {"b": 0.5}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("celu", {}),
    ("celu", {"alpha": 0.5}),
    ("glu", {}),
    ("glu", {"axis": 0}),
    ("tanh", {}),
    ("tanh_shrink", {}),
    ("hard_tanh", {}),
    ("hard_shrink", {}),
    ("hard_shrink", {"threshold": 1.1}),
    ("threshold", {"threshold": 0.4, "default_value": -2.0}),
    ("sigmoid", {}),
    ("exponential", {}),
    ("hard_sigmoid", {}),
    ("log_sigmoid", {}),
    ("sparse_sigmoid", {}),
    ("hard_silu", {}),
    ("linear", {}),
    ("mish", {}),
    ("log_softmax", {}),
    ("log_softmax", {"axis": 0}),
    ("sparsemax", {}),
    ("sparsemax", {"axis": 0}),
]
IDS = [f"{name}-{arguments}" for name, arguments in CASES]


def _inputs() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(7)
    x = (generator.standard_normal((6, 8)) * 2.5).astype("float32")
    return x, generator.standard_normal((6, 8)).astype("float32")


@pytest.fixture(scope="module")
def expected(oracle):
    """All of Keras' values and gradients, in one call.

    Keras 3.15 has a wrong sparsemax (keras issue 23425, repaired in pull request 23469): the right
    formula stands in for it.
    """
    x, weights = _inputs()
    return oracle.run(
        """
        def sparsemax(x, axis=-1):
            descending = -jnp.sort(-x, axis=axis)
            sizes = [1, 1]
            sizes[axis] = -1
            counts = jnp.arange(1, x.shape[axis] + 1).reshape(sizes)
            support = descending * counts > jnp.cumsum(descending, axis=axis) - 1
            total = jnp.sum(jnp.where(support, descending, 0.0), axis=axis, keepdims=True)
            return jnp.maximum(x - (total - 1) / jnp.sum(support, axis=axis, keepdims=True), 0.0)

        def both(function, arguments, x):
            def total(x):
                y = function(x, **arguments)
                return jnp.sum(y * weights[: y.shape[0], : y.shape[1]])
            return function(x, **arguments), jax.grad(total)(x)

        def everything(x):
            functions = [
                sparsemax if name == "sparsemax" else getattr(keras.activations, name)
                for name, _ in cases
            ]
            return [both(f, arguments, x) for f, (_, arguments) in zip(functions, cases)]

        result = jax.jit(everything)(jnp.asarray(x))  # one compilation instead of hundreds
        """,
        cases=CASES,
        x=x,
        weights=weights,
    )


def _compare(i: int, expected) -> None:
    name, arguments = CASES[i]
    x, weights = _inputs()
    x = ops.convert_to_tensor(x)
    with GradientTape() as tape:
        tape.watch(x)
        y = getattr(activations, name)(x, **arguments)
        total = ops.sum(y * weights[: y.shape[0], : y.shape[1]])
    grad = tape.gradient(total, x)
    values, gradients = expected[i]
    assert y.dtype == values.dtype.name
    np.testing.assert_allclose(y.numpy(), values, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(grad.numpy(), gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("i", range(len(CASES)), ids=IDS)
def test_values_and_gradients_are_keras(i, expected):
    with registry.use_backend("numpy"):
        _compare(i, expected)


@pytest.mark.parametrize("i", [0, 6, IDS.index("mish-{}"), IDS.index("sparsemax-{}")])
def test_compiled_values_and_gradients_are_keras(i, expected):
    with registry.use_backend("numba_cpu"):
        _compare(i, expected)


def test_every_activation_has_a_case():
    aliases = {"swish", "hard_swish"}
    assert set(ACTIVATIONS) - aliases == {name for name, _ in CASES}
    assert activations.swish is activations.silu
    assert activations.hard_swish is activations.hard_silu


def test_names_and_signatures_are_keras(oracle):
    import inspect

    theirs = oracle.run(
        """
        import inspect
        result = {
            name: [(p.name, p.default is inspect._empty or repr(p.default))
                   for p in inspect.signature(getattr(keras.activations, name)).parameters.values()]
            for name in dir(keras.activations) if not name.startswith("_")
        }
        """
    )
    assert set(theirs) <= set(public_names(activations))
    for name in ACTIVATIONS:
        parameters = inspect.signature(getattr(activations, name)).parameters.values()
        ours = [(p.name, p.default is inspect._empty or repr(p.default)) for p in parameters]
        assert ours == theirs[name], name


EXTREMES = ["sigmoid", "log_sigmoid", "softplus", "tanh", "elu", "selu", "softsign", "gelu"]


@pytest.mark.parametrize("name", [*EXTREMES, "silu", "mish", "celu", "log_softmax", "softmax"])
def test_large_inputs_stay_finite(name):
    with registry.use_backend("numpy"):
        x = ops.convert_to_tensor(np.array([-1e4, -90.0, 0.0, 90.0, 1e4], "float32"))
        with GradientTape() as tape:
            tape.watch(x)
            y = getattr(activations, name)(x)
        grad = tape.gradient(y, x)
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(grad.numpy()).all()


@pytest.mark.parametrize("arguments", [{}, {"max_value": 6.0}, {"threshold": 1.0}])
def test_relu_keeps_nan_and_infinity(arguments):
    with registry.use_backend("numpy"):
        y = activations.relu([np.nan, np.inf, -np.inf], **arguments).numpy()
    assert np.isnan(y[0])
    assert y[1] == arguments.get("max_value", np.inf)
    assert y[2] == 0.0


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_symbolic_shape(name):
    arguments = (0.5, 0.0) if name == "threshold" else ()
    y = ACTIVATIONS[name](KerasTensor((None, 4)), *arguments)
    assert y.shape == (None, 2 if name == "glu" else 4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtype_is_kept(dtype):
    with registry.use_backend("numpy"):
        x = ops.convert_to_tensor([-1.0, 2.0], dtype=dtype)
        for name in sorted(ACTIVATIONS):
            arguments = (0.5, 0.0) if name == "threshold" else ()
            assert ACTIVATIONS[name](x, *arguments).dtype == dtype, name


def test_sparsemax_is_a_projection_onto_the_simplex(oracle):
    x = (np.random.default_rng(2).standard_normal((20, 5)) * 0.4).astype("float32")
    with registry.use_backend("numpy"):
        y = activations.sparsemax(x).numpy()
        one = activations.sparsemax(10 * np.eye(3, dtype="float32")).numpy()
    np.testing.assert_allclose(y.sum(axis=1), 1.0, rtol=1e-6)
    assert (y >= 0).all()
    assert (y > 0).sum() > 25
    for row, projected in zip(x, y, strict=True):  # x - y is the same wherever y is positive
        distance = (row - projected)[projected > 0]
        assert np.ptp(distance) < 1e-6
        assert (row[projected == 0] <= distance[0] + 1e-6).all()
    # Where one element has it all, Keras 3.15 is right too.
    x = 10 * np.eye(3, dtype="float32")
    np.testing.assert_array_equal(one, oracle.run("result = ops.sparsemax(x)", x=x))


def test_glu_refuses_odd_sizes():
    with pytest.raises(ValueError, match="even"):
        activations.glu(np.zeros((2, 3), "float32"))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_by_name_and_back(name):
    function = activations.get(name)
    assert function is ACTIVATIONS[name]
    assert activations.get(activations.serialize(function)) is function
    config = {"class_name": "function", "config": name, "module": "builtins"}
    assert activations.deserialize({**config, "registered_name": "function"}) is function


def test_get_of_other_things():
    assert activations.get(None) is activations.linear
    assert activations.get(np.sin) is np.sin
    for bad in ("no_such_activation", 3):
        with pytest.raises(ValueError, match="activation function"):
            activations.get(bad)
    with pytest.raises(ValueError, match="lambda"):
        activations.serialize(lambda x: x)


def test_serialized_names_are_keras(oracle):
    theirs = oracle.run(
        "result = {n: keras.activations.serialize(keras.activations.get(n)) for n in names}",
        names=sorted(ACTIVATIONS),
    )
    assert theirs == {name: activations.serialize(ACTIVATIONS[name]) for name in ACTIVATIONS}


def test_an_operation_can_be_an_activation():
    layer = nkeras.layers.Dense(2, activation=ops.silu, name="a")
    assert repr(layer) == 'Dense(2, activation="silu", name="a")'
    assert layer.get_config()["activation"] == "silu"
    assert pickle.loads(pickle.dumps(layer)).activation is ops.silu
