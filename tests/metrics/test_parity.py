"""Every metric against Keras: results after each of three updates, state, configs, signatures."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import metrics, ops
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from tests.metrics import metric_cases

KERAS = """
from keras.src import backend
metric = getattr(keras.metrics, name)(**arguments)
results = []
for inputs, weight in batches:
    inputs = [jnp.asarray(one) for one in inputs]
    if masked:
        backend.set_keras_mask(inputs[-1], jnp.arange(5) % 2 == 0)
    metric.update_state(*inputs, sample_weight=weight)
    results.append(metric.result())
state = [(v.name, v.dtype, np.asarray(v.value)) for v in metric.variables]
config = metric.get_config()
if config.get("label_weights") is not None:
    config["label_weights"] = np.asarray(config["label_weights"]).tolist()
metric.reset_state()
reset = [np.asarray(v.value) for v in metric.variables]
result = results, state, config, reset, getattr(metric, "_direction", None)
"""


def ours(case: metric_cases.Case) -> tuple[Any, list[Any], list[Any]]:
    """The metric, its results after each batch, and its state."""
    metric = getattr(metrics, case.cls)(**case.arguments)
    results = []
    for inputs, weight in metric_cases.batches(case):
        tensors = [ops.convert_to_tensor(item) for item in inputs]
        if case.kind == "masked":
            tensors[-1]._keras_mask = ops.convert_to_tensor(np.arange(5) % 2 == 0)
        metric.update_state(*tensors, sample_weight=weight)
        results.append(metric.result().numpy())
    return metric, results, [(v.name, v.dtype, v.numpy()) for v in metric.variables]


@pytest.mark.parametrize("case", metric_cases.CASES)
def test_metric_is_keras(case: metric_cases.Case, oracle: Any) -> None:
    expected, state, config, reset, direction = oracle.run(
        KERAS,
        name=case.cls,
        arguments=case.arguments,
        batches=metric_cases.batches(case),
        masked=case.kind == "masked",
    )
    with nkeras.use_backend("numpy"):
        metric, results, found_state = ours(case)
        for found, value in zip(results, expected, strict=True):
            assert (found.shape, found.dtype) == (value.shape, value.dtype)
            np.testing.assert_allclose(found, value, rtol=2e-5, atol=2e-6)
        for (name, dtype, found), (*described, value) in zip(found_state, state, strict=True):
            assert [name, dtype] == described
            np.testing.assert_allclose(found, value, rtol=2e-5, atol=2e-6)
        assert metric.get_config() == config
        assert getattr(metric, "_direction", None) == direction
        metric.reset_state()
        for variable, value in zip(metric.variables, reset, strict=True):
            np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.parametrize("case", metric_cases.CASES)
def test_backends_agree(case: metric_cases.Case) -> None:
    found = {}
    for backend in ("numpy", "numba_cpu"):
        with nkeras.use_backend(backend):
            found[backend] = ours(case)[1]
    for item, other in zip(found["numpy"], found["numba_cpu"], strict=True):
        np.testing.assert_allclose(other, item, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", metric_cases.CASES)
def test_config_round_trip(case: metric_cases.Case) -> None:
    with nkeras.use_backend("numpy"):
        metric, results, _ = ours(case)
        copies = [
            type(metric).from_config(metric.get_config()),
            deserialize_keras_object(serialize_keras_object(metric)),
            metrics.get(metrics.serialize(metric)),
        ]
        for copy in copies:
            assert type(copy) is type(metric)
            assert copy.get_config() == metric.get_config()
            inputs, weight = metric_cases.batches(case)[0]
            if case.kind != "masked":
                np.testing.assert_array_equal(copy(*inputs, sample_weight=weight), results[0])


def exported() -> set[str]:
    """Names of the exported metrics."""
    things = vars(metrics).items()
    return {n for n, one in things if inspect.isclass(one) and issubclass(one, metrics.Metric)}


def test_every_metric_is_in_the_table() -> None:
    covered = {parameters.values[0].cls for parameters in metric_cases.CASES}
    assert exported() - {"Metric", "MeanMetricWrapper"} == covered


def test_signatures_are_keras(oracle: Any) -> None:
    expected = oracle.run(
        """
        import inspect
        result = {}
        for name in names:
            parameters = inspect.signature(getattr(keras.metrics, name).__init__).parameters
            result[name] = [
                (p.name, None if p.default is p.empty else p.default) for p in parameters.values()
            ]
        """,
        names=sorted(exported()),
    )
    for name, parameters in expected.items():
        given = inspect.signature(getattr(metrics, name).__init__).parameters.values()
        found = [(p.name, None if p.default is p.empty else p.default) for p in given]
        assert found == parameters, name


def test_identifiers_are_keras(oracle: Any) -> None:
    known = oracle.run("from keras.src.metrics import ALL_OBJECTS_DICT as d; result = sorted(d)")
    assert set(known) == set(metrics.identifiers.TABLE)


FUNCTIONS = [
    ("binary_accuracy", "binary", {"threshold": 0.3}),
    ("categorical_accuracy", "onehot_steps", {}),
    ("sparse_categorical_accuracy", "sparse_steps", {}),
    ("sparse_categorical_accuracy", "sparse_column", {}),
    ("sparse_categorical_accuracy", "sparse_steps_column", {}),
    ("top_k_categorical_accuracy", "onehot_steps", {"k": 2}),
    ("sparse_top_k_categorical_accuracy", "sparse_steps", {"k": 2}),
    ("sparse_top_k_categorical_accuracy", "sorted_ids", {"k": 2, "from_sorted_ids": True}),
]


@pytest.mark.parametrize(("name", "kind", "arguments"), FUNCTIONS)
def test_function_is_keras(name: str, kind: str, arguments: Any, oracle: Any) -> None:
    inputs = metric_cases.batches(metric_cases.Case("", kind, {}))[0][0]
    code = "result = getattr(keras.metrics, name)(*inputs, **arguments)"
    expected = oracle.run(code, name=name, inputs=inputs, arguments=arguments)
    with nkeras.use_backend("numpy"):
        found = getattr(metrics, name)(*inputs, **arguments).numpy()
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found, expected)


def test_every_accuracy_function_is_held_against_keras() -> None:
    functions = {
        name
        for name, variable in vars(metrics).items()
        if inspect.isfunction(variable) and name.endswith("_accuracy")
    }
    assert functions == {name for name, _, _ in FUNCTIONS}
