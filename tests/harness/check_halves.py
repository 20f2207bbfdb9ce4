"""A layer in half types against the same layer in Keras: predictions, within some roundings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import nkeras
from nkeras.core import tree
from tests.harness import check_parity, oracle
from tests.harness.check_layer import ROUNDINGS

_MOST_ROUNDINGS = 40  # Keras rounds behind each operation, nkeras behind the last one

_IN_KERAS = (
    check_parity.IN_KERAS.partition("def answer(case):")[0]
    + """
def answer(case):
    keras.utils.clear_session(free_memory=False)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        layer = getattr(keras.layers, case["layer"])(
            **{name: made(value) for name, value in case["options"].items()})
        arguments, named = passed(case, case["arrays"])
        if case["training"]:
            named["training"] = False
        layer(*arguments, **named)
        layer.set_weights(case["weights"])
        for one in layer._flatten_layers():
            if hasattr(one, "finalize_state"):  # what was learned from data is copied from weights
                one.finalize_state()
        outputs = keras.tree.flatten(layer(*arguments, **named))
        return [(keras.backend.standardize_dtype(y.dtype), ops.cast(y, "float32")) for y in outputs]
    finally:
        keras.config.set_dtype_policy(before)

result = [answer(case) for case in cases]
"""
)


def ask(cases: Sequence[Any], policy: str) -> list[Any]:
    """Keras' outputs in the policy, as dtypes and float32 numbers."""
    questions = []
    with nkeras.use_backend("numpy"):
        for case in cases:
            layer = check_parity.make(case)
            check_parity.call(case, layer, check_parity.inputs_of(case))
            questions.append(
                {
                    "layer": case.layer,
                    "options": case.options,
                    "arrays": case.arrays(),
                    "masks": case.masks(),
                    "call": case.call,
                    "arguments": case.arguments,
                    "training": check_parity.has_training(layer) and case.layer != "Dense",
                    "weights": check_parity.weights_for(layer),
                }
            )
    answers = []
    for start in range(0, len(questions), 24):  # the oracle has a time limit for each call
        some = questions[start : start + 24]
        answers += oracle.run(_IN_KERAS, cases=some, policy=policy)
    return answers


def compare(case: Any, policy: str, answer: Sequence[Any]) -> float:
    """Assert that nkeras gives what Keras gave; the largest difference, in roundings."""
    before = nkeras.config.dtype_policy()
    nkeras.config.set_dtype_policy(policy)
    try:
        layer = check_parity.make(case)
        named = {"training": False} if check_parity.has_training(layer) else {}
        check_parity.call(case, layer, check_parity.inputs_of(case), **named)
        layer.set_weights(check_parity.weights_for(layer))
        outputs = check_parity.call(case, layer, check_parity.inputs_of(case), **named)
    finally:
        nkeras.config.set_dtype_policy(before)
    rounding = ROUNDINGS[policy]
    worst = 0.0
    for output, (dtype, expected) in zip(tree.flatten(outputs), answer, strict=True):
        assert output.dtype == dtype, case
        found = output.numpy().astype("float32")
        largest = max(1e-30, float(np.abs(expected).max(initial=0.0)))
        far = float(np.abs(found - expected).max(initial=0.0)) / (rounding * largest)
        worst = max(worst, far)
    assert worst <= _MOST_ROUNDINGS, f"{case}: {worst:.0f} roundings"
    return worst
