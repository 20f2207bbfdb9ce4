"""A message is short whatever came: it names the thing and shows the two ends of a long value."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import (
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    regularizers,
    utils,
)
from nkeras.core import errors

LONG = "n" * 10_000
MANY = list(range(1000))
TABLE = {f"key_{i}": i for i in range(1000)}
ARRAY = np.arange(100_000.0)
WORDS = [f"word_{i}" for i in range(1000)]
DEEP: list[Any] = []
for _ in range(100):
    DEEP = [DEEP, "leaf"]
X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
ABSURD = {"name": LONG, "list": MANY, "dict": TABLE, "array": ARRAY, "words": WORDS, "deep": DEEP}

schedules = optimizers.schedules


def _model(**named: Any) -> Any:
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse"} | named)
    return model


def _wide(kind: str = "list", outputs: int = 50) -> Any:
    x = nkeras.Input((3,), name="x")
    found = [layers.Dense(1, name=f"out_{i}")(x) for i in range(outputs)]
    named = {f"out_{i}": y for i, y in enumerate(found)}
    return nkeras.Model(x, named if kind == "dict" else found)


def _many_inputs() -> Any:
    inputs = {f"in_{i}": nkeras.Input((2,), name=f"in_{i}") for i in range(200)}
    return nkeras.Model(inputs, layers.Add()(list(inputs.values())))


def _compiled(kind: str, y: Any = None, **named: Any) -> Any:
    model = _wide(kind)
    model.compile("sgd", **named)
    return model.train_on_batch(X, [Y] * 50 if y is None else y)


# Kinds that Keras or Python has for them.
KINDS = {
    "attribute": AttributeError,
    "gather index": IndexError,
    "many outputs, loss of dict": KeyError,
}
# Each is called with each absurd value; what it takes without an error is no matter here.
TAKE_ONE: dict[str, Callable[[Any], Any]] = {
    "Dense units": layers.Dense,
    "Dense activation": lambda v: layers.Dense(1, activation=v),
    "Dense use_bias": lambda v: layers.Dense(1, use_bias=v),
    "Dense kernel_initializer": lambda v: layers.Dense(1, kernel_initializer=v),
    "Dense kernel_regularizer": lambda v: layers.Dense(1, kernel_regularizer=v),
    "Dense kernel_constraint": lambda v: layers.Dense(1, kernel_constraint=v),
    "Dense name": lambda v: layers.Dense(1, name=v),
    "Dense dtype": lambda v: layers.Dense(1, dtype=v),
    "Dense trainable": lambda v: layers.Dense(1, trainable=v),
    "Dense input": lambda v: layers.Dense(1)(v),
    "Dense unknown": lambda v: layers.Dense(1, **{LONG: v}),
    "Conv2D filters": lambda v: layers.Conv2D(v, 3),
    "Conv2D kernel_size": lambda v: layers.Conv2D(4, v),
    "Conv2D strides": lambda v: layers.Conv2D(4, 3, strides=v),
    "Conv2D padding": lambda v: layers.Conv2D(4, 3, padding=v),
    "Conv2D data_format": lambda v: layers.Conv2D(4, 3, data_format=v),
    "Conv2D groups": lambda v: layers.Conv2D(4, 3, groups=v),
    "MaxPooling2D pool_size": lambda v: layers.MaxPooling2D(v),
    "Dropout rate": lambda v: layers.Dropout(v),
    "Dropout seed": lambda v: layers.Dropout(0.5, seed=v),
    "BatchNormalization axis": lambda v: layers.BatchNormalization(axis=v)(X),
    "Reshape target_shape": lambda v: layers.Reshape(v)(X),
    "Permute dims": lambda v: layers.Permute(v)(X),
    "RepeatVector n": lambda v: layers.RepeatVector(v),
    "Cropping2D cropping": lambda v: layers.Cropping2D(v),
    "ZeroPadding2D padding": lambda v: layers.ZeroPadding2D(v),
    "UpSampling2D size": lambda v: layers.UpSampling2D(v),
    "Dot axes": lambda v: layers.Dot(v),
    "Concatenate inputs": lambda v: layers.Concatenate()(v),
    "Add inputs": lambda v: layers.Add()(v),
    "Lambda function": lambda v: layers.Lambda(v),
    "Activation": lambda v: layers.Activation(v),
    "ReLU max_value": lambda v: layers.ReLU(max_value=v),
    "Softmax axis": lambda v: layers.Softmax(axis=v)(X),
    "Input shape": nkeras.Input,
    "Input dtype": lambda v: nkeras.Input((3,), dtype=v),
    "Input name": lambda v: nkeras.Input((3,), name=v),
    "Sequential layers": lambda v: nkeras.Sequential([v]),
    "Sequential name": lambda v: nkeras.Sequential(name=v),
    "Model inputs": lambda v: nkeras.Model(v, v),
    "get_layer": lambda v: _wide().get_layer(v),
    "get_layer index": lambda v: _wide().get_layer(index=v),
    "set_weights": lambda v: _model().set_weights(v),
    "clone_function": lambda v: models.clone_model(_model(), clone_function=v),
    "from_config": lambda v: layers.Dense.from_config(v),
    "compile optimizer": lambda v: _model(optimizer=v),
    "compile loss": lambda v: _model(loss=v).fit(X, Y, verbose=0),
    "compile metrics": lambda v: _model(metrics=v).fit(X, Y, verbose=0),
    "compile weighted_metrics": lambda v: _model(weighted_metrics=v).fit(X, Y, verbose=0),
    "compile loss_weights": lambda v: _model(loss_weights=v).fit(X, Y, verbose=0),
    "compile run_eagerly": lambda v: _model(run_eagerly=v),
    "fit x": lambda v: _model().fit(v, Y, verbose=0),
    "fit y": lambda v: _model().fit(X, v, verbose=0),
    "fit batch_size": lambda v: _model().fit(X, Y, batch_size=v, verbose=0),
    "fit epochs": lambda v: _model().fit(X, Y, epochs=v, verbose=0),
    "fit verbose": lambda v: _model().fit(X, Y, verbose=v),
    "fit callbacks": lambda v: _model().fit(X, Y, callbacks=v, verbose=0),
    "fit validation_split": lambda v: _model().fit(X, Y, validation_split=v, verbose=0),
    "fit validation_data": lambda v: _model().fit(X, Y, validation_data=v, verbose=0),
    "fit validation_freq": lambda v: _model().fit(
        X, Y, validation_data=(X, Y), validation_freq=v, verbose=0
    ),
    "fit shuffle": lambda v: _model().fit(X, Y, shuffle=v, verbose=0),
    "fit class_weight": lambda v: _model().fit(X, Y, class_weight=v, verbose=0),
    "fit sample_weight": lambda v: _model().fit(X, Y, sample_weight=v, verbose=0),
    "fit initial_epoch": lambda v: _model().fit(X, Y, initial_epoch=v, verbose=0),
    "fit steps_per_epoch": lambda v: _model().fit(X, Y, steps_per_epoch=v, verbose=0),
    "evaluate x": lambda v: _model().evaluate(v, Y, verbose=0),
    "evaluate steps": lambda v: _model().evaluate(X, Y, steps=v, verbose=0),
    "predict x": lambda v: _model().predict(v, verbose=0),
    "predict batch_size": lambda v: _model().predict(X, batch_size=v, verbose=0),
    "train_on_batch y": lambda v: _model().train_on_batch(X, v),
    "many outputs, y": lambda v: _compiled("list", loss="mse", y=v),
    "many outputs, y of dict": lambda v: _compiled("dict", loss="mse", y=v),
    "many outputs, loss": lambda v: _compiled("list", loss=v),
    "many outputs, loss of dict": lambda v: _compiled("dict", loss=v),
    "many outputs, metrics": lambda v: _compiled("list", loss="mse", metrics=v),
    "many outputs, metrics of dict": lambda v: _compiled("dict", loss="mse", metrics=v),
    "many outputs, loss_weights": lambda v: _compiled("list", loss="mse", loss_weights=v),
    "many inputs": lambda v: _many_inputs()(v),
    "summary layer_range": lambda v: _wide().summary(layer_range=v, print_fn=str),
    "losses.get": losses.get,
    "Huber delta": lambda v: losses.Huber(delta=v)(X, X),
    "CategoricalCrossentropy axis": lambda v: losses.CategoricalCrossentropy(axis=v)(X, X),
    "loss reduction": lambda v: losses.MeanSquaredError(reduction=v),
    "mse shapes": lambda v: losses.mean_squared_error(v, X),
    "Loss call": lambda v: losses.MeanSquaredError()(X, X, sample_weight=v),
    "metrics.get": metrics.get,
    "Precision thresholds": lambda v: metrics.Precision(thresholds=v),
    "Precision top_k": lambda v: metrics.Precision(top_k=v),
    "AUC num_thresholds": lambda v: metrics.AUC(num_thresholds=v),
    "AUC curve": lambda v: metrics.AUC(curve=v),
    "AUC thresholds": lambda v: metrics.AUC(thresholds=v),
    "MeanIoU num_classes": lambda v: metrics.MeanIoU(num_classes=v),
    "FBetaScore beta": lambda v: metrics.FBetaScore(beta=v),
    "FBetaScore average": lambda v: metrics.FBetaScore(average=v),
    "Mean dtype": lambda v: metrics.Mean(dtype=v),
    "Accuracy update": lambda v: metrics.Accuracy().update_state(X, v),
    "MeanMetricWrapper": lambda v: metrics.MeanMetricWrapper(v),
    "optimizers.get": optimizers.get,
    "SGD learning_rate": optimizers.SGD,
    "SGD momentum": lambda v: optimizers.SGD(momentum=v),
    "SGD clipnorm": lambda v: optimizers.SGD(clipnorm=v, clipvalue=v, global_clipnorm=v),
    "SGD unknown": lambda v: optimizers.SGD(**{LONG: v}),
    "Adam beta_1": lambda v: optimizers.Adam(beta_1=v),
    "Adam weight_decay": lambda v: optimizers.Adam(weight_decay=v),
    "Adam gradient_accumulation_steps": lambda v: optimizers.Adam(gradient_accumulation_steps=v),
    "ExponentialDecay": lambda v: schedules.ExponentialDecay(v, v, v),
    "PiecewiseConstantDecay": lambda v: schedules.PiecewiseConstantDecay(v, [*MANY, 1, 2]),
    "PolynomialDecay": lambda v: schedules.PolynomialDecay(v, v),
    "CosineDecay": lambda v: schedules.CosineDecay(v, v),
    "EarlyStopping monitor": lambda v: _model().fit(
        X, Y, callbacks=[callbacks.EarlyStopping(monitor=v)], verbose=0
    ),
    "EarlyStopping mode": lambda v: callbacks.EarlyStopping(mode=v),
    "EarlyStopping patience": lambda v: callbacks.EarlyStopping(patience=v),
    "ReduceLROnPlateau factor": lambda v: callbacks.ReduceLROnPlateau(factor=v),
    "ReduceLROnPlateau monitor": lambda v: _model().fit(
        X, Y, callbacks=[callbacks.ReduceLROnPlateau(monitor=v)], verbose=0
    ),
    "LearningRateScheduler": lambda v: _model().fit(
        X, Y, callbacks=[callbacks.LearningRateScheduler(lambda epoch: v)], verbose=0
    ),
    "CSVLogger": lambda v: callbacks.CSVLogger("x.csv", separator=v),
    "use_backend": lambda v: nkeras.use_backend(v).__enter__(),
    "set_floatx": nkeras.config.set_floatx,
    "set_epsilon": nkeras.config.set_epsilon,
    "set_image_data_format": nkeras.config.set_image_data_format,
    "set_dtype_policy": nkeras.config.set_dtype_policy,
    "set_random_seed": utils.set_random_seed,
    "SeedGenerator": nkeras.random.SeedGenerator,
    "random.normal shape": lambda v: nkeras.random.normal(v),
    "random.normal dtype": lambda v: nkeras.random.normal((2,), dtype=v),
    "random.normal seed": lambda v: nkeras.random.normal((2,), seed=v),
    "random.randint": lambda v: nkeras.random.randint((2,), 0, 2, dtype=v),
    "random.dropout": lambda v: nkeras.random.dropout(X, v),
    "Variable": lambda v: nkeras.Variable(v, shape=(3,)),
    "Variable dtype": lambda v: nkeras.Variable(X, dtype=v),
    "Variable name": lambda v: nkeras.Variable(X, name=v),
    "Variable assign": lambda v: nkeras.Variable(X).assign(v),
    "Variable initializer": lambda v: nkeras.Variable("zeros", shape=v),
    "name_scope": nkeras.name_scope,
    "initializers.get": initializers.get,
    "RandomNormal seed": lambda v: initializers.RandomNormal(seed=v),
    "VarianceScaling scale": lambda v: initializers.VarianceScaling(scale=v),
    "VarianceScaling mode": lambda v: initializers.VarianceScaling(mode=v),
    "Orthogonal shape": lambda v: initializers.Orthogonal()(v),
    "Constant": lambda v: initializers.Constant(v)((2, 2)),
    "Identity shape": lambda v: initializers.Identity()(v),
    "regularizers.get": regularizers.get,
    "L2": lambda v: regularizers.L2(v),
    "OrthogonalRegularizer": lambda v: regularizers.OrthogonalRegularizer(mode=v),
    "constraints.get": constraints.get,
    "MaxNorm": lambda v: constraints.MaxNorm(v)(X),
    "activations.get": nkeras.activations.get,
    "to_categorical": lambda v: utils.to_categorical(v, 3),
    "to_categorical num_classes": lambda v: utils.to_categorical([1, 2], v),
    "normalize": lambda v: utils.normalize(X, order=v),
    "Progbar": lambda v: utils.Progbar(v, stateful_metrics=v),
    "get_custom_objects": lambda v: utils.get_registered_object(v),
    "convert_to_tensor": ops.convert_to_tensor,
    "convert_to_tensor dtype": lambda v: ops.convert_to_tensor(X, dtype=v),
    "cast": lambda v: ops.cast(X, v),
    "add": lambda v: ops.add(X, v),
    "matmul": lambda v: ops.matmul(X, v),
    "sum axis": lambda v: ops.sum(X, axis=v),
    "max axis": lambda v: ops.max(X, axis=v),
    "reshape": lambda v: ops.reshape(X, v),
    "transpose": lambda v: ops.transpose(X, v),
    "concatenate": lambda v: ops.concatenate([X, v]),
    "concatenate axis": lambda v: ops.concatenate([X, X], axis=v),
    "stack": lambda v: ops.stack([X, v]),
    "split": lambda v: ops.split(X, v),
    "squeeze": lambda v: ops.squeeze(X, v),
    "expand_dims": lambda v: ops.expand_dims(X, v),
    "broadcast_to": lambda v: ops.broadcast_to(X, v),
    "tile": lambda v: ops.tile(X, v),
    "pad": lambda v: ops.pad(X, v),
    "pad mode": lambda v: ops.pad(X, 1, mode=v),
    "roll": lambda v: ops.roll(X, v, axis=v),
    "moveaxis": lambda v: ops.moveaxis(X, v, v),
    "einsum": lambda v: ops.einsum(v, X, X),
    "tensordot": lambda v: ops.tensordot(X, X, axes=v),
    "conv padding": lambda v: ops.conv(np.ones((1, 5, 1)), np.ones((2, 1, 1)), padding=v),
    "conv strides": lambda v: ops.conv(np.ones((1, 5, 1)), np.ones((2, 1, 1)), strides=v),
    "max_pool": lambda v: ops.max_pool(np.ones((1, 5, 1)), v),
    "one_hot": lambda v: ops.one_hot([1], v),
    "one_hot axis": lambda v: ops.one_hot([1], 2, axis=v),
    "top_k": lambda v: ops.top_k(X, v),
    "take": lambda v: ops.take(X, v, axis=0),
    "take axis": lambda v: ops.take(X, [0], axis=v),
    "gather index": lambda v: ops.convert_to_tensor(X)[v],
    "scatter": lambda v: ops.scatter(v, X, (3,)),
    "slice": lambda v: ops.slice(X, v, v),
    "arange": lambda v: ops.arange(v),
    "zeros": lambda v: ops.zeros(v),
    "full": lambda v: ops.full((2,), v),
    "eye": lambda v: ops.eye(v),
    "softmax axis": lambda v: ops.softmax(X, axis=v),
    "normalize order": lambda v: ops.normalize(X, order=v),
    "segment_sum": lambda v: ops.segment_sum(X, v),
    "while_loop": lambda v: ops.while_loop(v, v, v),
    "cond": lambda v: ops.cond(v, v, v),
    "map": lambda v: ops.map(v, X),
    "custom_gradient": lambda v: ops.custom_gradient(v)(X),
    "elementwise": lambda v: ops.elementwise(v),
    "quantile": lambda v: ops.quantile(X, v),
    "average": lambda v: ops.average(X, weights=v),
    "tree": lambda v: nkeras.tree.map_structure(lambda a, b: a, v, X),
    "attribute": lambda v: getattr(ops, LONG),
}


@pytest.fixture(autouse=True)
def _kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a value that is taken changes ends with the test."""
    monkeypatch.chdir(tmp_path)
    config, policy = nkeras.config, nkeras.config.dtype_policy()
    kept = config.floatx(), config.epsilon(), config.image_data_format()
    yield
    config.set_floatx(kept[0])
    config.set_epsilon(kept[1])
    config.set_image_data_format(kept[2])
    config.set_dtype_policy(policy)


