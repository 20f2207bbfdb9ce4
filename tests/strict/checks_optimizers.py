"""Every optimizer with many arguments: steps on numba_cuda are those on numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras_numba_cuda.counting import counting
from tests.optimizers import optimizer_runs as runs
from tests.optimizers.test_optimizer_parity import CASES
from tests.strict.comparing import compare

ALL = list({kind: (kind, arguments) for kind, arguments in reversed(CASES)}.values())


@pytest.mark.parametrize(("kind", "arguments"), CASES)
def test_optimizer(kind: str, arguments: str) -> None:
    def results() -> list[Any]:
        found = runs.run(runs.make(kind, arguments), steps=6)
        return [*found["trace"], *found["state"], *found["final"]]

    compare(results)


@pytest.mark.parametrize(("kind", "arguments"), ALL)
def test_a_step_copies_nothing_and_waits_for_nothing(kind: str, arguments: str) -> None:
    weights, grads = runs.problem(3)
    with nkeras.use_backend("numba_cuda"):
        optimizer = runs.make(kind, arguments)
        variables = [nkeras.Variable(weight) for weight in weights]
        for step in grads:
            tensors = [nkeras.ops.convert_to_tensor(grad) for grad in step]
            with counting() as counts:
                optimizer.apply(tensors, variables)
    waits = 1 if kind == "LossScaleOptimizer" else 0  # the host decides whether a step is skipped
    assert not counts.to_device, str(counts)
    assert counts.synchronizations.total() == waits, str(counts)
    assert all(np.isfinite(variable.numpy()).all() for variable in variables)
