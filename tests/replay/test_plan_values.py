"""Plain Python values that users' functions read: a change takes effect in the next step."""

from __future__ import annotations

import functools
import types
from collections import deque

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.core.python_values import PythonValues
from tests.replay.replays import both_ways, needs_plans, numbers

pytestmark = needs_plans

FACTOR = 1.0
BOX = {"a": 1.0}
settings = types.ModuleType("settings_of_a_user")
settings.factor = 1.0


class Options:
    """A class whose attributes are settings."""

    factor = 1.0

    @classmethod
    def scaled(cls, value):
        return cls.factor * value


class Slotted:
    __slots__ = ("factor",)


def error(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def scaled_by_global(y_true, y_pred):
    return FACTOR * error(y_true, y_pred)


def of_a_function(y_true, y_pred):
    return scaled_by_global(y_true, y_pred)


def set_global(value):
    global FACTOR
    FACTOR = value


def closure():
    factor = 1.0

    def loss(y_true, y_pred):
        return factor * error(y_true, y_pred)

    def change(value):
        nonlocal factor
        factor = value

    return loss, change


def through_object(holder, read):
    return lambda y_true, y_pred: read(holder) * error(y_true, y_pred)


def default():
    def loss(y_true, y_pred, factor=1.0):
        return factor * error(y_true, y_pred)

    return loss, lambda value: setattr(loss, "__defaults__", (value,))


def keyword_default():
    def loss(y_true, y_pred, *, factor=1.0):
        return factor * error(y_true, y_pred)

    return loss, lambda value: loss.__kwdefaults__.update(factor=value)


def partial():
    factors = [1.0]
    loss = functools.partial(lambda factors, t, p: factors[0] * error(t, p), factors)
    return loss, lambda value: factors.__setitem__(0, value)


def method():
    class Holder:
        def __init__(self):
            self.factor = 1.0

        def loss(self, y_true, y_pred):
            return self.factor * error(y_true, y_pred)

    holder = Holder()
    return holder.loss, lambda value: setattr(holder, "factor", value)


def loss_class():
    class Scaled(nkeras.losses.Loss):
        factors = (1.0,)

        def call(self, y_true, y_pred):
            return self.factors[0] * error(y_true, y_pred)

    return Scaled(), lambda value: setattr(Scaled, "factors", (value,))


def simple(holder, read, change):
    return lambda: (through_object(holder, read), change)


namespace, slotted = types.SimpleNamespace(factor=1.0), Slotted()
nested = types.SimpleNamespace(inner=types.SimpleNamespace(factor=1.0))
slotted.factor = 1.0
array, queue, chosen = np.ones(3), deque([1.0]), {1.0}
LOSSES = {
    "global": lambda: (scaled_by_global, set_global),
    "global of a function that it calls": lambda: (of_a_function, set_global),
    "closure": closure,
    "dict": lambda: (lambda t, p: BOX["a"] * error(t, p), lambda value: BOX.update(a=value)),
    "namespace": simple(namespace, lambda h: h.factor, lambda v: setattr(namespace, "factor", v)),
    "nested": simple(
        nested, lambda h: h.inner.factor, lambda v: vars(nested.inner).update(factor=v)
    ),
    "slots": simple(slotted, lambda h: h.factor, lambda v: setattr(slotted, "factor", v)),
    "class": simple(Options, lambda h: h.factor, lambda v: setattr(Options, "factor", v)),
    "class method": simple(
        Options, lambda h: h.scaled(1.0), lambda v: setattr(Options, "factor", v)
    ),
    "module": simple(settings, lambda h: h.factor, lambda v: setattr(settings, "factor", v)),
    "array": simple(array, lambda h: float(h[1]), lambda v: array.fill(v)),
    "deque": simple(queue, lambda h: h[0], lambda v: queue.__setitem__(0, v)),
    "set": simple(chosen, max, lambda v: (chosen.clear(), chosen.add(v))),
    "default": default,
    "keyword default": keyword_default,
    "partial": partial,
    "method": method,
    "attribute of a loss' class": loss_class,
}


class Change(nkeras.callbacks.Callback):
    """Changes something each two epochs."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def on_epoch_begin(self, epoch, logs=None):
        self.change(1.0 + epoch // 3)


def fit(model, change):
    change(1.0)
    x, y = numbers(24, 4), numbers(24, 3, seed=1)
    history = model.fit(
        x, y, batch_size=8, epochs=7, shuffle=False, verbose=0, callbacks=[Change(change)]
    )
    change(1.0)
    return history.history["loss"]


@pytest.mark.parametrize("kind", list(LOSSES))
def test_a_loss_reads(kind):
    def use(model):
        loss, change = LOSSES[kind]()
        model.compile(nkeras.optimizers.SGD(0.05), loss, run_eagerly=model.run_eagerly)
        return fit(model, change)

    model = both_ways(lambda: nkeras.Sequential([nkeras.Input((4,)), layers.Dense(3)]), use)
    assert model._plans._earned > 5  # between two changes steps are replayed


@pytest.mark.parametrize("name", ["matplotlib.pyplot", "somebody.else"])
def test_libraries_that_stand_beside_a_step_are_not_looked_into(name):
    module = types.ModuleType(name)
    module.figures = 0
    values = PythonValues(lambda value: False)
    values.note(lambda: module.figures)
    module.figures = 1
    assert values.change() == (None if "plot" in name else "figures")


class Own(nkeras.Layer):
    """A layer with settings in containers of its own."""

    def __init__(self):
        super().__init__()
        self.options, self.factors = {"a": 1.0}, [[1.0]]

    def call(self, inputs):
        return inputs * self.options["a"] * self.factors[0][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda layer, value: layer.options.update(a=value),
        lambda layer, value: layer.factors.__setitem__(0, [value]),
        lambda layer, value: layer.factors[0].__setitem__(0, value),
    ],
)
def test_a_layer_reads_its_containers(change):
    def use(model):
        model.compile(nkeras.optimizers.SGD(0.05), "mse", run_eagerly=model.run_eagerly)
        return fit(model, lambda value: change(model.layers[1], value))

    model = both_ways(lambda: nkeras.Sequential([nkeras.Input((4,)), layers.Dense(3), Own()]), use)
    assert model._plans._earned > 5


@pytest.mark.parametrize("where", ["lambda", "regularizer", "constraint", "activation", "metric"])
def test_functions_elsewhere_read(where):
    box = {"a": 1.0}

    def make():
        parts = {
            "activation": lambda x: x * box["a"],
            "kernel_regularizer": lambda w: box["a"] * ops.sum(w * w),
            "kernel_constraint": lambda w: ops.clip(w, -box["a"] / 4, box["a"] / 4),
        }
        given = {name: part for name, part in parts.items() if name.endswith(where)}
        more = [layers.Lambda(lambda x: x * box["a"])] if where == "lambda" else []
        return nkeras.Sequential([nkeras.Input((4,)), layers.Dense(3, **given), *more])

    def of_metric(y_true, y_pred):
        return box["a"] * error(y_true, y_pred)

    def use(model):
        metrics = [of_metric] if where == "metric" else []
        optimizer = nkeras.optimizers.SGD(0.05)
        model.compile(optimizer, "mse", metrics=metrics, run_eagerly=model.run_eagerly)
        found = fit(model, lambda value: box.update(a=value))
        return [*found, *model.history.history.get("of_metric", [])]

    assert both_ways(make, use)._plans._earned > 5


def test_a_step_and_a_function_of_ones_own_read():
    box = {"a": 1.0}

    class Scaled(nkeras.Sequential):
        def train_step(self, data):
            x, y = data
            return super().train_step((x * box["a"], y))

    def use(model):
        model.compile("sgd", "mse", run_eagerly=model.run_eagerly)
        return fit(model, lambda value: box.update(a=value))

    both_ways(lambda: Scaled([nkeras.Input((4,)), layers.Dense(3)]), use)

    function = nkeras.function(lambda x: x * box["a"])
    for step in range(16):
        box["a"] = 1.0 + step // 5
        assert float(function(ops.ones((1,)))[0]) == box["a"]
    assert function._plans._earned > 2


def test_what_reads_what_it_changes_itself_runs_as_it_comes():
    counts = {"n": 0.0}

    @nkeras.function
    def count(x):
        counts["n"] += 1
        return x * counts["n"]

    assert [float(count(ops.ones((1,)))[0]) for _ in range(24)] == list(range(1, 25))
    assert "counts" in count.refusals()[0]


def test_models_of_our_layers_have_nothing_to_compare():
    model = nkeras.Sequential(
        [nkeras.Input((4,)), layers.Dense(3, activation="relu", kernel_regularizer="l2")]
    )
    model.compile("adam", "mse", metrics=["mae", nkeras.metrics.RootMeanSquaredError()])
    model.fit(numbers(24, 4), numbers(24, 3), batch_size=8, epochs=3, verbose=0)
    (entry,) = [entry for entry in model._plans._entries.values() if entry.plan is not None]
    assert not entry.guard._values
