"""What metrics refuse, how they come by name, and that updates read nothing back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import metrics, ops
from nkeras.core.serialization import register_keras_serializable
from nkeras.core.tensor import Tensor
from tests.metrics import metric_cases


@pytest.fixture(autouse=True)
def _on_numpy() -> Any:
    with nkeras.use_backend("numpy"):
        yield


@pytest.mark.parametrize(
    "metric",
    [
        metrics.Accuracy,
        metrics.BinaryAccuracy,
        metrics.CategoricalAccuracy,
        metrics.MeanSquaredError,
        metrics.RootMeanSquaredError,
        metrics.AUC,
        metrics.Precision,
        metrics.TruePositives,
        metrics.F1Score,
        metrics.BinaryIoU,
    ],
)
def test_no_silent_broadcasting(metric: Any) -> None:
    with pytest.raises(ValueError, match=r"\(4, 1\).*\(4, 2\)"):
        metric().update_state(np.ones((4, 1)), np.ones((4, 2)))


@pytest.mark.parametrize(
    ("weights", "hits"),
    [
        (0.5, [1.0, 1.0]),
        ([1.0, 0.0, 2.0], [3.0, 2.0]),
        ([[1.0], [0.0], [2.0]], [3.0, 2.0]),
        ([[1.0, 5.0], [0.0, 0.0], [2.0, 7.0]], [3.0, 7.0]),
    ],
)
def test_weights_of_f_scores_may_have_any_rank(weights: Any, hits: list[float]) -> None:
    """Keras 3.15.1 fails on numbers and on weights of each class (pull request 23335)."""
    metric = metrics.FBetaScore(threshold=0.5)
    y_true = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    metric.update_state(y_true, y_true, sample_weight=np.array(weights))
    assert metric.true_positives.numpy().tolist() == hits


@pytest.mark.parametrize(
    "function",
    [metrics.sparse_categorical_accuracy, metrics.sparse_top_k_categorical_accuracy],
)
def test_one_hot_targets_are_no_labels(function: Any) -> None:
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        function(np.eye(2), np.eye(2))


@pytest.mark.parametrize("case", metric_cases.CASES)
def test_an_update_reads_nothing_back(
    case: metric_cases.Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device, reading a value makes the host wait: only the label check of a CPU may look."""
    metric = getattr(metrics, case.cls)(**case.arguments)
    batches = [
        ([ops.convert_to_tensor(item) for item in inputs], weight)
        for inputs, weight in metric_cases.batches(case)
    ]

    def refuse(self: Tensor) -> Any:
        raise AssertionError("a tensor was read")

    monkeypatch.setattr(Tensor, "numpy", refuse)
    for inputs, weight in batches:
        metric.update_state(*inputs, sample_weight=weight)


