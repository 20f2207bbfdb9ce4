"""What losses refuse, and how they come by name, class and configuration."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import losses, ops
from nkeras.backend import registry
from nkeras.core.primitive import to_tensor
from nkeras.core.serialization import register_keras_serializable
from nkeras.core.tape import GradientTape

ELEMENTWISE = [
    losses.mean_squared_error,
    losses.mean_absolute_error,
    losses.mean_absolute_percentage_error,
    losses.mean_squared_logarithmic_error,
    losses.huber,
    losses.log_cosh,
    losses.cosine_similarity,
    losses.binary_crossentropy,
    losses.binary_focal_crossentropy,
    losses.categorical_crossentropy,
    losses.categorical_focal_crossentropy,
    losses.hinge,
    losses.squared_hinge,
    losses.categorical_hinge,
    losses.kl_divergence,
    losses.poisson,
    losses.dice,
    losses.tversky,
]


@pytest.fixture(autouse=True)
def _on_numpy() -> Any:
    with nkeras.use_backend("numpy"):
        yield


@pytest.mark.parametrize("function", ELEMENTWISE)
@pytest.mark.parametrize("shapes", [((4, 1), (4, 2)), ((4,), (4, 4)), ((1, 3), (4, 3))])
def test_no_silent_broadcasting(function: Any, shapes: Any) -> None:
    y_true, y_pred = np.full(shapes[0], 0.5), np.full(shapes[1], 0.5)
    with pytest.raises(ValueError, match=rf"{function.__name__}: .*same shape.*4"):
        function(y_true, y_pred)
    loss = losses.LossFunctionWrapper(function)
    with pytest.raises(ValueError, match="same shape"):
        loss(y_true, y_pred)


@pytest.mark.parametrize("function", [losses.mean_squared_error, losses.binary_crossentropy])
def test_a_column_fits_a_vector(function: Any) -> None:
    x, y = np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.4, 0.9])
    column = function(x[:, None], y[:, None]).numpy()
    np.testing.assert_allclose(function(x, y[:, None]).numpy(), column)
    np.testing.assert_allclose(function(x[:, None], y).numpy(), column)


def test_one_number_is_the_target_of_all() -> None:
    found = losses.mean_squared_error(1.0, np.array([[1.0, 3.0]])).numpy()
    np.testing.assert_array_equal(found, [2.0])


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("label", [3, -1, 7])
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_label_out_of_range(from_logits: bool, label: int, backend: str) -> None:
    labels, y_pred = np.array([0, label, 1]), np.full((3, 3), 1 / 3, "float32")
    with nkeras.use_backend(backend):
        loss = losses.SparseCategoricalCrossentropy(from_logits=from_logits)
        for call in (loss, losses.sparse_categorical_crossentropy):
            for given in (labels, ops.convert_to_tensor(labels), labels[:, None], labels.tolist()):
                with pytest.raises(
                    ValueError, match=rf"label {label} is out of range for 3 classes"
                ):
                    call(given, y_pred)


def test_nan_label() -> None:
    with pytest.raises(ValueError, match="label nan is out of range"):
        losses.sparse_categorical_crossentropy(np.array([np.nan]), np.ones((1, 3)) / 3)


def test_on_a_device_a_label_out_of_range_is_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    from nkeras.losses import sparse_crossentropy

    monkeypatch.setattr(sparse_crossentropy, "host_labels", lambda labels: None)
    labels, y_pred = np.array([1, 5, -1]), np.ones((3, 2), "float32")
    with registry.use_backend("numpy"):  # numba_cpu has all labels on the host
        for from_logits in (False, True):
            x = to_tensor(y_pred)
            with GradientTape() as tape:
                tape.watch(x)
                loss = losses.sparse_categorical_crossentropy(labels, x, from_logits=from_logits)
            np.testing.assert_allclose(loss.numpy(), [np.log(2.0), np.nan, np.nan], rtol=1e-6)
            np.testing.assert_array_equal(tape.gradient(loss, x).numpy()[1:], np.zeros((2, 2)))


def test_ignored_label_of_any_integer_type() -> None:
    labels = np.array([0, 255, 1], "uint8")
    loss = losses.sparse_categorical_crossentropy(labels, np.ones((3, 2)) / 2, ignore_class=255)
    np.testing.assert_allclose(loss.numpy(), [np.log(2.0), 0.0, np.log(2.0)], rtol=1e-6)
    np.testing.assert_array_equal(loss._keras_mask.numpy(), [True, False, True])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: losses.Loss(reduction="average"), "`reduction`"),
        (lambda: losses.MeanSquaredError(reduction="avg"), "`reduction`"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1.5), "`label_smoothing`"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.0), "`q`"),
        (lambda: losses.Huber(delta=0.0), "`delta`"),
        (lambda: losses.categorical_crossentropy([[1.0]], [[1.0]], axis=True), "`axis`"),
        (lambda: losses.sparse_categorical_crossentropy([0], [[0.5, 0.5]], axis=4), "axis 4"),
        (lambda: losses.sparse_categorical_crossentropy(0, 0.5), "rank 1"),
        (lambda: losses.sparse_categorical_crossentropy([0, 1], [[0.5, 0.5]]), "class axis"),
        (lambda: losses.get("no_such_loss"), "no_such_loss"),
        (lambda: losses.MeanSquaredError(dtype="float12"), "float12"),
        (
            lambda: losses.MeanSquaredError()(np.ones((3, 2)), np.ones((3, 2)), np.ones(2)),
            "`sample_weight` of shape",
        ),
    ],
)
def test_bad_arguments(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_single_class_warns() -> None:
    with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
        losses.categorical_crossentropy(np.ones((2, 1)), np.ones((2, 1)))


def test_by_name() -> None:
    assert losses.get(None) is None
    assert losses.get("mse") is losses.mean_squared_error
    assert losses.get("MSE") is losses.mean_squared_error
    assert losses.get("huber") is losses.huber
    assert isinstance(losses.get("Huber"), losses.Huber)
    assert isinstance(losses.get(losses.Huber), losses.Huber)
    assert losses.get(losses.huber) is losses.huber
    assert losses.deserialize("mae") is losses.mean_absolute_error
    made = losses.get({"class_name": "Huber", "config": {"delta": 2.0}})
    assert made.delta == 2.0


def test_arguments_that_keras_loses_are_kept() -> None:
    for loss in (losses.Huber(delta=3.0), losses.CosineSimilarity(axis=1)):
        copied = losses.get(losses.serialize(loss))
        assert copied._fn_options() == loss._fn_options()


@register_keras_serializable(package="tests")
def doubled(y_true: Any, y_pred: Any, factor: float = 2.0) -> Any:
    return ops.mean(factor * (y_pred - y_true), axis=-1)


def test_wrapper_of_a_registered_function() -> None:
    loss = losses.LossFunctionWrapper(doubled, reduction="sum", name="twice", factor=3.0)
    copy = losses.get(losses.serialize(loss))
    assert copy.fn is doubled
    assert float(copy([[1.0]], [[2.0]])) == 3.0
    plain = losses.LossFunctionWrapper(losses.mean_squared_error)
    assert plain.name == "loss_function_wrapper"
    assert losses.LossFunctionWrapper.from_config(plain.get_config()).fn is plain.fn


def test_subclass_gets_structures_and_floats() -> None:
    class Both(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return ops.mean(y_true["a"] - y_pred["a"], axis=-1)

    loss = Both()
    assert loss.name == "both"
    value = loss({"a": np.array([[3]])}, {"a": np.array([[1]])})
    assert value.dtype == "float32"
    assert float(value) == 2.0
    with pytest.raises(NotImplementedError, match="call"):
        losses.Loss()(1.0, 2.0)


@pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", None]
)
def test_empty_batch(reduction: Any) -> None:
    value = losses.MeanSquaredError(reduction=reduction)(np.zeros((0, 3)), np.zeros((0, 3)))
    assert value.numpy().sum() == 0.0


def test_symbolic_loss_is_one_node() -> None:
    x = nkeras.KerasTensor((None, 4))
    y = losses.mean_squared_error(nkeras.KerasTensor((None, 4)), x)
    assert y.shape == (None,)
    labels = nkeras.KerasTensor((None, 1), dtype="int32")
    assert losses.sparse_categorical_crossentropy(labels, x).shape == (None,)


def test_mixed_policy_computes_in_half_precision() -> None:
    assert losses.MeanSquaredError(dtype="mixed_float16").dtype == "float16"


def test_labels_of_text_are_refused() -> None:
    with pytest.raises(ValueError, match=r"labels must be numbers in \[0, 2\]\. Received"):
        losses.SparseCategoricalCrossentropy()(np.array(["a", "b"]), np.full((2, 3), 1 / 3, "f4"))


def test_label_smoothing_along_the_class_axis() -> None:
    """By hand; Keras 3.15 divides by the size of the last axis, whichever holds the classes."""
    random = np.random.default_rng(0)
    classes, smoothing = 3, 0.2
    y_true = np.moveaxis(np.eye(classes, dtype="float32")[random.integers(0, 3, (2, 5))], -1, 1)
    logits = random.normal(size=(2, classes, 5)).astype("float32")
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    smooth = y_true * (1 - smoothing) + smoothing / classes
    want = -(smooth * np.log(p)).sum(1)
    balance = np.array([0.2, 0.3, 0.5], "float32")
    focal = -(balance[:, None] * (1 - p) ** 2 * smooth * np.log(p)).sum(1)
    for axis in (1, -2):
        given = {"label_smoothing": smoothing, "axis": axis}
        for function, extra, right in (
            (losses.categorical_crossentropy, {}, want),
            (losses.categorical_focal_crossentropy, {"alpha": balance}, focal),
        ):
            found = function(y_true, p, **given, **extra)
            np.testing.assert_allclose(found, right, rtol=1e-5)
            found = function(y_true, logits, from_logits=True, **given, **extra)
            np.testing.assert_allclose(found, right, rtol=1e-5)
        loss = losses.CategoricalCrossentropy(**given)(y_true, p)
        metric = nkeras.metrics.CategoricalCrossentropy(**given)(y_true, p)
        np.testing.assert_allclose([float(loss), float(metric)], want.mean(), rtol=1e-5)


def test_single_class_is_told_by_the_class_axis() -> None:
    y = np.full((2, 3, 1), 1 / 3, "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses.categorical_crossentropy(y, y, axis=1)
    with pytest.warns(SyntaxWarning, match="single class"):
        losses.categorical_crossentropy(y[:, :1], y[:, :1], axis=1)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
@pytest.mark.parametrize("masked", [False, True])
def test_weights_of_samples_belong_to_the_leading_axes(reduction: str, masked: bool) -> None:
    """As many steps as samples: Keras 3.15 lays the weights along the steps."""
    y_pred = ops.ones((3, 3, 1)) * ops.reshape(ops.arange(1.0, 4.0), (3, 1, 1))
    mask = np.ones((3, 3), bool)
    if masked:
        mask[:, 2] = False
        y_pred._keras_mask = ops.convert_to_tensor(mask)
    weight = np.array([1.0, 0.0, 2.0], "float32")
    loss = losses.MeanSquaredError(reduction=reduction)
    want = np.array([1.0, 4.0, 9.0])[:, None] * weight[:, None] * mask
    if reduction == "sum":
        want = want.sum()
    elif reduction == "sum_over_batch_size":
        want = want.sum() / mask.sum()
    for given in (weight, weight[:, None], np.tile(weight[:, None], 3)):
        found = loss(np.zeros((3, 3, 1)), y_pred, sample_weight=given)
        np.testing.assert_allclose(found, want, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "weight"), [((2, 3), (3,)), ((3, 3), (3, 3, 3)), ((1,), (5,)), ((3, 1), (3, 2))]
)
def test_weights_never_enlarge_the_losses(values: Any, weight: Any) -> None:
    y = np.ones((*values, 2))
    with pytest.raises(ValueError, match="`sample_weight` of shape"):
        losses.MeanSquaredError()(y, y, np.ones(weight))


def test_tversky_weighs_what_is_found_wrongly_by_alpha() -> None:
    """The index of the paper; Keras 3.15 has alpha and beta exchanged."""
    y_true, y_pred = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 1.0, 1.0])
    for alpha, beta in ((0.3, 0.7), (0.9, 0.1)):
        found = losses.tversky(y_true, y_pred, alpha=alpha, beta=beta)
        assert float(found) == pytest.approx(1 - 1 / (1 + alpha * 2 + beta * 1), rel=1e-5)


@pytest.mark.parametrize("cls", [losses.MeanSquaredError, losses.Huber, losses.Dice])
def test_a_given_dtype_is_kept(cls: Any) -> None:
    loss = cls(dtype="float64")
    assert losses.deserialize(losses.serialize(loss)).dtype == "float64"
    assert "dtype" not in cls().get_config()


def test_a_class_follows_from_its_function() -> None:
    class Mine(losses.Huber):
        pass

    text = str(losses.Huber.__doc__)
    assert text.index("delta: where") < text.index("reduction: ") < text.index("name: ")
    assert "fn: " not in str(losses.LogCosh.__doc__)
    loss = Mine(delta=2.0)
    assert (loss.fn, loss.get_config()["delta"]) == (losses.huber, 2.0)
    loss.delta = 1.0
    assert float(loss([[0.0]], [[3.0]])) == 2.5
    again = pickle.loads(pickle.dumps(losses.MeanSquaredError("sum")))
    assert (type(again), again.reduction) == (losses.MeanSquaredError, "sum")
    unknown: Any = losses.MeanSquaredError
    with pytest.raises(TypeError, match=r"MeanSquaredError: got an unexpected .* 'axis'"):
        unknown(axis=1)


def test_circle_without_a_partner_has_a_gradient() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    embeddings = nkeras.Variable(x.astype("float32"))
    with nkeras.GradientTape() as tape:
        loss = losses.Circle()(np.array([0, 0, 1, 2]), embeddings)
    assert np.all(np.isfinite(np.asarray(tape.gradient(loss, embeddings))))


def test_circle_with_references() -> None:
    labels, x = np.array([0, 1]), np.eye(2, 3, dtype="float32")
    among_themselves = losses.circle(labels, x, remove_diagonal=False)
    other = losses.circle(labels, x, ref_labels=labels, ref_embeddings=x, remove_diagonal=False)
    np.testing.assert_array_equal(among_themselves, other)
    assert losses.circle(labels, x, [0, 1, 1], np.eye(3, dtype="float32")).shape == (2,)
