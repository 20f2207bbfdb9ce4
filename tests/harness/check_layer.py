"""What holds for every layer, from one call: after Keras' `run_layer_test`."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.core import dtypes, tree
from nkeras.core.configurable import argument_names
from nkeras.core.graph import KerasTensor
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from nkeras.layers import InputSpec
from tests.harness.check_parity import call, inputs_of, make, weights_for

# Policies, float64 first, and how much half a unit in the last place is.
ROUNDINGS = {"float64": 0.0, "float32": 2.0**-24, "float16": 2.0**-11, "mixed_bfloat16": 2.0**-8}


def check(case: Any) -> None:
    """Build, config, copies, shapes, dtypes, backends, gradients, a training step, wrong ranks."""
    with nkeras.use_backend("numpy"):
        layer = make(case)
        inputs = inputs_of(case)
        call(case, layer, inputs)
        assert layer.built
        layer.set_weights(weights_for(layer))
        outputs = call(case, layer, inputs)
        _check_config(case, layer, inputs, outputs)
        _check_copies(case, layer, inputs, outputs)
        _check_symbolic(case, outputs)
        _check_dtypes(case)
        _check_training(case, layer, inputs)
        _check_rank(case, layer)
    check_backend(case)


def _check_config(case: Any, layer: Any, inputs: list[Any], outputs: Any) -> None:
    described = json.loads(json.dumps(serialize_keras_object(layer)))
    for twin in (type(layer).from_config(layer.get_config()), deserialize_keras_object(described)):
        call(case, twin, inputs)
        twin.set_weights(layer.get_weights())
        found = call(case, twin, inputs)
        for one, other in zip(tree.flatten(found), tree.flatten(outputs), strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())
        assert json.loads(json.dumps(serialize_keras_object(twin)))["config"] == described["config"]


def _check_copies(case: Any, layer: Any, inputs: list[Any], outputs: Any) -> None:
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert [one.path for one in twin.variables] == [one.path for one in layer.variables]
        assert not {id(one) for one in twin.variables} & {id(one) for one in layer.variables}
        found = call(case, twin, inputs)
        for one, other in zip(tree.flatten(found), tree.flatten(outputs), strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def _check_symbolic(case: Any, outputs: Any) -> None:
    shapes = [one.shape for one in tree.flatten(outputs)]
    symbols = [nkeras.Input(array.shape[1:], dtype=case.dtype) for array in case.arrays()]
    found = tree.flatten(call(case, make(case), symbols))
    assert all(isinstance(one, KerasTensor) for one in found)
    assert [one.shape for one in found] == [(None, *shape[1:]) for shape in shapes]
    fixed = [KerasTensor(array.shape, case.dtype) for array in case.arrays()]
    assert [one.shape for one in tree.flatten(call(case, make(case), fixed))] == shapes


def _check_dtypes(case: Any) -> None:
    """Dtypes follow the policy, and numbers are those of float64 within some roundings."""
    if case.layer.startswith("Spatial") and "dtype" in case.options:
        return
    if "dtype" not in argument_names(getattr(nkeras.layers, case.layer)):
        return
    exact: list[np.ndarray] = []
    for name, rounding in ROUNDINGS.items():
        policy = nkeras.DTypePolicy(name)
        before = nkeras.config.dtype_policy()
        nkeras.config.set_dtype_policy(policy)  # for layers inside
        try:
            layer = make(case, dtype=name)
        finally:
            nkeras.config.set_dtype_policy(before)
        call(case, layer, inputs_of(case))
        layer.set_weights(weights_for(layer))
        outputs = tree.flatten(call(case, layer, inputs_of(case)))
        for output in outputs:
            assert output.dtype == policy.compute_dtype
        for variable in filter(_is_floating, layer.weights):
            of_lora = variable.name.startswith("lora_")  # which Keras keeps in float32
            assert variable.dtype == ("float32" if of_lora else policy.variable_dtype)
        found = [output.numpy().astype("float64") for output in outputs]
        exact = exact or found
        for one, wanted in zip(found, exact, strict=True):
            largest = max(1e-30, np.abs(wanted).max(initial=0.0))
            np.testing.assert_allclose(one, wanted, rtol=0.0, atol=16 * rounding * largest)


def _is_floating(variable: Any) -> bool:
    return dtypes.is_floating(variable.dtype)


def _check_training(case: Any, layer: Any, inputs: list[Any]) -> None:
    variables = layer.trainable_variables
    if not variables:
        return
    before = [variable.numpy() for variable in variables]
    with nkeras.GradientTape() as tape:
        outputs = tree.flatten(call(case, layer, inputs, training=True))
        targets = [
            nkeras.ops.ones_like(one) * np.linspace(0.0, 3.0, one.shape[-1]) for one in outputs
        ]
        loss = sum(
            nkeras.ops.mean(nkeras.ops.square(one - target))
            for one, target in zip(outputs, targets, strict=True)
        )
    grads = tape.gradient(loss, variables)
    for variable, grad in zip(variables, grads, strict=True):
        assert grad is not None, variable.path
        assert grad.shape == variable.shape
        variable.assign_sub(grad * 0.01)
    assert any((v.numpy() != old).any() for v, old in zip(variables, before, strict=True))


def _check_rank(case: Any, layer: Any) -> None:
    spec = layer.input_spec
    if case.arguments or not isinstance(spec, InputSpec) or spec.ndim is None:
        return
    wrong = np.ones((*case.arrays()[0].shape, 2), "float32")
    with pytest.raises(ValueError, match=layer.name):
        layer(wrong)


def check_backend(case: Any, other: str = "numba_cpu") -> None:
    """Values and gradients on a backend are those on numpy, with the same weights and seeds."""
    results = []
    for name in ("numpy", other):
        nkeras.utils.set_random_seed(5)
        with nkeras.use_backend(name):
            layer = make(case)
            inputs = inputs_of(case)
            call(case, layer, inputs)
            layer.set_weights(weights_for(layer))
            sources = inputs if case.below is None else []
            with nkeras.GradientTape() as tape:
                for source in sources:
                    tape.watch(source)
                outputs = tree.flatten(call(case, layer, inputs, training=True))
                loss = sum(nkeras.ops.sum(nkeras.ops.square(one)) for one in outputs)
            found = [*outputs, *tape.gradient(loss, [*sources, *layer.trainable_variables])]
            results.append([None if item is None else item.numpy() for item in found])
    # Where large numbers cancel, a small one is as wrong as they are.
    largest = max(np.max(np.abs(one), initial=0.0) for one in results[0] if one is not None)
    for mine, reference in zip(results[1], results[0], strict=True):
        assert (mine is None) == (reference is None)
        if mine is not None:
            tolerance = max(1e-4, 1e-5 * largest)
            np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=tolerance)
