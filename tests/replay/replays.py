"""Steps that are replayed beside steps that run as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nkeras

needs_plans = pytest.mark.skipif(
    nkeras.backends().get("numba_cpu") not in ("active", "available"), reason="plans need numba_cpu"
)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Random numbers of a normal distribution."""
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def both_ways(make: Callable[[], Any], use: Callable[[Any], Any], **compiled: Any) -> Any:
    """Compare what `use(model)` returns and all variables; returns the planned model."""
    found = []
    for eagerly in (True, False):
        nkeras.utils.set_random_seed(3)
        model = make()
        model.run_eagerly = eagerly
        if compiled:
            given = {
                name: value() if callable(value) else value for name, value in compiled.items()
            }
            model.compile(**given, run_eagerly=eagerly)
        result = use(model)
        state = [*model.variables, *(model.optimizer.variables if model.optimizer else ())]
        found.append((result, [one.numpy() for one in state], model))
    (expected, weights, _), (result, state, model) = found
    for weight, other in zip([*expected, *weights], [*result, *state], strict=True):
        np.testing.assert_array_equal(weight, other)
    return model


def reasons(model: Any) -> list[str]:
    """Why steps of a model are not planned."""
    return list(model._plans.refusals().values())


def planned_kinds(model: Any) -> set[str]:
    """The kinds of steps that have a plan."""
    return {key[0] for key, entry in model._plans._entries.items() if entry.plan}
