"""dtype policies: names, configurations, and one for each layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import dtype_policies
from tests.harness import oracle

POLICIES = """
p = keras.dtype_policies
made = [
    p.DTypePolicy("float32"),
    p.FloatDTypePolicy("mixed_float16"),
    p.get("mixed_bfloat16"),
    p.get(None),
    p.get("float16"),
    p.QuantizedDTypePolicy("int8"),
    p.QuantizedDTypePolicy("int8", "mixed_bfloat16"),
    p.get("int8_from_float32"),
    p.get(p.serialize(p.QuantizedDTypePolicy("int8", "bfloat16"))),
    p.DTypePolicyMap(),
    p.DTypePolicyMap("float16", {"a/b": p.DTypePolicy("bfloat16")}),
    p.DTypePolicyMap(p.DTypePolicy("mixed_float16"), {"a/.*": p.QuantizedDTypePolicy("int8")}),
    p.DTypePolicyMap(None, {"a/.*": p.DTypePolicy("float32")}),
]
result = [
    {
        "name": policy.name,
        "dtypes": (policy.compute_dtype, policy.variable_dtype),
        "mode": policy.quantization_mode,
        "config": p.serialize(policy),
        "repr": "" if "Map" in type(policy).__name__ else repr(policy),
        "same": [policy == other for other in made[:9]],
    }
    for policy in made
]
"""


@oracle.requires_keras
def test_policies_are_those_of_keras() -> None:
    names: dict[str, Any] = {"keras": nkeras}
    exec(POLICIES, names)
    for ours, theirs in zip(names["result"], oracle.run(POLICIES), strict=True):
        theirs["dtypes"] = tuple(theirs["dtypes"])
        assert ours == theirs
        again = dtype_policies.deserialize(theirs["config"])
        assert again.name == theirs["name"]
        assert nkeras.utils.deserialize_keras_object(theirs["config"]).name == theirs["name"]
    for policy in names["made"]:
        config = dtype_policies.serialize(policy)
        assert nkeras.utils.serialize_keras_object(policy) == config


def test_a_map_is_a_dict_of_patterns() -> None:
    policies = dtype_policies.DTypePolicyMap("float32")
    policies["model/dense"] = "bfloat16"
    policies["model/encoder/.*"] = "float16"
    policies["model/encoder/attention/.*"] = "float64"
    assert policies["model/dense"].name == "bfloat16"
    assert policies["model/encoder/norm"].name == "float16"
    assert policies["model/encoder"].name == policies["other"].name == "float32"
    with pytest.raises(ValueError, match="matches multiple dtype policy"):
        policies["model/encoder/attention/query"]
    with pytest.raises(ValueError, match="'model/dense' already exist"):
        policies["model/dense"] = "float32"
    with pytest.raises(ValueError, match="Cannot interpret the assigned value"):
        policies["x"] = 123
    del policies["model/dense"]
    assert list(policies) == ["model/encoder/.*", "model/encoder/attention/.*"]
    assert len(policies) == 2
    assert "model/dense" not in policies
    with pytest.raises(TypeError, match="`policy_map` must be a dict"):
        dtype_policies.DTypePolicyMap(policy_map=[1])  # pyright: ignore[reportArgumentType]


def test_layers_take_the_policy_of_their_path() -> None:
    policies = dtype_policies.DTypePolicyMap("float32", {"second": nkeras.DTypePolicy("float16")})
    first = nkeras.layers.Dense(2, dtype=policies, name="first")
    second = nkeras.layers.Dense(2, dtype=policies, name="second")
    x = np.ones((1, 3), "float32")
    assert first(x).dtype == "float32"
    assert second(x).dtype == "float16"
    assert second.kernel.dtype == "float16"
    again = nkeras.layers.Dense.from_config(second.get_config())
    assert again(x).dtype == "float16"


@pytest.mark.parametrize("mode", ["int4", "int4/128", "float8", "gptq/4/128", "awq/4/128"])
def test_other_quantizations_are_refused(mode: str) -> None:
    with pytest.raises(ValueError, match=f"Received: '{mode}'"):
        dtype_policies.QuantizedDTypePolicy(mode)
    with pytest.raises(ValueError, match=r"no kernels for int4, float8, GPTQ and AWQ"):
        dtype_policies.get(f"{mode}_from_float32")


def test_what_quantizes_to_int8() -> None:
    with pytest.raises(ValueError, match="does not compute in float16"):
        dtype_policies.QuantizedDTypePolicy("int8", "mixed_float16")
    with pytest.raises(ValueError, match="one of DTypePolicy"):
        dtype_policies.get({"class_name": "GPTQDTypePolicy", "config": {"mode": "gptq/4/128"}})
    with pytest.raises(AttributeError, match="GPTQDTypePolicy"):
        dtype_policies.GPTQDTypePolicy  # noqa: B018


def test_names_of_keras_2() -> None:
    from nkeras import mixed_precision

    try:
        mixed_precision.set_global_policy("mixed_bfloat16")
        assert mixed_precision.global_policy() == mixed_precision.Policy("mixed_bfloat16")
        assert nkeras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        mixed_precision.set_dtype_policy("float32")
    assert mixed_precision.LossScaleOptimizer is nkeras.optimizers.LossScaleOptimizer
