"""The same training steps in nkeras and in real Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras import optimizers
from nkeras.core.variable import Variable

SHAPES = ((3, 4), (4,), (2, 1, 3))
NAMES = ("kernel", "bias", "gamma")

KERAS = """
schedule = keras.optimizers.schedules
variables = [keras.Variable(w, name=n) for w, n in zip(weights, names)]
known = {"schedule": schedule, "kind": keras.optimizers}
optimizer = getattr(keras.optimizers, kind)(**eval(arguments, known))
trace = []
for step in grads:
    with jax.disable_jit():  # a traced cond would be compiled anew at each step
        optimizer.apply([ops.convert_to_tensor(g) for g in step], variables)
    trace.append([np.array(v) for v in variables])
result = {
    "trace": trace,
    "state": [np.array(v) for v in optimizer.variables],
    "names": [v.name for v in optimizer.variables],
    "paths": [v.path for v in optimizer.variables],
    "dtypes": [v.dtype for v in optimizer.variables],
    "config": keras.optimizers.serialize(optimizer),
    "iterations": int(optimizer.iterations),
}
optimizer.finalize_variable_values(variables)
result["final"] = [np.array(v) for v in variables]
"""


def problem(
    steps: int = 20, dtype: str = "float32"
) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """First weights, and the gradients of each step."""
    generator = np.random.default_rng(7)
    weights = [generator.normal(size=shape).astype(dtype) for shape in SHAPES]
    grads = [[generator.normal(size=shape).astype(dtype) for shape in SHAPES] for _ in range(steps)]
    return weights, grads


def make(kind: str, arguments: str) -> optimizers.Optimizer:
    """An optimizer; `arguments` is Python text so that Keras can make the same one."""
    names = {"schedule": optimizers.schedules, "kind": optimizers}
    return getattr(optimizers, kind)(**eval(arguments, names))


def run(optimizer: optimizers.Optimizer, steps: int = 20, dtype: str = "float32") -> dict[str, Any]:
    """What `KERAS` does, in nkeras."""
    weights, grads = problem(steps, dtype)
    variables = [Variable(w, name=name) for w, name in zip(weights, NAMES, strict=True)]
    trace = []
    for step in grads:
        optimizer.apply(step, variables)
        trace.append([variable.numpy() for variable in variables])
    result = {
        "trace": trace,
        "state": [variable.numpy() for variable in optimizer.variables],
        "names": [variable.name for variable in optimizer.variables],
        "paths": [variable.path for variable in optimizer.variables],
        "dtypes": [variable.dtype for variable in optimizer.variables],
        "config": optimizers.serialize(optimizer),
        "iterations": int(optimizer.iterations),
    }
    optimizer.finalize_variable_values(variables)
    result["final"] = [variable.numpy() for variable in variables]
    return result


def largest_difference(left: Any, right: Any) -> float:
    """Between two nested lists of arrays; relative where numbers are larger than 1."""
    if isinstance(left, list):
        assert len(left) == len(right)
        return max(largest_difference(*pair) for pair in zip(left, right, strict=True))
    assert left.shape == right.shape
    right = np.asarray(right, "float64")
    return float(np.max(np.abs(left - right) / np.maximum(1.0, np.abs(right))))
