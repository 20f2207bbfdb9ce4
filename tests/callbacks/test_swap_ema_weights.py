"""SwapEMAWeights in `fit`, `evaluate` and `predict`, against Keras."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import callbacks, optimizers
from tests.training.same_code import agree

RNG = np.random.default_rng(2)
DATA = {
    "x": RNG.normal(size=(16, 3)).astype("float32"),
    "y": RNG.normal(size=(16, 1)).astype("float32"),
    "kernel": RNG.normal(size=(3, 1)).astype("float32"),
}
CODE = """
layer = keras.layers.Dense(1)
model = keras.Sequential([keras.Input((3,)), layer])
layer.set_weights([kernel, np.zeros(1, "float32")])
optimizer = {optimizer}
model.compile(optimizer, "mse")
seen = []
look = keras.callbacks.LambdaCallback(
    on_epoch_begin=lambda epoch, logs: seen.append(model.get_weights()),
    on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()),
)
swap = keras.callbacks.SwapEMAWeights(swap_on_epoch={on_epoch})
history = model.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0,
                    validation_data=(x, y), callbacks=[swap, look])
evaluated = model.evaluate(x, y, verbose=0, callbacks=[keras.callbacks.SwapEMAWeights()])
result = [history.history, seen, model.get_weights(), evaluated, model.get_weights()]
"""


@pytest.mark.parametrize("on_epoch", [False, True])
@pytest.mark.parametrize(
    "optimizer",
    [
        "keras.optimizers.SGD(0.2, use_ema=True, ema_momentum=0.7)",
        "keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.2, use_ema=True))",
    ],
)
def test_as_keras(oracle, optimizer, on_epoch):
    agree(oracle, CODE.format(optimizer=optimizer, on_epoch=on_epoch), rtol=2e-5, **DATA)


def trained(optimizer, *told):
    model = nkeras.Sequential([nkeras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    model.fit(DATA["x"], DATA["y"], epochs=2, batch_size=4, verbose=0, callbacks=list(told))
    return model


def test_predictions_are_those_of_the_averages_and_training_goes_on():
    optimizer = optimizers.SGD(0.1, use_ema=True)
    model = trained(optimizer)
    model.train_on_batch(DATA["x"], DATA["y"])
    weights = model.get_weights()
    averages = [average.numpy() for _, average in optimizer.averages()]
    found = model.predict(
        DATA["x"], batch_size=4, verbose=0, callbacks=[callbacks.SwapEMAWeights()]
    )
    np.testing.assert_allclose(found, DATA["x"] @ averages[0] + averages[1], rtol=1e-5)
    for one, other in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_several_optimizers():
    chosen = optimizers.OptimizerMap(
        optimizers.SGD(0.1), {".*/bias": optimizers.SGD(0.1, use_ema=True)}
    )
    trained(optimizers.MultiOptimizer(chosen), callbacks.SwapEMAWeights(swap_on_epoch=True))


def test_stopping_early_keeps_the_averages():
    class Stop(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.seen = self.model.get_weights()

    look = Look()
    optimizer = optimizers.SGD(0.1, use_ema=True)
    model = trained(optimizer, Stop(), callbacks.SwapEMAWeights(swap_on_epoch=True), look)
    for one, other in zip(look.seen, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class Fail(callbacks.Callback):
    """Raises at one moment."""

    def __init__(self, moment):
        super().__init__()
        setattr(self, moment, self.fail)

    def fail(self, *_, **__):
        raise RuntimeError("no more")


@pytest.mark.parametrize("method", ["evaluate", "predict"])
@pytest.mark.parametrize("order", [1, -1])
def test_an_exception_leaves_the_weights_of_training(method, order):
    optimizer = optimizers.SGD(0.1, use_ema=True)
    model = trained(optimizer)
    model.train_on_batch(DATA["x"], DATA["y"])
    weights = model.get_weights()
    averages = [average.numpy() for _, average in optimizer.averages()]
    event = {"evaluate": "on_test_batch_end", "predict": "on_predict_batch_end"}[method]
    swap = callbacks.SwapEMAWeights()
    with pytest.raises(RuntimeError, match="no more"):
        getattr(model, method)(
            DATA["x"],
            **({"y": DATA["y"]} if method == "evaluate" else {}),
            verbose=0,
            callbacks=[swap, Fail(event)][::order],
        )
    np.testing.assert_equal(model.get_weights(), weights)
    np.testing.assert_equal([average.numpy() for _, average in optimizer.averages()], averages)
    model.predict(DATA["x"], verbose=0, callbacks=[swap])  # it can be used again
    np.testing.assert_equal(model.get_weights(), weights)


@pytest.mark.parametrize("moment", ["on_epoch_end", "on_test_batch_end"])
def test_an_exception_in_training_leaves_the_weights_of_training(moment):
    optimizer = optimizers.SGD(0.1, use_ema=True)
    model = nkeras.Sequential([nkeras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    seen = []
    look = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(model.get_weights())
    )
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(
            DATA["x"],
            DATA["y"],
            epochs=3,
            batch_size=4,
            verbose=0,
            validation_data=(DATA["x"], DATA["y"]),
            callbacks=[callbacks.SwapEMAWeights(swap_on_epoch=True), look, Fail(moment)],
        )
    np.testing.assert_equal(model.get_weights(), seen[-1])


def test_averages_are_needed():
    with pytest.raises(ValueError, match="must be made with `use_ema=True`"):
        trained(optimizers.SGD(0.1), callbacks.SwapEMAWeights(swap_on_epoch=True))
