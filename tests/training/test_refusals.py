"""What compile, fit and a step refuse, and how they say it."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.training.source import Source
from tests.training.small_model import X, Y, make_model


def test_a_step_that_returns_no_dict_is_refused():
    class Bare(nkeras.Sequential):
        def train_step(self, data):
            return 1.0

    model = Bare([layers.Dense(1)])
    model.compile("sgd")
    with pytest.raises(TypeError, match="must return a dict"):
        model.fit(X, Y, verbose=0)


def test_a_source_of_batches_is_abstract():
    with pytest.raises(NotImplementedError):
        Source().batches()


REFUSED = [
    ({"batch_size": 0}, "`batch_size` must be a positive integer"),
    ({"validation_batch_size": 0}, "validation_batch_size"),
    ({"validation_steps": -1}, "validation_steps"),
    ({"steps_per_epoch": 0}, "steps_per_epoch"),
    ({"validation_split": 1.0}, "between 0 and 1"),
    ({"validation_split": -0.5}, "between 0 and 1"),
    ({"validation_split": 2, "validation_data": (X, Y)}, "between 0 and 1"),
    ({"x": X[:0], "y": Y[:0]}, "no samples"),
    ({"y": Y[:7]}, "cardinality"),
    ({"y": Y[:, :1]}, r"\(32, 1\).*\(32, 2\)"),
    ({"y": None}, "needs targets"),
    ({"y": [Y, Y]}, "different structures"),
    ({"verbose": 3}, "`verbose`"),
    ({"epochs": -1}, r"fit\(\): argument `epochs` must be an integer, at least 0. Received: -1"),
    ({"epochs": 1.5}, "`epochs`"),
    ({"initial_epoch": -2}, "`initial_epoch`"),
    ({"class_weight": {"0": 2.0}}, "`class_weight` must be a dict whose keys are class indices"),
    ({"class_weight": {-1: 2.0}}, "Received: -1"),
    ({"validation_freq": 0.5, "validation_data": (X, Y)}, "`validation_freq`"),
    ({"sample_weight": np.ones(40), "class_weight": {0: 1}}, "at the same time"),
    ({"shuffle": "yes"}, "`shuffle`"),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSED)
def test_what_fit_refuses(wrong, message):
    model = make_model()
    with pytest.raises(ValueError, match=message):
        model.fit(**{"x": X, "y": Y, "verbose": 0, "shuffle": False, **wrong})
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_an_uncompiled_model_is_refused(method):
    with pytest.raises(ValueError, match=rf"compile\(\)` before calling `{method}"):
        getattr(nkeras.Sequential([layers.Dense(1)]), method)(X, Y)


def test_a_model_without_loss_is_refused():
    with pytest.raises(ValueError, match="No loss to compute"):
        make_model(loss=None).fit(X, Y, verbose=0)


def test_callbacks_must_be_callbacks():
    with pytest.raises(TypeError, match="`callbacks`"):
        make_model().fit(X, Y, verbose=0, callbacks=[print])


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        ({"loss": "unknown"}, "unknown"),
        ({"optimizer": "unknown"}, "unknown"),
        ({"metrics": "mae"}, "`metrics` must be a list"),
        ({"metrics": ["unknown"]}, r"unknown(.|\n)*Received: metrics"),
        ({"weighted_metrics": "mae"}, "`weighted_metrics` must be a list"),
        ({"loss_weights": "1"}, "`loss_weights` must be a number"),
        ({"loss_weights": [1, 2]}, "1 losses and 2 weights"),
        ({"loss": ["mse", "mse"]}, "2 entries, but the model has 1"),
        ({"loss": {"a": "mse", "b": "mse"}}, "is a dict with the keys"),
        ({"jit_compile": "yes"}, "`jit_compile`"),
        ({"steps_per_execution": 0}, "`steps_per_execution`"),
    ],
)
def test_what_compile_refuses(compiled, message):
    with pytest.raises(ValueError, match=message):
        make_model(**compiled).fit(X, Y, verbose=0)


def test_half_precision_needs_a_word_about_scaling():
    model = nkeras.Sequential([layers.Dense(2)])
    model.dtype_policy = nkeras.DTypePolicy("mixed_float16")
    if not hasattr(nkeras.optimizers, "LossScaleOptimizer"):
        with pytest.raises(ValueError, match="`auto_scale_loss` must be False"):
            model.compile("sgd", "mse")
    model.compile("sgd", "mse", auto_scale_loss=False)
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"][0])


def test_training_without_an_optimizer_is_refused():
    with pytest.raises(ValueError, match="optimizer"):
        make_model(optimizer=None).fit(X, Y, verbose=0)


def test_losses_of_outputs_that_do_not_exist():
    class Two(nkeras.Model):
        def call(self, inputs):
            return {"a": inputs, "b": inputs}

    model = Two()
    for loss, error in (({"a": "mse", "c": "mse"}, KeyError), (["mse"] * 3, ValueError)):
        model.compile("sgd", loss)
        with pytest.raises(error, match=r"c|3 entries"):
            model.evaluate(Y, {"a": Y, "b": Y}, verbose=0)
    model.compile("sgd", {"a": "mse"}, metrics={"d": ["mae"]})
    with pytest.raises(ValueError, match="Invalid `metrics`"):
        model.evaluate(Y, {"a": Y, "b": Y}, verbose=0)


def test_targets_of_an_output_with_a_loss_are_missed():
    x = nkeras.Input((3,), name="x")
    outputs = {"a": layers.Dense(2, name="a")(x), "b": layers.Dense(2, name="b")(x)}
    model = nkeras.Model(x, outputs)
    model.compile("sgd", loss={"a": "mse", "b": "mse"})
    with pytest.raises(ValueError, match=r"`y` misses the targets .* loss: \['b'\]"):
        model.fit(X, {"a": Y}, verbose=0)
    model.compile("sgd", loss={"a": "mse"})
    assert list(model.evaluate(X, {"a": Y}, verbose=0, return_dict=True)) == ["loss"]


def test_wrong_inputs_are_named_and_not_printed():
    inputs = {"a": nkeras.Input((3,), name="a"), "b": nkeras.Input((3,), name="b")}
    model = nkeras.Model(inputs, layers.Add()([inputs["a"], inputs["b"]]))
    message = r"misses the inputs \['b'\] in .* keys \['a', 'c'\]\.(\n|$)"
    with pytest.raises(ValueError, match=message):
        model.predict({"a": X, "c": X}, verbose=0)
    with pytest.raises(
        ValueError, match=r"expects 2 input.*1 .*Shapes received: \[\(32, 3\)\](\n|$)"
    ):
        model.predict(X, verbose=0)


def _gap(build):
    """`zeta - alpha`, named so that the order of building is not that of the alphabet."""
    zeta, alpha = nkeras.Input((2,), name="zeta"), nkeras.Input((2,), name="alpha")
    inputs = [zeta, alpha] if build == "list" else {"zeta": zeta, "alpha": alpha}
    return nkeras.Model(inputs, layers.Subtract(name="gap")([zeta, alpha]))


@pytest.mark.parametrize("build", ["list", "dict"])
def test_inputs_are_matched_by_name(build):
    model = _gap(build)
    model.compile("sgd", "mse")
    zeta, alpha = np.full((4, 2), 5.0, "float32"), np.full((4, 2), 3.0, "float32")
    for feed in ({"zeta": zeta, "alpha": alpha}, {"alpha": alpha, "zeta": zeta}):
        np.testing.assert_array_equal(model.predict(feed, verbose=0), np.full((4, 2), 2.0))
        assert model.evaluate(feed, {"gap": np.zeros((4, 2))}, verbose=0) == 4.0
    with pytest.warns(UserWarning, match=r"no inputs \['aaa'\], .*\['zeta', 'alpha'\]"):
        y = model.predict({"aaa": zeta, "zeta": zeta, "alpha": alpha}, verbose=0)
    np.testing.assert_array_equal(y, np.full((4, 2), 2.0))
    with pytest.raises(ValueError, match=r"misses the inputs .*'alpha'.* keys \['x', 'y'\]"):
        model.predict({"x": zeta, "y": alpha}, verbose=0)
    if build == "dict":
        with pytest.raises(ValueError, match="was built with a dict of inputs"):
            model([zeta, alpha])
    else:
        np.testing.assert_array_equal(model([zeta, alpha]), np.full((4, 2), 2.0))


def _apart(build):
    """Outputs `zeta` of 2 and `alpha` of 3, for inputs of 1."""
    x = nkeras.Input((1,))
    zeta = layers.Lambda(lambda v: 2.0 * v, name="zeta")(x)
    alpha = layers.Lambda(lambda v: 3.0 * v, name="alpha")(x)
    return nkeras.Model(x, [zeta, alpha] if build == "list" else {"zeta": zeta, "alpha": alpha})


@pytest.mark.parametrize("build", ["list", "dict"])
def test_losses_and_targets_are_matched_by_name(build):
    x, y = np.ones((4, 1), "float32"), {"zeta": np.zeros((4, 1)), "alpha": np.ones((4, 1))}
    weights = {"zeta": 10.0, "alpha": 100.0}
    for loss in ({"alpha": "mae", "zeta": "mse"}, {"zeta": "mse", "alpha": "mae"}):
        for given in (weights, dict(reversed(weights.items()))):
            model = _apart(build)
            model.compile("sgd", loss, loss_weights=given)
            found = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
            assert found == 10 * 4 + 100 * 2
    model = _apart(build)
    model.compile("sgd", ["mse", "mse"], loss_weights=weights)
    assert model.evaluate(x, y, verbose=0, return_dict=True)["loss"] == 10 * 4 + 100 * 4
    with pytest.raises(ValueError, match=r"no outputs \['aaa'\]"):
        model.evaluate(x, {**y, "aaa": y["zeta"]}, verbose=0)
    for given in ({"zeta": 1.0, "aaa": 1.0}, {**weights, "aaa": 1.0}):
        model = _apart(build)
        model.compile("sgd", {"alpha": "mae", "zeta": "mse"}, loss_weights=given)
        with pytest.raises(ValueError, match="`loss_weights`"):
            model.evaluate(x, y, verbose=0)
    model.compile("sgd", {"alpha": "mae", "zeta": "mse", "aaa": "mse"})
    with pytest.raises((ValueError, KeyError), match="aaa"):
        model.evaluate(x, y, verbose=0)
    model.compile("sgd", "mse", metrics={"alpha": "mae", "zeta": "mse", "aaa": "mse"})
    with pytest.raises(ValueError, match="aaa"):
        model.evaluate(x, y, verbose=0)
    if build == "dict":
        model.compile("sgd", "mse")
        with pytest.raises(ValueError, match="must be a dict, as the outputs"):
            model.evaluate(x, list(y.values()), verbose=0)
