"""Every loss with many arguments: values and gradients on numba_cuda are those on numpy."""

from __future__ import annotations

from typing import Any

import pytest

import nkeras
from nkeras import losses
from tests.losses.loss_cases import CASES, Case, inputs, weights
from tests.strict.comparing import compare


@pytest.mark.parametrize("case", CASES)
def test_loss(case: Case) -> None:
    compare(lambda: results(case))


def results(case: Case) -> list[Any]:
    """Losses with each kind of weights, and the gradient by the predictions."""
    loss = getattr(losses, case.cls)(**case.arguments, reduction="none")
    y_true, y_pred = inputs(case.kind)
    found = []
    shape = loss(y_true, y_pred).shape
    for weight in weights(shape).values():
        prediction = nkeras.ops.convert_to_tensor(y_pred)
        with nkeras.GradientTape() as tape:
            tape.watch(prediction)
            value = loss(y_true, prediction, sample_weight=weight)
            total = nkeras.ops.sum(value)
        found += [value, tape.gradient(total, prediction)]
    return found
