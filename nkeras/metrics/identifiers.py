"""Metrics by name: get, serialize and deserialize."""

from __future__ import annotations

from typing import Any

from nkeras.core import naming
from nkeras.core.families import Family, classes_in
from nkeras.metrics import (
    accuracy,
    auc,
    confusion,
    correlation,
    f_score,
    four_counts,
    iou,
    margin,
    metric,
    probabilistic,
    r2_score,
    reduction,
    regression,
)

_MODULES = (
    *(accuracy, auc, confusion, correlation, f_score, four_counts, iou, margin, metric),
    *(probabilistic, r2_score, reduction, regression),
)
CLASSES = classes_in(_MODULES, metric.Metric)
_SHORT = {
    "bce": probabilistic.BinaryCrossentropy,
    "mae": regression.MeanAbsoluteError,
    "mape": regression.MeanAbsolutePercentageError,
    "mse": regression.MeanSquaredError,
    "msle": regression.MeanSquaredLogarithmicError,
}
TABLE: dict[str, Any] = {
    **CLASSES,
    **{naming.to_snake_case(name): cls for name, cls in CLASSES.items()},
    **_SHORT,
    **{name.upper(): cls for name, cls in _SHORT.items()},
}


_family = Family("metric", TABLE, metric.Metric)
get = _family.get
serialize = _family.serialize
deserialize = _family.deserialize
