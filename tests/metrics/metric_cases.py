"""One table of metrics: class, arguments and kind of batches, shared by the tests here."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest


class Case(NamedTuple):
    """A metric and what it is updated with; `kind` names the maker of the batches."""

    cls: str
    kind: str
    arguments: dict[str, Any]


def _case(cls: str, kind: str, long: bool = False, **arguments: Any) -> Any:
    shown = "-".join(f"{key}={value}" for key, value in arguments.items())
    name = "-".join(filter(None, (cls, kind, shown)))
    marks = [pytest.mark.long] if long else []
    return pytest.param(Case(cls, kind, arguments), id=name, marks=marks)


CASES = [
    _case("Sum", "values"),
    _case("Mean", "values"),
    _case("Mean", "table", long=True),
    _case("Mean", "scalars"),
    _case("Accuracy", "labels"),
    _case("Accuracy", "label_columns", long=True),
    _case("BinaryAccuracy", "binary"),
    _case("BinaryAccuracy", "vector_against_column", threshold=0.3),
    _case("CategoricalAccuracy", "onehot"),
    _case("CategoricalAccuracy", "onehot_steps"),
    _case("SparseCategoricalAccuracy", "sparse"),
    _case("SparseCategoricalAccuracy", "sparse_column"),
    _case("SparseCategoricalAccuracy", "sparse_steps", long=True),
    _case("SparseCategoricalAccuracy", "sparse_steps_column", long=True),
    _case("TopKCategoricalAccuracy", "onehot", k=2),
    _case("TopKCategoricalAccuracy", "onehot_steps", long=True, k=3),
    _case("SparseTopKCategoricalAccuracy", "sparse", k=2),
    _case("SparseTopKCategoricalAccuracy", "sparse_steps", long=True, k=1),
    _case("SparseTopKCategoricalAccuracy", "sorted_ids", k=2, from_sorted_ids=True),
    _case("MeanSquaredError", "real"),
    _case("MeanSquaredError", "masked"),
    _case("RootMeanSquaredError", "real"),
    _case("MeanAbsoluteError", "real"),
    _case("MeanAbsolutePercentageError", "real"),
    _case("MeanSquaredLogarithmicError", "real"),
    _case("CosineSimilarity", "real"),
    _case("LogCoshError", "real"),
    _case("PearsonCorrelation", "real"),
    _case("ConcordanceCorrelation", "real"),
    _case("Hinge", "binary"),
    _case("SquaredHinge", "binary"),
    _case("CategoricalHinge", "onehot"),
    _case("KLDivergence", "distributions"),
    _case("Poisson", "distributions"),
    _case("BinaryCrossentropy", "binary", long=True),
    _case("BinaryCrossentropy", "logits", from_logits=True, label_smoothing=0.1),
    _case("CategoricalCrossentropy", "onehot"),
    _case("CategoricalCrossentropy", "onehot", long=True, from_logits=True, label_smoothing=0.2),
    _case("SparseCategoricalCrossentropy", "sparse"),
    _case("SparseCategoricalCrossentropy", "sparse", from_logits=True, ignore_class=1),
    _case("TruePositives", "binary"),
    _case("TruePositives", "binary", long=True, thresholds=[0.1, 0.5, 0.9]),
    _case("TrueNegatives", "binary", thresholds=[0.0, 0.25, 0.5, 0.75, 1.0]),
    _case("FalsePositives", "binary", long=True),
    _case("FalsePositives", "vector", thresholds=[0.0, 0.5, 1.0]),
    _case("FalseNegatives", "binary", thresholds=0.8),
    _case("FalseNegatives", "edges", long=True, thresholds=[0.0, 0.5, 1.0]),
    _case("Precision", "binary"),
    _case("Precision", "binary", long=True, thresholds=[0.2, 0.6]),
    _case("Precision", "binary", top_k=2),
    _case("Precision", "binary", long=True, class_id=1, thresholds=[0.0, 0.5, 1.0]),
    _case("Precision", "ties", top_k=2, class_id=0),
    _case("Recall", "binary"),
    _case("Recall", "binary", class_id=-1),
    _case("Recall", "ties", long=True, top_k=1),
    _case("Recall", "vector", long=True, thresholds=[0.2, 0.6]),
    _case("SensitivityAtSpecificity", "vector", specificity=0.4),
    _case("SensitivityAtSpecificity", "binary", long=True, specificity=0.4, num_thresholds=1),
    _case("SpecificityAtSensitivity", "vector", sensitivity=0.6, num_thresholds=11),
    _case("PrecisionAtRecall", "vector", recall=0.5),
    _case("PrecisionAtRecall", "binary", long=True, recall=0.5, class_id=2),
    _case("RecallAtPrecision", "vector", precision=0.5),
    _case("AUC", "vector"),
    _case("AUC", "edges", long=True),
    _case("AUC", "binary", num_thresholds=7, curve="PR"),
    _case("AUC", "binary", long=True, num_thresholds=5, curve="PRGAIN"),
    _case("AUC", "vector", long=True, curve="PR", summation_method="majoring"),
    _case("AUC", "vector", long=True, summation_method="minoring"),
    _case("AUC", "vector", long=True, summation_method="majoring"),
    _case("AUC", "logits", from_logits=True),
    _case("AUC", "vector", long=True, thresholds=[0.7, 0.1, 0.35]),
    _case("AUC", "vector", thresholds=[0.25, 0.5, 0.75]),
    _case("AUC", "binary", multi_label=True),
    _case("AUC", "binary", multi_label=True, num_labels=3, label_weights=[0.25, 0.5, 0.75]),
    _case("AUC", "binary", long=True, multi_label=True, curve="PR", label_weights=[1.0, 0.0, 2.0]),
    _case("AUC", "binary", multi_label=True, thresholds=[0.1, 0.6]),
    _case("AUC", "binary", long=True, label_weights=[0.25, 0.5, 0.75]),
    _case("AUC", "binary", long=True, label_weights=[0.25, 0.5, 0.75], thresholds=[0.1, 0.6]),
    _case("FBetaScore", "binary", long=True),
    _case("FBetaScore", "binary", average="micro", beta=2.0, threshold=0.4),
    _case("FBetaScore", "binary", long=True, average="macro", beta=0.5),
    _case("F1Score", "binary", average="weighted", threshold=0.5),
    _case("F1Score", "onehot"),
    _case("R2Score", "real"),
    _case("R2Score", "real", class_aggregation=None),
    _case("R2Score", "real", class_aggregation="variance_weighted_average"),
    _case("R2Score", "real_column", num_regressors=2),
    _case("IoU", "labels", num_classes=4, target_class_ids=[0, 2]),
    _case("IoU", "sparse", long=True, num_classes=4, target_class_ids=[1], sparse_y_pred=False),
    _case("BinaryIoU", "binary_whole", threshold=0.4),
    _case("MeanIoU", "labels", num_classes=4),
    _case("MeanIoU", "labels", long=True, num_classes=4, ignore_class=1),
    _case("OneHotIoU", "onehot", num_classes=4, target_class_ids=[0, 3]),
    _case("OneHotMeanIoU", "onehot", num_classes=4),
]

INTEGER_WEIGHTS = ("IoU", "BinaryIoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU")


def batches(case: Case) -> list[tuple[tuple[np.ndarray, ...], np.ndarray | None]]:
    """Three batches of arguments and sample weights; the first has no weights."""
    random = np.random.default_rng(11)
    made = []
    for i in range(3):
        arguments = [_typed(argument) for argument in _arguments(case.kind, random)]
        weight = None
        if i > 0 and arguments[0].shape:
            shape = _weighted_shape(case.kind, arguments)
            weight = random.integers(0, 3, shape)
            if case.cls not in INTEGER_WEIGHTS:
                weight = (weight * 0.7).astype("float32")
        made.append((tuple(arguments), weight))
    return made


def _weighted_shape(kind: str, arguments: list[np.ndarray]) -> tuple[int, ...]:
    if kind == "binary_whole":
        return arguments[0].shape
    return (5, 3) if kind in ("onehot_steps", "sparse_steps", "sparse_steps_column") else (5,)


def _typed(x: np.ndarray) -> np.ndarray:
    return x.astype("int32" if x.dtype.kind == "i" else "float32")


def _arguments(kind: str, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    def uniform(*shape: int) -> np.ndarray:
        return random.uniform(0.02, 0.98, shape)

    def bits(*shape: int) -> np.ndarray:
        return random.integers(0, 2, shape)

    def labels(*shape: int) -> np.ndarray:
        return random.integers(0, 4, shape)

    def shares(*shape: int) -> np.ndarray:
        x = uniform(*shape)
        return x / x.sum(-1, keepdims=True)

    quarters = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    made = {
        "values": lambda: (uniform(5),),
        "table": lambda: (uniform(5, 3),),
        "scalars": lambda: (np.array(random.uniform()),),
        "labels": lambda: (labels(5), labels(5)),
        "label_columns": lambda: (labels(5, 1), labels(5)),
        "binary": lambda: (bits(5, 3), uniform(5, 3)),
        "binary_whole": lambda: (bits(5, 3), uniform(5, 3)),
        "ties": lambda: (bits(5, 3), random.choice(quarters, (5, 3))),
        "edges": lambda: (bits(5), random.choice(quarters, 5)),
        "vector": lambda: (bits(5), uniform(5)),
        "vector_against_column": lambda: (bits(5), uniform(5, 1)),
        "logits": lambda: (bits(5, 3), 3.0 * random.normal(size=(5, 3))),
        "onehot": lambda: (np.eye(4)[labels(5)], shares(5, 4)),
        "onehot_steps": lambda: (np.eye(4)[labels(5, 3)], shares(5, 3, 4)),
        "sparse": lambda: (labels(5), shares(5, 4)),
        "sparse_column": lambda: (labels(5, 1), shares(5, 4)),
        "sparse_steps": lambda: (labels(5, 3), shares(5, 3, 4)),
        "sparse_steps_column": lambda: (labels(5, 3, 1), shares(5, 3, 4)),
        "sorted_ids": lambda: (labels(5), np.argsort(shares(5, 4), -1)),
        "real": lambda: (random.normal(size=(5, 3)), random.normal(size=(5, 3))),
        "real_column": lambda: (random.normal(size=(5, 1)), random.normal(size=(5, 1))),
        "masked": lambda: (random.normal(size=(5, 3)), random.normal(size=(5, 3))),
        "distributions": lambda: (shares(5, 3), shares(5, 3)),
    }
    return made[kind]()
