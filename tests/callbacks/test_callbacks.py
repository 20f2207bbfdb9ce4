"""Callbacks: who is told what and when, and the arguments of each."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import nkeras
from nkeras import callbacks, layers
from nkeras.callbacks.callback_list import LazyLogs, to_numbers

X, Y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")


def make_model(rate=0.1, **compiled):
    model = nkeras.Sequential([layers.Dense(1, kernel_initializer="zeros")])
    model.compile(**{"optimizer": nkeras.optimizers.SGD(rate), "loss": "mse", **compiled})
    return model


class Recorder(callbacks.Callback):
    """Writes down each event."""

    def __init__(self):
        super().__init__()
        self.events = []


def _record(name):
    def method(self, *arguments, logs=None):
        self.events.append(name)

    return method


for _stage in ("train", "test", "predict"):
    for _moment in ("begin", "end", "batch_begin", "batch_end"):
        _name = f"on_{_stage}_{_moment}"
        setattr(Recorder, _name, _record(_name))
for _name in ("on_epoch_begin", "on_epoch_end"):
    setattr(Recorder, _name, _record(_name))


def test_order_of_events():
    recorder = Recorder()
    model = make_model()
    model.fit(X, Y, epochs=1, batch_size=8, verbose=0, validation_data=(X, Y), callbacks=[recorder])
    train = ["on_train_batch_begin", "on_train_batch_end"]
    test = ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end"]
    epoch = ["on_epoch_begin", *train, *test, "on_epoch_end"]
    assert recorder.events == ["on_train_begin", *epoch, "on_train_end"]
    assert recorder.model is model
    assert recorder.params == {"verbose": 0, "epochs": 1, "steps": 1}
    recorder.events.clear()
    model.evaluate(X, Y, verbose=0, callbacks=[recorder])
    assert recorder.events == test
    recorder.events.clear()
    model.predict(X, verbose=0, callbacks=[recorder])
    assert recorder.events == [one.replace("test", "predict") for one in test]


def test_older_names_of_batch_events():
    seen = []

    class Old(callbacks.Callback):
        def on_batch_begin(self, batch, logs=None):
            seen.append(("begin", batch, logs))

        def on_batch_end(self, batch, logs=None):
            seen.append(("end", batch, logs))

    make_model().fit(X, Y, batch_size=4, verbose=0, shuffle=False, callbacks=Old())
    assert [one[:2] for one in seen] == [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]
    assert seen[1][2] == {"loss": 1.0}
    assert type(seen[1][2]["loss"]) is float


def test_all_methods_of_a_lambda_callback():
    told = []
    one = callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: told.append("epoch begin"),
        on_epoch_end=lambda epoch, logs: told.append(logs["loss"]),
        on_train_begin=lambda logs: told.append("begin"),
        on_train_end=lambda logs: told.append("end"),
        on_train_batch_begin=lambda batch, logs: told.append(batch),
        on_train_batch_end=lambda batch, logs: told.append(batch),
        on_test_begin=lambda logs: told.append("test"),
        tag="kept",
    )
    make_model().fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=[one])
    assert told == ["begin", "epoch begin", 0, 0, "test", 1.0, "end"]
    assert one.tag == "kept"


def test_predict_callbacks_get_outputs():
    shapes = []

    class Shapes(callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            shapes.append(logs["outputs"].shape)

    make_model().predict(X, batch_size=5, verbose=0, callbacks=[Shapes()])
    assert shapes == [(5, 1), (3, 1)]


def test_evaluation_and_prediction_can_be_stopped():
    class Stop(callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = True

        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = True

    model = make_model()
    assert model.predict(X, batch_size=3, verbose=0, callbacks=[Stop()]).shape == (3, 1)
    y = np.concatenate([np.zeros((4, 1)), Y[4:]])
    assert model.evaluate(X, y, batch_size=4, verbose=0, callbacks=[Stop()]) == 0.0
    assert model.predict(X, batch_size=3, verbose=0).shape == (8, 1)


def test_lists_of_callbacks():
    history, recorder = callbacks.History(), Recorder()
    made = callbacks.CallbackList([[history], recorder], add_history=True, add_progbar=True)
    assert [type(callback) for callback in made.callbacks[:2]] == [callbacks.History, Recorder]
    assert len(made.callbacks) == 3
    late = Recorder()
    made = callbacks.CallbackList(recorder)
    made.on_train_batch_end(0)
    made.append(late)
    made.on_train_batch_end(1)
    assert len(recorder.events) == 2
    assert len(late.events) == 1


def test_a_callback_list_is_used_as_it_is():
    model = make_model()
    made = callbacks.CallbackList(
        [Recorder()], add_history=True, model=model, verbose=0, epochs=1, steps=1
    )
    history = model.fit(X, Y, callbacks=made)
    assert history is made.callbacks[1]


def test_numbers_of_logs():
    tensor = nkeras.ops.convert_to_tensor(2.0)
    found = to_numbers({"b": tensor, "a": {"c": np.float32(1)}, "d": np.zeros(3), "e": "text"})
    assert list(found) == ["c", "b", "d", "e"]
    assert type(found["b"]) is float
    assert found["d"].shape == (3,)
    assert to_numbers(None) == {}


def test_lazy_logs_compute_once():
    calls = []
    logs = LazyLogs(lambda: calls.append(1) or {"loss": 1.0})
    assert not calls
    assert logs["loss"] == 1.0
    assert list(logs) == ["loss"]
    assert len(logs) == len(calls) == 1


def test_history_goes_on_in_the_same_object():
    model, history = make_model(), callbacks.History()
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[history])
    assert model.fit(X, Y, epochs=3, initial_epoch=2, verbose=0, callbacks=[history]) is history
    assert history.epoch == [2]
    assert len(history.history["loss"]) == 3


def test_progress_bars(capsys):
    model = make_model()
    model.fit(X, Y, epochs=2, batch_size=4, validation_data=(X, Y))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in lines[::2]] == ["Epoch 1/2", "Epoch 2/2"]
    assert all("2/2" in line and "loss:" in line and "val_loss:" in line for line in lines[1::2])
    model.fit(X, Y, verbose=2)
    assert capsys.readouterr().out.startswith("1/1 - ")
    model.fit(X, Y, verbose=0)
    assert capsys.readouterr().out == ""
    model.evaluate(X, Y)
    assert "loss:" in capsys.readouterr().out
    model.fit((one for one in [(X, Y)] * 3), verbose=1)
    assert "3/3" in capsys.readouterr().out


def test_a_terminal_sees_each_result(monkeypatch, capsys):
    from nkeras.utils import progbar

    monkeypatch.setattr(progbar, "_redraws_in_place", lambda: True)
    make_model().fit(X, Y, batch_size=4, shuffle=False)
    assert "loss: 1.0000" in capsys.readouterr().out


def feed(callback, values, name="val_loss", model=None):
    """Epochs with these results; how many there were."""
    model = model or make_model()
    model.stop_training = False
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {name: value})
        if model.stop_training:
            break
    callback.on_train_end()
    return epoch


@pytest.mark.parametrize(
    ("arguments", "values", "last"),
    [
        ({}, [3, 2, 2, 1], 2),
        ({"patience": 2}, [3, 2, 2, 2, 1], 3),
        ({"patience": 2}, [3, 2, 2, 1, 2, 1], 5),
        ({"min_delta": 0.5}, [3, 2.8, 1], 1),
        ({"mode": "max"}, [1, 2, 1], 2),
        ({"mode": "min"}, [1, 2, 1], 1),
        ({"baseline": 1.5, "patience": 2}, [3, 2.9, 2.8, 2.7], 3),
        ({"start_from_epoch": 2}, [1, 2, 3, 2, 2, 1], 4),
    ],
)
def test_early_stopping(arguments, values, last):
    assert feed(callbacks.EarlyStopping(**arguments), values) == last


def test_early_stopping_restores_the_best_weights(capsys):
    model = make_model()
    model.build((None, 2))
    stop = callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True, verbose=1)
    stop.set_model(model)
    stop.on_train_begin()
    for epoch, loss in enumerate([2.0, 1.0, 3.0]):
        model.set_weights([np.full((2, 1), epoch), np.zeros(1)])
        stop.on_epoch_end(epoch, {"loss": loss})
    assert model.stop_training
    stop.on_train_end()
    assert model.get_weights()[0][0, 0] == 1.0
    out = capsys.readouterr().out
    assert "Epoch 3: early stopping" in out
    assert "best epoch: 2" in out


def test_directions_of_metrics():
    model = make_model(metrics=["mae", "accuracy", nkeras.metrics.AUC(name="area")])
    model.fit(X, Y, verbose=0)
    for name, values in (("mae", [2, 1, 2]), ("accuracy", [1, 2, 1]), ("area", [1, 2, 1])):
        assert feed(callbacks.EarlyStopping(f"val_{name}"), values, f"val_{name}", model) == 2
    with pytest.raises(ValueError, match="mode='max'"):
        feed(callbacks.EarlyStopping("unknown"), [1], "unknown", model)


def test_warnings_of_callbacks_that_watch():
    with pytest.warns(UserWarning, match="no result 'val_loss'"):
        make_model().fit(X, Y, verbose=0, callbacks=[callbacks.EarlyStopping()])
    with pytest.warns(UserWarning, match="no result 'val_loss'"):
        make_model().fit(X, Y, verbose=0, callbacks=[callbacks.ReduceLROnPlateau()])
    with pytest.warns(UserWarning, match="'best' is unknown"):
        assert callbacks.EarlyStopping(mode="best").mode == "auto"


def test_reduce_on_plateau(capsys):
    model = make_model(1.0)
    slower = callbacks.ReduceLROnPlateau(factor=0.5, patience=2, verbose=1, cooldown=1, min_lr=0.2)
    rates = []
    slower.set_model(model)
    slower.on_train_begin()
    for epoch in range(12):
        logs = {"val_loss": 1.0}
        slower.on_epoch_end(epoch, logs)
        rates.append(logs["learning_rate"])
    assert rates[0] == 1.0
    assert rates[-1] == pytest.approx(0.2)
    assert sorted(set(rates), reverse=True) == pytest.approx([1.0, 0.5, 0.25, 0.2])
    assert "reducing learning rate to 0.5" in capsys.readouterr().out
    with pytest.raises(ValueError, match="`factor`"):
        callbacks.ReduceLROnPlateau(factor=1.0)


@pytest.mark.parametrize("wrong", [-1, "3", None])
@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (callbacks.EarlyStopping, "patience"),
        (callbacks.EarlyStopping, "start_from_epoch"),
        (callbacks.ReduceLROnPlateau, "patience"),
        (callbacks.ReduceLROnPlateau, "cooldown"),
    ],
)
def test_numbers_of_epochs_are_checked(kind, argument, wrong):
    with pytest.raises(ValueError, match=f"{kind.__name__}: argument `{argument}` must be a numb"):
        kind(**{argument: wrong})


def test_learning_rate_scheduler(capsys):
    one = callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1), verbose=1)
    two = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 2)
    history = make_model().fit(X, Y, epochs=2, verbose=0, callbacks=[one]).history
    assert history["learning_rate"] == [0.5, 0.25]
    assert "setting learning rate to 0.25" in capsys.readouterr().out
    history = make_model(0.125).fit(X, Y, epochs=2, verbose=0, callbacks=[two]).history
    assert history["learning_rate"] == [0.25, 0.5]
    wrong = callbacks.LearningRateScheduler(lambda epoch: "fast")
    with pytest.raises(ValueError, match="`schedule` must return a float"):
        make_model().fit(X, Y, verbose=0, callbacks=[wrong])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_terminate_on_nan(bad, capsys):
    y = Y.copy()
    y[4:] = bad
    model = make_model()
    guard = callbacks.TerminateOnNaN()
    history = model.fit(X, y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[guard])
    assert history.epoch == [0]
    assert "Batch 1: Invalid loss" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="at batch"):
        model.fit(X, y, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True)])


def rows(path, separator=","):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=separator))


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    make_model().fit(X, Y, epochs=2, verbose=0, callbacks=[callbacks.CSVLogger(path)])
    assert rows(path)[0] == ["epoch", "loss", "val_loss"]
    assert rows(path)[1] == ["0", "1.0", "NA"]
    more = callbacks.CSVLogger(str(path), append=True)
    make_model().fit(X, Y, epochs=1, verbose=0, validation_data=(X, Y), callbacks=[more])
    assert len(rows(path)) == 4
    assert more.csv_file is None
    fresh = callbacks.CSVLogger(path, separator=";")
    make_model().fit(X, Y, epochs=1, verbose=0, callbacks=[fresh])
    assert rows(path, ";")[0] == ["epoch", "loss", "val_loss"]
    assert len(rows(path, ";")) == 2


def test_csv_logger_before_training(tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "log.csv")
    with pytest.raises(ValueError, match="before on_train_begin"):
        logger.on_epoch_end(0, {"loss": 1.0})
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 1.0, "list": [1, 2], "text": "a", "array": np.array(3)})
    del logger  # an interrupted training: the file is closed and whole
    assert rows(tmp_path / "log.csv")[1][1:5] == ["3", '"[1, 2]"', "1.0", "a"]


@pytest.mark.parametrize("wrong", [callbacks.EarlyStopping, print, "EarlyStopping"])
def test_what_is_no_callback_is_refused(wrong):
    with pytest.raises(TypeError, match="`callbacks` must hold instances of nkeras"):
        make_model().fit(X, Y, verbose=0, callbacks=[wrong])
