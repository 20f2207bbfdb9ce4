"""Every metric with many arguments: results and state on numba_cuda are those on numpy."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from nkeras import metrics
from tests.metrics.metric_cases import CASES, Case, batches
from tests.strict.comparing import compare


@pytest.mark.parametrize("case", CASES)
def test_metric(case: Case) -> None:
    compare(lambda: results(case))


def results(case: Case) -> list[Any]:
    """What a metric says after each batch, and its variables at the end, also of a copy."""
    metric = getattr(metrics, case.cls)(**case.arguments)
    found = []
    for arguments, weight in batches(case):
        named = {} if weight is None else {"sample_weight": weight}
        metric.update_state(*arguments, **named)
        found.append(metric.result())
        metric = pickle.loads(pickle.dumps(metric))
    return [*found, metric.result(), *metric.variables]
