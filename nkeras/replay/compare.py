"""Whether two recordings of one step are the same; only then is a plan made of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nkeras.backend.protocol import Array
from nkeras.core.host import Live
from nkeras.replay.graph import Call, Graph, Host, Loop

ToNumpy = Callable[[Array], np.ndarray]


def differences(first: Graph, second: Graph, to_numpy: ToNumpy) -> str | None:
    """Why two recordings of one step are not the same; None where they are.

    What Python counts, draws or carries over from step to step shows here.
    """
    if len(first.values) != len(second.values) or len(first.steps) != len(second.steps):
        return "two steps differ in their operations"
    for value, other in zip(first.values, second.values, strict=True):
        if value[:1] + value[2:] != other[:1] + other[2:]:
            return "two steps differ in their arrays"
        if value.kind == "variable" and value.source is not other.source:
            return "two steps differ in their variables"
        if value.kind == "constant" and not _equal(value.source, other.source, to_numpy):
            return "a constant changes from step to step"
    for step, again in zip(first.steps, second.steps, strict=True):
        if isinstance(step, Call) and isinstance(again, Call):
            if (step.name, step.inputs, step.outputs) != (again.name, again.inputs, again.outputs):
                return f"two steps differ in an operation: {step.name}, {again.name}"
            if not _same_static(step.static, again.static):
                return f"an argument of {step.name} changes from step to step"
        elif isinstance(step, Loop) and isinstance(again, Loop):
            if step._replace(body=again.body) != again:
                return "two steps differ in a loop"
            found = differences(step.body, again.body, to_numpy)
            if found is not None:
                return found
        elif type(step) is not type(again) or step.inputs != again.inputs:
            return "two steps differ in what the host does"
        elif isinstance(step, Host) and isinstance(again, Host):
            if repr(step.numbers) != repr(again.numbers):
                return "a number of the host changes from step to step"
    if list(first.assigned.items()) != list(second.assigned.items()):
        return "two steps differ in what they assign"
    return None if first.outputs == second.outputs else "two steps differ in their outputs"


def _equal(value: Array, other: Array, to_numpy: ToNumpy) -> bool:
    return value is other or to_numpy(value).tobytes() == to_numpy(other).tobytes()


def _same_static(static: dict[str, object], other: dict[str, object]) -> bool:
    return static.keys() == other.keys() and all(
        type(value) is type(other[name]) and (type(value) is Live or value == other[name])
        for name, value in static.items()
    )