@pytest.mark.parametrize("what", TAKE_ONE)
def test_short(what: str) -> None:
    kinds = (ValueError, TypeError, KINDS.get(what, ValueError))
    for name, value in ABSURD.items():
        raised: Exception | None = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                TAKE_ONE[what](value)
            except Exception as error:
                raised = error
        assert raised is None or isinstance(raised, kinds), (name, repr(raised)[:500])
        for said in [raised or "", *[warning.message for warning in caught]]:
            text = str(said).split("\n\nException encountered")[0]  # Python 3.10 has no notes
            assert len(text) <= 400, (name, len(text), text[:1000])


def test_two_ends_and_the_size_of_a_long_value() -> None:
    assert errors.short([1, 2]) == "[1, 2]"
    assert errors.short("a" * 500).endswith("aaa' (str of length 500)")
    assert errors.short(MANY).startswith("[0, 1, 2")
    assert errors.short(MANY).endswith("998, 999] (list of length 1000)")
    assert errors.short(np.zeros((300, 40))).endswith("(shape (300, 40))")
    assert "\n" not in errors.short(np.zeros((3, 3)))
    assert all(len(errors.short(value)) <= 100 for value in ABSURD.values())


def test_a_repr_that_raises_does_no_harm() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert errors.short(Broken()) == "<Broken whose repr raises RuntimeError>"
    assert errors.short(deep) == "<list whose repr raises RecursionError>"


def test_unknown_names_get_the_three_that_are_most_like_them() -> None:
    model = _wide()
    with pytest.raises(ValueError, match=r"No such layer: 'out_4_'.* Did you mean 'out_4.*\?$"):
        model.get_layer("out_4_")
    with pytest.raises(ValueError, match=r"Unknown backend: 'numby'.* Did you mean 'numpy'"):
        nkeras.use_backend("numby").__enter__()
    stopping = callbacks.EarlyStopping(monitor="mean_absolut_error", mode="min")
    with pytest.warns(UserWarning, match="Did you mean 'mean_absolute_error'?"):
        _model(metrics=["mean_absolute_error"]).fit(X, Y, callbacks=[stopping], verbose=0)
