"""Metrics by name: get, serialize and deserialize."""

from __future__ import annotations

from typing import Any

from nkeras.core import naming
from nkeras.core.serialization import Family, resolve
from nkeras.losses.identifiers import FUNCTIONS as LOSS_FUNCTIONS
from nkeras.losses.identifiers import TABLE as LOSSES
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
    reduction,
    regression,
)

CLASSES = (
    metric.Metric,
    reduction.Mean,
    reduction.MeanMetricWrapper,
    reduction.Sum,
    accuracy.Accuracy,
    accuracy.BinaryAccuracy,
    accuracy.CategoricalAccuracy,
    accuracy.SparseCategoricalAccuracy,
    accuracy.SparseTopKCategoricalAccuracy,
    accuracy.TopKCategoricalAccuracy,
    auc.AUC,
    confusion.FalseNegatives,
    confusion.FalsePositives,
    confusion.Precision,
    confusion.Recall,
    confusion.TrueNegatives,
    confusion.TruePositives,
    correlation.ConcordanceCorrelation,
    correlation.PearsonCorrelation,
    f_score.F1Score,
    f_score.FBetaScore,
    four_counts.PrecisionAtRecall,
    four_counts.RecallAtPrecision,
    four_counts.SensitivityAtSpecificity,
    four_counts.SpecificityAtSensitivity,
    iou.BinaryIoU,
    iou.IoU,
    iou.MeanIoU,
    iou.OneHotIoU,
    iou.OneHotMeanIoU,
    margin.CategoricalHinge,
    margin.Hinge,
    margin.SquaredHinge,
    probabilistic.BinaryCrossentropy,
    probabilistic.CategoricalCrossentropy,
    probabilistic.KLDivergence,
    probabilistic.Poisson,
    probabilistic.SparseCategoricalCrossentropy,
    regression.CosineSimilarity,
    regression.LogCoshError,
    regression.MeanAbsoluteError,
    regression.MeanAbsolutePercentageError,
    regression.MeanSquaredError,
    regression.MeanSquaredLogarithmicError,
    regression.RootMeanSquaredError,
)
FUNCTIONS = (
    accuracy.accuracy,
    accuracy.binary_accuracy,
    accuracy.categorical_accuracy,
    accuracy.sparse_categorical_accuracy,
    accuracy.sparse_top_k_categorical_accuracy,
    accuracy.top_k_categorical_accuracy,
    correlation.concordance_correlation,
    correlation.pearson_correlation,
    *LOSS_FUNCTIONS,
)
_SHORT = {
    "bce": probabilistic.BinaryCrossentropy,
    "mae": regression.MeanAbsoluteError,
    "mape": regression.MeanAbsolutePercentageError,
    "mse": regression.MeanSquaredError,
    "msle": regression.MeanSquaredLogarithmicError,
}
TABLE: dict[str, Any] = {
    **{one.__name__: one for one in CLASSES},
    **{naming.to_snake_case(one.__name__): one for one in CLASSES},
    **_SHORT,
    **{name.upper(): one for name, one in _SHORT.items()},
}


def function(name: str) -> Any:
    """The metric or loss function of that name.

    Raises:
        ValueError: there is none.
    """
    table = {**LOSSES, **{one.__name__: one for one in FUNCTIONS}}
    return resolve(name, table, "metric function")


_family = Family("metric", TABLE, metric.Metric)
get = _family.get
serialize = _family.serialize
deserialize = _family.deserialize