def test_backend_changes_between_updates() -> None:
    mean = metrics.Mean()
    mean.update_state([1.0, 2.0])
    with nkeras.use_backend("numba_cpu"):
        mean.update_state([6.0])
        assert float(mean.result()) == 3.0
    assert float(mean.result()) == 3.0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: metrics.AUC(num_thresholds=1), "`num_thresholds`"),
        (lambda: metrics.AUC(curve="roc_curve"), "`curve`"),
        (lambda: metrics.AUC(summation_method="trapezoid"), "`summation_method`"),
        (lambda: metrics.AUC(num_labels=2), "`num_labels`"),
        (lambda: metrics.AUC(multi_label=True)([0.0, 1.0], [0.0, 1.0]), "rank 2"),
        (lambda: metrics.Precision(thresholds=[0.5, 1.5]), "1.5"),
        (lambda: metrics.Precision(top_k=4)(np.ones((2, 3)), np.ones((2, 3))), "`top_k`"),
        (lambda: metrics.Recall(class_id=3)(np.ones((2, 3)), np.ones((2, 3))), "class_id=3"),
        (lambda: metrics.Recall(class_id=0)(np.ones(2), np.ones(2)), "class_id"),
        (lambda: metrics.Recall()(np.ones(3), np.ones(3), np.ones(2)), "`sample_weight`"),
        (lambda: metrics.Mean()(np.ones(3), np.ones(2)), "`sample_weight`"),
        (lambda: metrics.PrecisionAtRecall(1.5), "`recall`"),
        (lambda: metrics.RecallAtPrecision(0.5, num_thresholds=0), "`num_thresholds`"),
        (lambda: metrics.FBetaScore(beta=-1.0), "`beta`"),
        (lambda: metrics.FBetaScore(beta=1), "`beta`"),
        (lambda: metrics.F1Score(average="mean"), "`average`"),
        (lambda: metrics.F1Score(threshold=0.0), "`threshold`"),
        (lambda: metrics.F1Score().result(), "first update"),
        (lambda: metrics.IoU(2, [2]), "class id 2"),
        (lambda: metrics.get("no_such_metric"), "no_such_metric"),
        (lambda: metrics.SparseCategoricalCrossentropy()([3], [[0.5, 0.5]]), "label 3"),
    ],
)
def test_bad_arguments(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_integer_matrix_warns_of_float_weights() -> None:
    with pytest.warns(UserWarning, match="integer weights"):
        metrics.MeanIoU(2).update_state([0, 1], [0, 1], np.array([0.5, 1.0]))


def test_labels_out_of_range_are_not_accurate() -> None:
    y_pred = np.array([[0.1, 0.9], [0.9, 0.1], [0.9, 0.1]])
    found = metrics.sparse_top_k_categorical_accuracy([1, 5, -1], y_pred, k=2).numpy()
    np.testing.assert_array_equal(found, [1.0, 0.0, 0.0])
    found = metrics.sparse_categorical_accuracy([1, 5, -1], y_pred).numpy()
    np.testing.assert_array_equal(found, [1.0, 0.0, 0.0])


def test_nan_predictions_are_never_positive() -> None:
    for thresholds in (None, [0.0, 0.5, 1.0]):
        metric = metrics.TruePositives(thresholds)
        assert float(ops.sum(metric([1, 1], [np.nan, 0.9]))) == (1.0 if thresholds is None else 2.0)


def test_by_name() -> None:
    assert metrics.get(None) is None
    assert isinstance(metrics.get("mse"), metrics.MeanSquaredError)
    assert isinstance(metrics.get("AUC"), metrics.AUC)
    assert isinstance(metrics.get(metrics.AUC), metrics.AUC)
    assert isinstance(metrics.deserialize("accuracy"), metrics.Accuracy)
    made = metrics.get({"class_name": "Recall", "config": {"thresholds": 0.2}})
    assert made.thresholds == [0.2]
    function = metrics.binary_accuracy
    assert metrics.get(function) is function


@register_keras_serializable(package="tests")
def bias(y_true: Any, y_pred: Any, scale: float = 1.0) -> Any:
    return scale * (ops.convert_to_tensor(y_pred) - ops.convert_to_tensor(y_true))


def test_wrapper_of_a_registered_function() -> None:
    metric = metrics.MeanMetricWrapper(bias, name="bias", scale=2.0)
    copy = metrics.get(metrics.serialize(metric))
    assert float(copy([[1.0]], [[3.0]])) == 4.0
    assert not hasattr(metric, "_direction")
    built_in = metrics.MeanMetricWrapper(nkeras.losses.mean_squared_error)
    assert built_in._direction == "down"
    again = metrics.MeanMetricWrapper.from_config(built_in.get_config())
    assert again._fn is nkeras.losses.mean_squared_error


class Pair(metrics.Metric):
    """A metric with a weight of its own and two metrics inside."""

    def __init__(self) -> None:
        super().__init__(name="a/pair")
        self.parts = [metrics.Sum(), metrics.Mean()]
        self.steps = self.add_weight(name="steps", initializer="ones", dtype="int32")

    def update_state(self, values: Any) -> None:
        for part in self.parts:
            part.update_state(values)
        self.steps.assign_add(1)

    def result(self) -> Any:
        return {part.name: part.result() for part in self.parts}


def test_metric_of_metrics() -> None:
    pair = Pair()
    assert {k: float(v) for k, v in pair([1.0, 3.0]).items()} == {"sum": 4.0, "mean": 2.0}
    assert [v.path for v in pair.variables] == [
        "a>pair/steps",
        "sum/total",
        "mean/total",
        "mean/count",
    ]
    assert int(pair.steps) == 2
    pair.reset_state()
    assert [float(v) for v in pair.variables] == [0.0] * 4
    assert repr(pair) == "Pair()"


def test_forgotten_super() -> None:
    class Bad(metrics.Metric):
        def __init__(self) -> None:
            self.total = self.add_weight()

    with pytest.raises(RuntimeError, match=r"super\(\)"):
        Bad()


def test_base_class_is_abstract() -> None:
    metric = metrics.Metric()
    assert metric.name == "metric"
    for call in (metric.update_state, metric.result):
        with pytest.raises(NotImplementedError, match="Metric must implement"):
            call()


def test_empty_batch_changes_nothing() -> None:
    metric = metrics.BinaryAccuracy()
    metric.update_state([[1.0], [0.0]], [[0.9], [0.8]])
    metric.update_state(np.zeros((0, 1)), np.zeros((0, 1)))
    assert float(metric.result()) == 0.5


SQUARE = ["MeanSquaredError", "RootMeanSquaredError", "BinaryAccuracy", "Precision", "AUC"]
SQUARE += ["TruePositives", "BinaryIoU"]


@pytest.mark.parametrize("name", SQUARE)
def test_weights_of_samples_belong_to_the_leading_axes(name: str) -> None:
    """As many steps as samples: a weight of a sample is that of each of its steps."""
    random = np.random.default_rng(1)
    y_true, y_pred = random.integers(0, 2, (3, 3, 3)), random.random((3, 3, 3))
    weight = np.array([1, 0, 3])
    whole = np.broadcast_to(weight[:, None, None], (3, 3, 3))
    values = []
    for given in (weight, weight[:, None], weight[:, None, None], whole):
        if given.ndim == 3 and name in ("MeanSquaredError", "BinaryAccuracy"):
            given = given[..., 0]  # their values are means over the last axis
        metric = getattr(metrics, name)()
        metric.update_state(y_true, y_pred, sample_weight=given)
        values.append(float(metric.result()))
    np.testing.assert_allclose(values, values[-1], rtol=1e-6)
    left = getattr(metrics, name)()
    left.update_state(y_true, y_pred, sample_weight=weight[::-1])
    assert abs(float(left.result()) - values[0]) > 1e-4


def test_f_score_takes_a_column_of_weights() -> None:
    random = np.random.default_rng(1)
    y_true, y_pred = np.eye(3)[[0, 1, 1]], random.random((3, 3))
    weight = np.array([1.0, 0.0, 3.0])
    one, other = metrics.F1Score(), metrics.F1Score()
    one.update_state(y_true, y_pred, sample_weight=weight)
    other.update_state(y_true, y_pred, sample_weight=weight[:, None])
    np.testing.assert_array_equal(one.result(), other.result())
    with pytest.raises(ValueError, match="f1_score: `sample_weight` of shape"):
        one.update_state(y_true, y_pred, sample_weight=np.ones((3, 3, 3)))


@pytest.mark.parametrize("k", [0, -1, 1.5, "3", None, True])
@pytest.mark.parametrize("name", ["TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy"])
def test_top_k_needs_a_k_of_at_least_1(name, k):
    with pytest.raises(ValueError, match=f"{name}: argument `k` must be an int, at least 1"):
        getattr(metrics, name)(k=k)


def test_adjusted_r2_counts_samples() -> None:
    random = np.random.default_rng(0)
    y_true, y_pred = random.normal(size=(10, 2)), random.normal(size=(10, 2))
    plain, adjusted = nkeras.metrics.R2Score(), nkeras.metrics.R2Score(num_regressors=3)
    expected = 1 - (1 - float(plain(y_true, y_pred))) * 9 / 6
    np.testing.assert_allclose(adjusted(y_true, y_pred), expected, rtol=1e-6)
    with pytest.warns(UserWarning, match="the adjusted score needs more samples"):
        few = nkeras.metrics.R2Score(num_regressors=9)(y_true, y_pred)
    np.testing.assert_allclose(few, plain.result(), rtol=1e-6)


def test_errors_of_r2() -> None:
    with pytest.raises(ValueError, match="`class_aggregation` must be one of"):
        nkeras.metrics.R2Score("mean")
    with pytest.raises(ValueError, match="`num_regressors` must be an int, at least 0"):
        nkeras.metrics.R2Score(num_regressors=-1)
    with pytest.raises(ValueError, match=r"must be \(batch, outputs\)"):
        nkeras.metrics.R2Score().update_state(np.ones(3), np.ones(3))
