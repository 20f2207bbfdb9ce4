"""Targets that their loss cannot mean, and classes without a weight: said once, where it is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, losses, metrics, optimizers

X = np.ones((16, 3), "float32")
LABELS = np.arange(16) % 3
HALVES = (np.arange(16) % 2).astype("float32")[:, None]


def _model(units: int, activation: str, loss: Any, **named: Any) -> Any:
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(units, activation, name="out")])
    model.compile(**{"optimizer": "sgd", "loss": loss} | named)
    return model


def _sparse(loss: Any = "sparse_categorical_crossentropy", **named: Any) -> Any:
    return _model(3, "softmax", loss, **named)


def _binary(loss: Any = "binary_crossentropy", **named: Any) -> Any:
    return _model(1, "sigmoid", loss, **named)


@pytest.mark.parametrize("method", ["fit", "evaluate"])
@pytest.mark.parametrize(
    "loss", ["sparse_categorical_crossentropy", losses.SparseCategoricalCrossentropy(), "ce"]
)
def test_labels_with_fractions_are_told_of(loss: Any, method: str) -> None:
    """Keras cuts them off, and scripts resize masks."""
    model = _sparse(loss)
    right = r"(sparse_categorical_crossentropy|ce) of 'out': labels must be whole.*: [012]\.5 in"
    for _ in range(2):  # a loss that is new and, after a step on right ones, one that is known
        with pytest.warns(UserWarning, match=right):
            getattr(model, method)(X, LABELS + 0.5, verbose=0)
        model.fit(X, LABELS.astype("float32"), verbose=0)


def test_fractions_of_labels_are_cut_off() -> None:
    model = _sparse()
    with pytest.warns(UserWarning, match="fractions are cut off"):
        found = model.evaluate(X, LABELS + 0.75, verbose=0)
    assert found == model.evaluate(X, LABELS, verbose=0)


@pytest.mark.parametrize("wrong", [3, -1, np.nan])
def test_labels_out_of_range_are_refused(wrong: float) -> None:
    labels = np.where(np.arange(16) == 15, wrong, LABELS)
    with pytest.raises(ValueError, match="is out of range for 3 classes"):
        _sparse().fit(X, labels, batch_size=4, shuffle=False, verbose=0)


def test_an_ignored_label_is_right() -> None:
    model = _sparse(losses.SparseCategoricalCrossentropy(ignore_class=-1))
    model.fit(X, LABELS - 1.0, verbose=0)
    assert np.isfinite(model.evaluate(X, LABELS - 1.0, verbose=0))


@pytest.mark.parametrize(
    ("model", "y", "said"),
    [
        (_binary, HALVES * 2 - 1, "binary_crossentropy of 'out': .* from -1 to 1"),
        (_binary, HALVES + 1, "binary_crossentropy of 'out': .* from 1 to 2"),
        (
            lambda: _binary(losses.BinaryFocalCrossentropy()),
            HALVES * 255,
            "binary_focal_crossentropy of 'out': .* from 0 to 255",
        ),
        (
            lambda: _model(3, "softmax", "categorical_crossentropy"),
            -np.eye(3, dtype="float32")[LABELS],
            "categorical_crossentropy of 'out': .* from -1 to",
        ),
    ],
)
def test_targets_that_are_no_probabilities_are_warned_of(model: Any, y: Any, said: str) -> None:
    model = model()
    for method in ("fit", "fit", "evaluate"):
        with pytest.warns(UserWarning, match=said) as caught:
            getattr(model, method)(X, y, verbose=0)
        assert len(caught) == 1
        assert caught[0].filename == __file__


def test_right_targets_are_not_warned_of() -> None:
    _binary().fit(X, HALVES, verbose=0)
    _binary().fit(X, HALVES * 0.5, verbose=0)
    _binary("mse").fit(X, HALVES * 9, verbose=0)
    _binary().fit(X, HALVES.astype(bool), verbose=0)
    _sparse().fit(X, LABELS, verbose=0)


def test_the_targets_of_each_output_are_checked() -> None:
    x = nkeras.Input((3,))
    outputs = {name: layers.Dense(1, "sigmoid", name=name)(x) for name in ("a", "b")}
    model = nkeras.Model(x, outputs)
    model.compile("sgd", {"a": "mse", "b": "binary_crossentropy"})
    for _ in range(2):
        with pytest.warns(UserWarning, match="binary_crossentropy of 'b'") as caught:
            model.fit(X, {"a": HALVES * 5, "b": HALVES * 5}, verbose=0)
        assert len(caught) == 1


def test_classes_without_a_weight_weigh_1_and_are_named_once() -> None:
    model = _sparse()
    with pytest.warns(UserWarning, match=r"lacks the classes \[1, 2\]") as caught:
        model.fit(X, LABELS, class_weight={0: 2.0}, batch_size=4, epochs=2, verbose=0)
    assert [warning.filename for warning in caught] == [__file__]
    batches = [(X[:4], LABELS[:4])] * 3
    with pytest.warns(UserWarning, match=r"lacks the classes \[1, 2\]") as caught:
        model.fit(batches.__iter__(), class_weight={0: 2.0}, verbose=0)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, LABELS, class_weight={0: 2.0, 1: 1.0, 2: 1.0, 3: 5.0}, verbose=0)


def test_classes_stand_for_their_instances_where_keras_takes_them() -> None:
    model = _sparse(
        losses.SparseCategoricalCrossentropy, metrics=[metrics.SparseTopKCategoricalAccuracy]
    )
    assert set(model.fit(X, LABELS, verbose=0).history) == {
        "loss",
        "sparse_top_k_categorical_accuracy",
    }
    with pytest.raises(ValueError, match=r"is a class. Pass an instance, such as Adam\(\)"):
        _sparse(optimizer=optimizers.Adam)
    with pytest.raises(TypeError, match="`callbacks` must hold instances"):
        model.fit(X, LABELS, callbacks=[nkeras.callbacks.EarlyStopping], verbose=0)
    with pytest.raises(ValueError, match="can be added to a Sequential"):
        nkeras.Sequential([layers.Dense])


@pytest.mark.parametrize("value", [-1, 1.5, "two", None, True])
@pytest.mark.parametrize("argument", ["epochs", "initial_epoch"])
def test_epochs_are_counted(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"fit\(\): argument `{argument}` must be an integer"):
        _sparse().fit(X, LABELS, verbose=0, **{argument: value})
