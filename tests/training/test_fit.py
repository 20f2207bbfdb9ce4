"""`fit`, `evaluate`, `predict`: what they return, what they refuse, what they leave behind."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import nkeras
from nkeras import layers, losses
from nkeras.callbacks import LambdaCallback
from tests.training.small_model import RNG, X, Y, make_model


def same(weights, others):
    return all(np.array_equal(a, b) for a, b in zip(weights, others, strict=True))


def test_history_holds_python_floats():
    nkeras.utils.set_random_seed(0)
    model = make_model(optimizer=nkeras.optimizers.Adam(0.05))
    history = model.fit(X, Y, epochs=3, validation_split=0.25, verbose=0)
    assert history is model.history
    assert history.epoch == [0, 1, 2]
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert all(type(value) is float for values in history.history.values() for value in values)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_results_of_evaluate():
    model = make_model()
    loss, mae = model.evaluate(X, Y, verbose=0)
    assert model.evaluate(X, Y, verbose=0, return_dict=True) == {"loss": loss, "mae": mae}
    assert type(make_model(metrics=None).evaluate(X, Y, verbose=0)) is float
    assert model.metrics_names == ["loss", "compile_metrics"]


@pytest.mark.parametrize(
    "form",
    [
        lambda: {"x": X.tolist(), "y": Y.tolist()},
        lambda: {"x": nkeras.ops.convert_to_tensor(X), "y": Y.astype("float64")},
        lambda: {"x": ((X[i : i + 10], Y[i : i + 10]) for i in (0, 10, 20, 30))},
        lambda: {"x": X, "y": Y, "batch_size": 16, "shuffle": "batch"},
        lambda: {"x": X, "y": Y, "steps_per_epoch": 2, "validation_data": (X, Y)},
        lambda: {"x": X, "y": Y, "validation_data": iter([(X, Y)])},
        lambda: {"x": X, "y": Y, "validation_split": np.float32(0.5)},
        lambda: {"x": X, "y": Y, "batch_size": np.int64(8)},
    ],
)
def test_forms_of_data(form):
    history = make_model().fit(**form(), verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_a_dict_of_inputs_and_targets_by_name():
    a, b = layers.Input((3,), name="a"), layers.Input((3,), name="b")
    both = layers.Concatenate()([a, b])
    outputs = [layers.Dense(2, name="left")(both), layers.Dense(1, name="right")(both)]
    model = nkeras.Model({"a": a, "b": b}, outputs)
    model.compile("sgd", {"left": "mse", "right": "mae"}, metrics={"right": ["mse"]})
    data = {"a": X, "b": X}, {"right": Y[:, :1], "left": Y}
    history = model.fit(*data, verbose=0)
    assert list(history.history) == ["left_loss", "loss", "right_loss", "right_mse"]
    left, right = model.predict(data[0], verbose=0)
    assert left.shape == (40, 2)
    assert right.shape == (40, 1)


def test_metrics_chosen_by_shape():
    model = make_model(3, loss="crossentropy", metrics=["acc", "crossentropy"])
    model.fit(X, np.arange(40) % 3, verbose=0)
    assert list(model.history.history) == ["acc", "crossentropy", "loss"]
    model = make_model(1, loss={"only": "bce"}, metrics={"only": ["accuracy"]})
    model.fit(X, np.arange(40) % 2, verbose=0)
    assert isinstance(model.metrics[1].metrics[0], nkeras.metrics.BinaryAccuracy)


@pytest.mark.parametrize("rows", [0, 1, 32, 33])
def test_predict_by_rows(rows):
    model = make_model()
    x = RNG.normal(size=(rows, 3))
    found = model.predict(x, verbose=0)
    assert isinstance(found, np.ndarray)
    assert found.shape == (rows, 2)
    assert found.dtype == "float32"
    batches = [x[i : i + 5] for i in range(0, rows, 5)]
    if batches:
        np.testing.assert_allclose(model.predict(iter(batches), verbose=0), found, rtol=1e-6)


def test_predict_of_a_tensor_and_of_a_structure():
    class Twice(nkeras.Model):
        def call(self, inputs):
            return {"a": inputs, "b": (inputs * 2.0,)}

    x = np.arange(6.0).reshape(3, 2)
    for data in (x, nkeras.ops.convert_to_tensor(x)):
        found = Twice().predict(data, verbose=0)
        np.testing.assert_array_equal(found["b"][0], 2 * x)
    batched = Twice().predict(x, batch_size=2, verbose=0)
    np.testing.assert_array_equal(batched["b"][0], 2 * x)
    found["a"][:] = 7  # it is the caller's own
    assert float(data[0, 0]) == 0.0


def test_predict_shows_a_bar_only_if_asked(capsys):
    model = make_model()
    model.predict(X[:4])
    assert capsys.readouterr().out == ""
    model.predict(X[:4], verbose=2)
    assert "1/1" in capsys.readouterr().out
    model.predict(X)
    assert "2/2" in capsys.readouterr().out


def test_predict_and_evaluate_change_nothing():
    model = make_model()
    model.fit(X, Y, verbose=0)
    before = [variable.numpy() for variable in model.variables]
    model.predict(X, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model(X)
    model.compute_output_shape((None, 3))
    assert same(before, [variable.numpy() for variable in model.variables])


def test_threads_may_predict_at_once():
    model = make_model()
    expected = model.predict(X, verbose=0)
    wrong = []

    def work():
        for size in (40, 7, 1):
            if not np.array_equal(model.predict(X[:size], verbose=0), expected[:size]):
                wrong.append(size)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def run_with_seed(seed):
    nkeras.utils.set_random_seed(seed)
    model = make_model()
    history = model.fit(X, Y, epochs=2, validation_split=0.2, verbose=0).history
    return history, model.get_weights()


def test_the_same_seed_gives_the_same_bits():
    history, weights = run_with_seed(5)
    again, weights_again = run_with_seed(5)
    assert history == again
    assert same(weights, weights_again)
    other, _ = run_with_seed(6)
    assert history != other


@pytest.mark.parametrize("when", ["on_train_batch_begin", "on_train_batch_end"])
def test_an_interrupt_leaves_a_usable_model(when):
    model = make_model()
    ended = []

    def interrupt(batch, logs):
        if batch == 2:
            raise KeyboardInterrupt

    callback = LambdaCallback(**{when: interrupt}, on_train_end=lambda logs: ended.append(1))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=[callback])
    assert not ended
    assert np.isfinite(model.predict(X, verbose=0)).all()
    first = model.evaluate(X, Y, verbose=0)[0]
    history = model.fit(X, Y, epochs=30, verbose=0)
    assert history.history["loss"][-1] < first
    x = nkeras.ops.convert_to_tensor(X)
    with nkeras.GradientTape() as tape:  # no tape was left recording
        tape.watch(x)
        y = nkeras.ops.sum(model(x))
    assert tape.gradient(y, x).shape == X.shape


def test_an_interrupt_in_the_middle_of_a_gradient():
    model = make_model()
    model.fit(X, Y, verbose=0)
    before = model.get_weights()

    def broken(y_true, y_pred):
        raise KeyboardInterrupt

    model.compile("sgd", broken)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, verbose=0)
    assert same(before, model.get_weights())
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


def test_stop_training_from_a_step():
    model = make_model()
    seen = []

    def stop(batch, logs):
        seen.append(batch)
        model.stop_training = batch == 1

    history = model.fit(
        X, Y, batch_size=8, epochs=5, verbose=0, callbacks=LambdaCallback(on_train_batch_end=stop)
    )
    assert seen == [0, 1]
    assert history.epoch == [0]
    assert model.fit(X, Y, verbose=0).epoch == [0]


def test_a_generator_that_ends_ends_training():
    batches = ((X[:8], Y[:8]) for _ in range(3))
    with pytest.warns(UserWarning, match="ran out of data"):
        history = make_model().fit(batches, epochs=3, verbose=0)
    assert history.epoch == [0]


def test_steps_do_not_compute_results_that_nobody_looks_at(monkeypatch):
    model = make_model()
    calls = []
    results = type(model).get_metrics_result
    monkeypatch.setattr(
        type(model), "get_metrics_result", lambda self: calls.append(1) or results(self)
    )
    model.fit(X, Y, batch_size=2, verbose=0)
    assert len(calls) == 1  # at the end of the epoch
    listener = LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    model.fit(X, Y, batch_size=2, verbose=0, callbacks=listener)
    assert len(calls) == 22


class Custom(nkeras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)
        self.tracker = nkeras.metrics.Mean(name="own")

    def call(self, inputs):
        return self.dense(inputs)

    def train_step(self, data):
        x, y = data
        with nkeras.GradientTape() as tape:
            loss = nkeras.ops.mean((self(x) - y) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.tracker.update_state(loss)
        return {"own": self.tracker.result(), "twice": loss * 2.0}

    @property
    def metrics(self):
        return [self.tracker]


def test_a_train_step_of_ones_own():
    model = Custom()
    model.compile("sgd")
    history = model.fit(X, Y, epochs=40, verbose=0).history
    assert list(history) == ["own", "twice"]
    assert history["own"][-1] < history["own"][0]
    assert list(model.train_on_batch(X, Y, return_dict=True)) == ["own", "twice"]


def test_a_model_without_call_may_train():
    class Pair(nkeras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(1)

        def train_step(self, data):
            with nkeras.GradientTape() as tape:
                loss = nkeras.ops.mean(self.inner(data) ** 2)
            variables = self.inner.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            return {"loss": loss}

    model = Pair()
    model.compile("sgd")
    # One batch: losses of an epoch's last batch depend on how it was shuffled.
    history = model.fit(X, epochs=5, batch_size=len(X), verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_compute_loss_of_ones_own():
    class Penalised(nkeras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return super().compute_loss(x, y, y_pred, sample_weight) + 10.0

    model = Penalised([layers.Dense(2, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    assert model.evaluate(X, np.zeros_like(Y), verbose=0) == 10.0


def test_compile_again_from_its_config():
    model = make_model(
        loss=losses.Huber(0.5), weighted_metrics=["mse"], loss_weights=[2.0], steps_per_execution=2
    )
    other = nkeras.Sequential([layers.Dense(2)])
    other.build((None, 3))
    other.compile_from_config(model.get_compile_config())
    assert other.loss.delta == 0.5
    assert other.steps_per_execution == 2
    assert other.optimizer.built
    other.fit(X, Y, verbose=0)
    assert list(other.history.history) == ["loss", "mae", "mse"]
    assert nkeras.Sequential([]).get_compile_config() == {}


def test_a_compile_of_ones_own_is_not_called_from_a_config():
    class Own(nkeras.Sequential):
        def compile(self, scale):
            super().compile("sgd", "mse")

    with pytest.warns(UserWarning, match="is custom"):
        Own([layers.Dense(2)]).compile_from_config(make_model().get_compile_config())


def test_a_model_without_weights_says_so():
    model = nkeras.Sequential([layers.Identity()])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="no"):
        model.fit(Y, Y, verbose=0)


def test_nested_outputs():
    class Nested(nkeras.Model):
        def call(self, inputs):
            return {"a": [inputs, inputs * 2.0], "b": inputs}

    model = Nested()
    model.compile("sgd", {"a": ["mse", "mae"], "b": None}, metrics={"a": [["mae"], []], "b": []})
    zero = np.zeros_like(Y)
    found = model.evaluate(Y, {"a": [zero, zero], "b": zero}, verbose=0, return_dict=True)
    far = np.abs(Y).mean()
    parts = {"a/mae_loss": 2 * far, "mae": far}
    assert {name: found[name] for name in parts} == pytest.approx(parts, rel=1e-5)


def test_metrics_of_nested_models_are_their_own():
    inner = make_model()
    inner(X)
    outer = nkeras.Sequential([layers.Input((3,)), inner])
    outer.compile("sgd", "mse")
    assert outer.metrics_names == ["loss"]
    outer.fit(X, Y, verbose=0)
    assert list(outer.history.history) == ["loss"]


def test_compiling_again_keeps_no_old_metrics():
    model = make_model()
    model.fit(X, Y, verbose=0)
    model.compile("sgd", "mse")
    assert list(model.fit(X, Y, verbose=0).history) == ["loss"]
    assert not model.non_trainable_weights  # metrics are no weights of the model


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda leaf: pickle.loads(pickle.dumps(leaf))]
)
def test_copies_of_a_model_go_on_training(duplicate):
    model = make_model()
    model.fit(X, Y, verbose=0)
    other = duplicate(model)
    for one in (model, other):
        nkeras.utils.set_random_seed(1)
        one.fit(X, Y, verbose=0, shuffle=False)
    assert same(model.get_weights(), other.get_weights())
