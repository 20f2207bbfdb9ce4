"""Models as estimators: scikit-learn's own checks, and what these do not ask."""

from __future__ import annotations

import contextlib
import sys
import unittest
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import nkeras
from nkeras import layers, wrappers

X, Y = make_classification(60, 6, n_informative=4, n_classes=3, random_state=0)
NUMBERS = make_regression(60, 6, random_state=0)[1]
QUIET = {"verbose": 0}


@pytest.fixture(autouse=True)
def _numpy() -> Iterator[None]:
    """Scikit-learn has hundreds of small data sets, each with kernels to compile."""
    with nkeras.use_backend("numpy"):
        yield


def build(X: Any, y: Any, loss: str, activation: str = "softmax", units: Any = (10,)) -> Any:
    nkeras.utils.set_random_seed(1)  # checks fit twice and compare
    model = nkeras.Sequential(
        [
            nkeras.Input(X.shape[1:]),
            *(layers.Dense(n, activation="relu") for n in units),
            layers.Dense(y.shape[1] if y.ndim > 1 else 1, activation=activation),
        ]
    )
    model.compile("rmsprop", loss)
    return model


def classifier(**options: Any) -> Any:
    given = {"loss": "categorical_crossentropy", "units": (20, 20, 20)}
    options = {"model_kwargs": given, "fit_kwargs": {"epochs": 5, **QUIET}, **options}
    return wrappers.SKLearnClassifier(options.pop("model", build), **options)


def regressor(**options: Any) -> Any:
    options = {"model_kwargs": {"loss": "mse", "activation": "linear"}, **options}
    return wrappers.SKLearnRegressor(build, **options)


EXPECTED = {
    "check_classifiers_train": "decision_function gives a number for each of two classes",
    "check_classifiers_classes": "decision_function gives a number for each of two classes",
    "check_regressor_multioutput": "predictions have the dtype of the model",
}


def checks_of_scikit_learn() -> Iterator[Any]:
    given = {"model_kwargs": {"loss": "mse", "activation": "linear"}, "fit_kwargs": QUIET}
    for estimator in (
        classifier(),
        wrappers.SKLearnRegressor(build, **given),
        wrappers.SKLearnTransformer(build, **given),
    ):
        name = type(estimator).__name__
        for number, (one, check) in enumerate(estimator_checks_generator(estimator, legacy=True)):
            asked = check.func.__name__
            reason = EXPECTED.get(asked)
            marks = [pytest.mark.xfail(reason=reason, strict=False)] if reason else []
            yield pytest.param(one, check, id=f"{name}-{number}-{asked}", marks=marks)


@pytest.mark.long
@pytest.mark.parametrize(("estimator", "check"), list(checks_of_scikit_learn()))
def test_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    with contextlib.suppress(unittest.SkipTest):  # what needs pandas or the array API
        check(estimator)


@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_decisions_and_predictions_agree(activation: str) -> None:
    given = {"loss": "binary_crossentropy", "activation": activation}
    estimator = classifier(model_kwargs=given).fit(X, Y > 0)
    found = estimator.decision_function(X).argmax(-1) == 1
    np.testing.assert_array_equal(estimator.predict(X), found)


def test_classes_of_all_kinds() -> None:
    names = np.array(["ant", "bee", "cat"])[Y]
    estimator = classifier(fit_kwargs={"epochs": 60, **QUIET}).fit(X, names)
    assert estimator.classes_.tolist() == ["ant", "bee", "cat"]
    assert (estimator.predict(X) == names).mean() > 0.7
    assert estimator.score(X, names) > 0.7
    with pytest.warns(DataConversionWarning, match="column-vector"):
        assert estimator.fit(X, Y[:, None]).predict(X).shape == (60,)
    assert len(estimator.history_.history["loss"]) == estimator.epoch_ == 60


def test_numbers() -> None:
    estimator = regressor().fit(X, NUMBERS, epochs=3, verbose=0)
    assert estimator.predict(X).shape == (60,)
    assert estimator.fit(X, np.stack([NUMBERS, Y], 1), verbose=0).predict(X).shape == (60, 2)
    assert estimator.fit_kwargs is None  # arguments of a call are not kept
    assert estimator.epoch_ == 1


def test_a_model_is_cloned_with_how_it_was_compiled() -> None:
    model = build(X, NUMBERS, "mse", "linear")
    before = model.get_weights()
    estimator = wrappers.SKLearnRegressor(model, fit_kwargs=QUIET).fit(X, NUMBERS)
    assert estimator.model_ is not model
    assert estimator.model_.loss == "mse"
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_warm_start_goes_on() -> None:
    model = build(X, NUMBERS, "mse", "linear")
    estimator = wrappers.SKLearnRegressor(model, warm_start=True, fit_kwargs=QUIET)
    estimator.fit(X, NUMBERS)
    assert estimator.model_ is model
    made = regressor(warm_start=True, fit_kwargs=QUIET)
    first = made.fit(X, NUMBERS).model_
    assert made.fit(X, NUMBERS).model_ is first
    assert int(first.optimizer.iterations.numpy()) == 4
    made.set_params(warm_start=False)
    assert made.fit(X, NUMBERS).model_ is not first


def test_clones_have_all_arguments() -> None:
    model = build(X, NUMBERS, "mse", "linear")
    estimator = wrappers.SKLearnRegressor(model, warm_start=True, fit_kwargs=QUIET)
    twin = clone(estimator)
    assert twin.fit_kwargs == QUIET
    assert twin.warm_start
    assert twin.model is not model
    assert not hasattr(twin, "model_")
    assert clone(regressor()).model is build


def test_inside_of_scikit_learn() -> None:
    pipeline = make_pipeline(StandardScaler(), classifier(fit_kwargs=QUIET))
    assert np.isfinite(cross_val_score(pipeline, X, Y, cv=2)).all()
    grid = {
        "model_kwargs": [{"loss": "mse", "units": (n,), "activation": "linear"} for n in (2, 3)]
    }
    search = GridSearchCV(regressor(fit_kwargs=QUIET), grid, cv=2).fit(X, NUMBERS)
    assert search.predict(X).shape == (60,)
    transformer = wrappers.SKLearnTransformer(
        build, model_kwargs={"loss": "mse", "activation": "linear"}, fit_kwargs=QUIET
    )
    assert transformer.fit_transform(X, np.stack([NUMBERS, Y], 1)).shape == (60, 2)


def test_arguments_of_fit_are_routed() -> None:
    with pytest.raises(RuntimeError, match="metadata routing is enabled"):
        regressor().set_fit_request(sample_weight=True)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = regressor(fit_kwargs=QUIET).set_fit_request(sample_weight=True)
        scores = cross_val_score(estimator, X, NUMBERS, cv=2, params={"sample_weight": np.ones(60)})
    assert np.isfinite(scores).all()


def test_errors() -> None:
    model = nkeras.Sequential([nkeras.Input((6,)), layers.Dense(1)])
    with pytest.raises(RuntimeError, match="needs to be compiled"):
        wrappers.SKLearnRegressor(model).fit(X, NUMBERS)
    with pytest.raises(ValueError, match="only one class"):
        classifier().fit(X, np.zeros(60, "int64"))
    with pytest.raises(ValueError, match=r"Only binary and multiclass.*continuous"):
        classifier().fit(X, NUMBERS)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("nkeras.wrappers.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"pip install 'nkeras\[sklearn\]'"):
        wrappers.SKLearnClassifier  # noqa: B018
