"""What holds for every layer, from one call: after Keras' `run_layer_test`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.core import tree
from nkeras.core.graph import KerasTensor
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from tests.harness.check_parity import inputs_of, make, weights_for

POLICIES = ("float64", "float16", "mixed_bfloat16")


def check(case: Any) -> None:
    """Build, config, shapes, dtypes, backends, gradients, a training step, wrong ranks."""
    with nkeras.use_backend("numpy"):
        layer = make(case)
        inputs = inputs_of(case)
        outputs = layer(inputs)
        assert layer.built
        layer.set_weights(weights_for(layer))
        outputs = layer(inputs).numpy()
        _check_config(layer, inputs, outputs)
        _check_symbolic(case, outputs.shape)
        _check_dtypes(case)
        _check_training(layer, inputs)
        _check_rank(case, layer)
    _check_backends(case)


def _check_config(layer: Any, inputs: Any, outputs: np.ndarray) -> None:
    described = json.loads(json.dumps(serialize_keras_object(layer)))
    for twin in (type(layer).from_config(layer.get_config()), deserialize_keras_object(described)):
        twin(inputs)
        twin.set_weights(layer.get_weights())
        np.testing.assert_array_equal(twin(inputs).numpy(), outputs)
        assert json.loads(json.dumps(serialize_keras_object(twin)))["config"] == described["config"]


def _check_symbolic(case: Any, shape: tuple[int, ...]) -> None:
    symbols = [nkeras.Input(array.shape[1:]) for array in case.arrays()]
    layer = make(case)
    output = layer(symbols[0] if len(symbols) == 1 else symbols)
    assert isinstance(output, KerasTensor)
    assert output.shape == (None, *shape[1:])
    fixed = [KerasTensor(array.shape) for array in case.arrays()]
    assert layer(fixed[0] if len(fixed) == 1 else fixed).shape == shape


def _check_dtypes(case: Any) -> None:
    if case.layer.startswith("Spatial") and "dtype" in case.options:
        return
    for name in POLICIES:
        layer = make(case, dtype=name)
        policy = nkeras.DTypePolicy(name)
        outputs = layer(inputs_of(case))
        assert outputs.dtype == policy.compute_dtype
        for variable in layer.weights:
            assert variable.dtype == policy.variable_dtype
        assert np.isfinite(outputs.numpy().astype("float32")).all()


def _check_training(layer: Any, inputs: Any) -> None:
    variables = layer.trainable_variables
    if not variables:
        return
    before = [variable.numpy() for variable in variables]
    with nkeras.GradientTape() as tape:
        outputs = layer(inputs, training=True)
        target = nkeras.ops.ones_like(outputs) * np.linspace(0.0, 3.0, outputs.shape[-1])
        loss = nkeras.ops.mean(nkeras.ops.square(outputs - target))
    grads = tape.gradient(loss, variables)
    for variable, grad in zip(variables, grads, strict=True):
        assert grad is not None, variable.path
        assert grad.shape == variable.shape
        variable.assign_sub(grad * 0.01)
    assert any((v.numpy() != old).any() for v, old in zip(variables, before, strict=True))


def _check_rank(case: Any, layer: Any) -> None:
    spec = layer.input_spec
    if spec is None or spec.ndim is None:
        return
    wrong = np.ones((*case.arrays()[0].shape, 2), "float32")
    with pytest.raises(ValueError, match=layer.name):
        layer(wrong)


def _check_backends(case: Any) -> None:
    """Values and gradients on numba_cpu are those on numpy, with the same weights and seeds."""
    results = []
    for name in ("numpy", "numba_cpu"):
        nkeras.utils.set_random_seed(5)
        with nkeras.use_backend(name):
            layer = make(case)
            inputs = inputs_of(case)
            layer(inputs)
            layer.set_weights(weights_for(layer))
            sources = tree.flatten(inputs)
            with nkeras.GradientTape() as tape:
                for source in sources:
                    tape.watch(source)
                outputs = layer(inputs, training=True)
                loss = nkeras.ops.sum(nkeras.ops.square(outputs))
            found = [outputs, *tape.gradient(loss, [*sources, *layer.trainable_variables])]
            results.append([None if item is None else item.numpy() for item in found])
    for mine, reference in zip(results[1], results[0], strict=True):
        assert (mine is None) == (reference is None)
        if mine is not None:
            np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=1e-4)
