"""20 steps of each optimizer with each argument, against real Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nkeras import optimizers
from nkeras.backend import registry
from tests.optimizers import optimizer_runs as runs

CASES = [
    ("SGD", "dict(learning_rate=0.1)"),
    ("SGD", "dict(learning_rate=0.1, momentum=0.9)"),
    ("SGD", "dict(learning_rate=0.1, momentum=0.9, nesterov=True)"),
    ("SGD", "dict(learning_rate=0.1, nesterov=True, weight_decay=0.1)"),
    ("SGD", "dict(learning_rate=0.1, clipnorm=0.5)"),
    ("SGD", "dict(learning_rate=0.1, clipvalue=0.3)"),
    ("SGD", "dict(learning_rate=0.1, global_clipnorm=0.7, momentum=0.5)"),
    ("SGD", "dict(learning_rate=0.1, global_clipnorm=100.0)"),
    ("SGD", "dict(learning_rate=0.1, use_ema=True, ema_momentum=0.8)"),
    ("SGD", "dict(learning_rate=0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3)"),
    ("SGD", "dict(learning_rate=0.1, loss_scale_factor=8.0, name='mine')"),
    ("SGD", "dict(learning_rate=0.1, momentum=0.5, gradient_accumulation_steps=3)"),
    (
        "SGD",
        "dict(learning_rate=0.1, gradient_accumulation_steps=2, clipnorm=0.5, weight_decay=0.1, "
        "use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)",
    ),
    ("SGD", "dict(learning_rate=schedule.ExponentialDecay(0.1, 5, 0.5), momentum=0.9)"),
    (
        "SGD",
        "dict(learning_rate=schedule.PiecewiseConstantDecay([4, 9], [0.1, 0.2, 0.05]), "
        "gradient_accumulation_steps=2)",
    ),
    ("Adam", "dict()"),
    ("Adam", "dict(learning_rate=0.1, beta_1=0.8, beta_2=0.95, epsilon=1e-3)"),
    ("Adam", "dict(learning_rate=0.1, amsgrad=True)"),
    ("Adam", "dict(learning_rate=0.1, weight_decay=0.05, clipvalue=0.5)"),
    ("Adam", "dict(learning_rate=0.1, gradient_accumulation_steps=4)"),
    ("Adam", "dict(learning_rate=0.1, amsgrad=True, gradient_accumulation_steps=2, use_ema=True)"),
    ("Adam", "dict(learning_rate=schedule.CosineDecay(0.0, 9, warmup_target=0.1, warmup_steps=4))"),
    ("AdamW", "dict(learning_rate=0.1)"),
    ("AdamW", "dict(learning_rate=0.1, weight_decay=0.2, amsgrad=True, global_clipnorm=1.0)"),
    ("AdamW", "dict(learning_rate=0.1, use_ema=True, ema_overwrite_frequency=5)"),
    ("RMSprop", "dict()"),
    ("RMSprop", "dict(learning_rate=0.1, rho=0.8, epsilon=1e-3)"),
    ("RMSprop", "dict(learning_rate=0.1, momentum=0.5)"),
    ("RMSprop", "dict(learning_rate=0.1, centered=True, epsilon=1e-2)"),
    ("RMSprop", "dict(learning_rate=0.1, centered=True, momentum=0.9, epsilon=1e-2)"),
    ("RMSprop", "dict(learning_rate=0.1, weight_decay=0.1, gradient_accumulation_steps=2)"),
    ("Adagrad", "dict(learning_rate=0.1)"),
    ("Adagrad", "dict(learning_rate=0.1, initial_accumulator_value=0.5, epsilon=0.1)"),
    ("Adadelta", "dict(learning_rate=1.0)"),
    ("Adadelta", "dict(learning_rate=1.0, rho=0.8, epsilon=1e-3, weight_decay=0.01)"),
    ("Adamax", "dict(learning_rate=0.1)"),
    ("Adamax", "dict(learning_rate=0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-3)"),
    ("Nadam", "dict(learning_rate=0.1)"),
    ("Nadam", "dict(learning_rate=0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-3)"),
    ("Nadam", "dict(learning_rate=0.1, gradient_accumulation_steps=2)"),
    ("Lion", "dict(learning_rate=0.1)"),
    ("Lion", "dict(learning_rate=0.1, beta_1=0.5, beta_2=0.8, clipnorm=1.0)"),
    ("Lamb", "dict(learning_rate=0.1)"),
    ("Lamb", "dict(learning_rate=0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-3, weight_decay=0.1)"),
    ("Ftrl", "dict(learning_rate=0.1)"),
    (
        "Ftrl",
        "dict(learning_rate=0.1, learning_rate_power=-0.7, initial_accumulator_value=0.2, "
        "beta=0.3, l1_regularization_strength=0.1, l2_regularization_strength=0.2, "
        "l2_shrinkage_regularization_strength=0.05)",
    ),
    ("Adafactor", "dict(learning_rate=0.1)"),
    (
        "Adafactor",
        "dict(learning_rate=0.5, beta_2_decay=-0.5, epsilon_1=1e-3, epsilon_2=0.5, "
        "clip_threshold=0.7, relative_step=False)",
    ),
    ("Muon", "dict(learning_rate=0.1)"),
    ("Muon", "dict(learning_rate=0.1, exclude_layers=['kern'], adam_weight_decay=0.1)"),
    (
        "Muon",
        "dict(learning_rate=0.1, nesterov=False, rms_rate=None, momentum=0.5, ns_steps=3, "
        "weight_decay=None, adam_weight_decay=None, adam_lr_ratio=0.5, adam_beta_1=0.8, "
        "adam_beta_2=0.9, muon_a=2.0, muon_b=-1.5, muon_c=0.5, epsilon=1e-3, clipnorm=1.0)",
    ),
    ("ScheduleFreeAdamW", "dict(learning_rate=0.1)"),
    (
        "ScheduleFreeAdamW",
        "dict(learning_rate=0.1, beta_1=0.7, beta_2=0.9, epsilon=1e-3, warmup_steps=5, "
        "weight_decay=0.1, gradient_accumulation_steps=2)",
    ),
    (
        "MultiOptimizer",
        "dict(optimizer_map=kind.OptimizerMap(kind.SGD(0.1, momentum=0.5), "
        "{'bi.*': kind.Adam(0.2), 'gamma': kind.RMSprop(0.1)}))",
    ),
    (
        "MultiOptimizer",
        "dict(optimizer_map=kind.OptimizerMap(kind.SGD(0.1, use_ema=True, ema_momentum=0.5)), "
        "loss_scale_factor=4.0, name='mine')",
    ),
    (
        "LossScaleOptimizer",
        "dict(inner_optimizer=kind.Adam(0.1), initial_scale=4.0, dynamic_growth_steps=6)",
    ),
]


def test_every_exported_optimizer_has_a_case() -> None:
    exported = {
        name
        for name in optimizers.__all__
        if isinstance(getattr(optimizers, name), type)
        if name not in ("Optimizer", "OptimizerMap")
    }
    assert exported == {kind for kind, _ in CASES}


@pytest.mark.parametrize(("kind", "arguments"), CASES)
def test_20_steps_are_those_of_keras(oracle: Any, kind: str, arguments: str) -> None:
    weights, grads = runs.problem()
    expected = oracle.run(
        runs.KERAS, kind=kind, arguments=arguments, weights=weights, grads=grads, names=runs.NAMES
    )
    found = runs.run(runs.make(kind, arguments))
    for key in ("names", "paths", "dtypes", "config", "iterations"):
        assert found[key] == expected[key], key
    # Keras corrects Adam's bias in float32, which is off by 1e-5 of the first steps.
    assert runs.largest_difference(found["trace"], expected["trace"]) < 2e-5
    assert runs.largest_difference(found["state"], expected["state"]) < 2e-5
    assert runs.largest_difference(found["final"], expected["final"]) < 2e-5


@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop"])
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_dtypes(oracle: Any, kind: str, dtype: str) -> None:
    weights, grads = runs.problem(5, dtype)
    arguments = (
        "dict(learning_rate=0.0625, epsilon=1e-3)" if kind != "SGD" else "dict(momentum=0.5)"
    )
    code = (
        "jax.config.update('jax_enable_x64', True)\n"
        + runs.KERAS.replace("keras.Variable(w,", "keras.Variable(w, dtype=str(w.dtype),")
        + "\njax.config.update('jax_enable_x64', False)"
    )
    expected = oracle.run(
        code, kind=kind, arguments=arguments, weights=weights, grads=grads, names=runs.NAMES
    )
    found = runs.run(runs.make(kind, arguments), 5, dtype)
    assert found["dtypes"][2:] == expected["dtypes"][2:]
    assert found["trace"][0][0].dtype == dtype
    tolerance = 1e-2 if dtype == "float16" else 1e-7
    assert runs.largest_difference(found["trace"], expected["trace"]) < tolerance


@pytest.mark.parametrize(("kind", "arguments"), [case for case in CASES if "ema" not in case[1]])
def test_numpy_and_compiled_kernels_agree(kind: str, arguments: str) -> None:
    traces = []
    for backend in ("numpy", "numba_cpu"):
        with registry.use_backend(backend):
            traces.append(runs.run(runs.make(kind, arguments))["trace"])
    assert runs.largest_difference(*traces) < 1e-5


@pytest.mark.parametrize(("kind", "arguments"), CASES)
def test_the_backend_may_change_between_steps(kind: str, arguments: str) -> None:
    with registry.use_backend("numpy"):
        expected = runs.run(runs.make(kind, arguments))
    optimizer = runs.make(kind, arguments)
    apply = optimizer.apply

    def alternating(grads: Any, variables: Any) -> None:
        with registry.use_backend(("numpy", "numba_cpu")[int(optimizer._iterations) % 2]):
            apply(grads, variables)

    optimizer.apply = alternating  # type: ignore[method-assign]
    found = runs.run(optimizer)
    assert runs.largest_difference(found["trace"], expected["trace"]) < 1e-5
    assert found["iterations"] == expected["iterations"]
    np.testing.assert_allclose(found["state"][-1], expected["state"][-1], atol=1e-5)
