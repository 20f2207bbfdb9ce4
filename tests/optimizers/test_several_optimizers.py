"""Optimizers chosen by the paths of variables, and those that choose a rule for each variable."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import optimizers
from tests.harness import oracle

ADAM, SGD = optimizers.Adam(), optimizers.SGD()


def model_and_data() -> tuple[nkeras.Model, np.ndarray, np.ndarray]:
    nkeras.utils.set_random_seed(1)
    model = nkeras.Sequential([nkeras.Input((6,))], name="model")
    model.add(nkeras.layers.Dense(8, "tanh", name="hidden"))
    model.add(nkeras.layers.Dense(1, name="last"))
    random = np.random.default_rng(0)
    x = random.normal(size=(32, 6)).astype("float32")
    return model, x, x[:, :1] * x[:, 1:2]


def make(kind: str) -> optimizers.Optimizer:
    if kind == "MultiOptimizer":
        chosen = optimizers.OptimizerMap(optimizers.SGD(0.05), {"hidden/.*": optimizers.Adam(0.01)})
        return optimizers.MultiOptimizer(chosen)
    return getattr(optimizers, kind)(0.01)


@pytest.mark.cpu
@pytest.mark.parametrize("kind", ["Muon", "ScheduleFreeAdamW", "MultiOptimizer"])
def test_plans_are_those_of_steps_that_run_as_they_come(kind: str) -> None:
    weights = []
    for eager in (True, False):
        model, x, y = model_and_data()
        model.compile(make(kind), "mse", run_eagerly=eager)
        history = model.fit(x, y, batch_size=8, epochs=4, verbose=0, shuffle=False)
        assert history.history["loss"][-1] < history.history["loss"][0]
        assert eager or not model._plans.refusals()
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@oracle.requires_keras
def test_arguments_stand_where_keras_has_them() -> None:
    expected = oracle.run(
        """
        import inspect
        result = {
            name: [*inspect.signature(getattr(keras.optimizers, name)).parameters]
            for name in ("Muon", "ScheduleFreeAdamW", "MultiOptimizer", "OptimizerMap")
        }
        """
    )
    for name, parameters in expected.items():
        found = list(inspect.signature(getattr(optimizers, name)).parameters)
        if name == "Muon":
            assert found == parameters
        else:
            assert found[: len(parameters) - 1] == parameters[:-1]


def test_a_map_is_a_dict_of_patterns() -> None:
    chosen = optimizers.OptimizerMap(SGD, {"encoder/.*": ADAM})
    other = optimizers.RMSprop()
    chosen["decoder/kernel"] = other
    assert chosen["encoder/dense/kernel"] is ADAM
    assert chosen["decoder/kernel"] is other
    assert chosen["decoder/bias"] is chosen.default_optimizer is SGD
    chosen["encoder/dense/.*"] = other
    with pytest.raises(ValueError, match="Multiple optimizers assigned to variable 'encoder/dense"):
        chosen["encoder/dense/kernel"]
    with pytest.raises(ValueError, match="'decoder/kernel' already exists"):
        chosen["decoder/kernel"] = ADAM
    del chosen["decoder/kernel"]
    assert list(chosen) == ["encoder/.*", "encoder/dense/.*"]
    assert len(chosen) == 2


def test_a_function_may_choose() -> None:
    by_name = {"kernel": optimizers.Adam(0.1), "bias": optimizers.SGD(0.5)}
    optimizer = optimizers.MultiOptimizer(lambda variable: by_name[variable.name])
    w = nkeras.Variable([1.0], name="kernel"), nkeras.Variable([1.0], name="bias")
    optimizer.apply([nkeras.ops.ones(1)] * 2, w)
    assert [float(v[0]) for v in w] == pytest.approx([0.9, 0.5])
    assert optimizer.optimizers == list(by_name.values())
    optimizer.loss_scale_factor = 4.0
    assert [one.loss_scale_factor for one in optimizer.optimizers] == [4.0, 4.0]
    state = [variable.numpy() for variable in optimizer.variables]
    optimizer.set_weights(state)
    again = optimizers.get(optimizers.serialize(make("MultiOptimizer")))
    assert [type(one).__name__ for one in again.optimizers] == ["Adam", "SGD"]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: optimizers.OptimizerMap("adam"), TypeError, "`default_optimizer` must be"),
        (lambda: optimizers.OptimizerMap(SGD, [ADAM]), TypeError, "`optimizer_map` must be a dict"),
        (
            lambda: optimizers.OptimizerMap(SGD).__setitem__("a", optimizers.MultiOptimizer(SGD)),
            ValueError,
            "`optimizer` must be an optimizer, and no wrapper of one",
        ),
        (
            lambda: optimizers.OptimizerMap(SGD).__setitem__(1, ADAM),
            ValueError,
            "`key` must be a string",
        ),
        (
            lambda: optimizers.MultiOptimizer(lambda variable: "adam").build(
                [nkeras.Variable(1.0)]
            ),
            ValueError,
            "must give an optimizer for each variable",
        ),
        (
            lambda: make("MultiOptimizer").learning_rate,
            AttributeError,
            "each of its `optimizers` has its own",
        ),
        (lambda: optimizers.Muon(adam_beta_1=1.5), ValueError, "`adam_beta_1` must be a number in"),
    ],
)
def test_errors(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


def test_muon_leaves_what_is_no_matrix_to_adam() -> None:
    optimizer = optimizers.Muon(exclude_layers=["last"])
    shapes = {"kernel": (2, 3), "bias": (3,), "embeddings": (4, 2), "last": (2, 2)}
    variables = [nkeras.Variable(np.ones(shape), name=name) for name, shape in shapes.items()]
    optimizer.build(variables)
    names = [variable.name for variable in optimizer.variables[2:]]
    assert [name for name in names if "velocity" in name] == [
        "bias_velocity",
        "embeddings_velocity",
        "last_velocity",
    ]
