"""ModelCheckpoint: when it writes which file."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import callbacks, layers
from tests.callbacks.test_callbacks_parity import DATA
from tests.training.same_code import agree

X, Y = DATA["x"], DATA["y"]


def make_model():
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def fit(path, epochs=3, **arguments):
    model = make_model()
    callback = callbacks.ModelCheckpoint(path, **arguments)
    data = {"validation_data": (X, Y), "batch_size": 4, "shuffle": False}
    model.fit(X, Y, epochs=epochs, verbose=0, callbacks=[callback], **data)
    return model, callback


NAMES = {
    "epochs": '"{epoch:02d}.keras"',
    "results": '"{epoch}-{loss:.2f}-{val_mae:.2f}.weights.h5", save_weights_only=True',
    "batches": '"{epoch}-{batch:02d}-{loss:.1f}.keras", save_freq=3',
    "best": '"{epoch}.weights.h5", "val_mae", save_weights_only=True, save_best_only=True',
    "best of the largest": '"{epoch}.keras", "loss", save_best_only=True, mode="max"',
    "threshold": '"{epoch}.keras", save_best_only=True, initial_value_threshold=0.5',
    "best of batches": '"{epoch}-{batch}.keras", "loss", save_best_only=True, save_freq=2',
    "in a folder": '"a/{epoch}/model.keras"',
}


@pytest.mark.parametrize(
    "case",
    [
        one if one in ("results", "best of batches") else pytest.param(one, marks=pytest.mark.long)
        for one in NAMES
    ],
)
def test_files_have_the_names_of_keras(oracle, case):
    agree(
        oracle,
        f"""
import os, tempfile
layer = keras.layers.Dense(1)
model = keras.Sequential([keras.Input((3,)), layer])
layer.set_weights([kernel, np.zeros(1, "float32")])
model.compile(keras.optimizers.SGD(0.4), "mse", metrics=["mae"])
before = os.getcwd()
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    callback = keras.callbacks.ModelCheckpoint({NAMES[case]})
    model.fit(x, y, epochs=4, batch_size=4, shuffle=False, verbose=0,
              validation_split=0.4, callbacks=[callback])
    os.chdir(before)
    found = sorted(os.path.relpath(os.path.join(place, name), folder)
                   for place, _, names in os.walk(folder) for name in names)
result = [found, callback.best]
""",
        rtol=2e-4,
        **DATA,
    )


def test_what_was_saved_goes_on(tmp_path):
    path = tmp_path / "model.keras"
    model, _ = fit(path)
    again = nkeras.saving.load_model(path)
    for one in (model, again):
        one.fit(X, Y, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_have_the_state_of_the_optimizer(tmp_path):
    path = tmp_path / "m.weights.h5"
    model, _ = fit(path, save_weights_only=True)
    again = make_model()
    again.optimizer.build(again.trainable_variables)
    again.load_weights(path)
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations) > 0


def test_it_says_what_it_does(tmp_path, capsys):
    fit(tmp_path / "m.keras", 1, verbose=1)
    told = capsys.readouterr().out
    assert "Epoch 1: saving model to" in told
    assert "Epoch 1: finished saving model to" in told
    fit(tmp_path / "m.keras", 1, verbose=1, save_best_only=True, monitor="loss")
    assert "Epoch 1: loss improved from None to" in capsys.readouterr().out
    best = {"save_best_only": True, "monitor": "loss", "initial_value_threshold": 0.0}
    fit(tmp_path / "m.keras", 1, verbose=1, **best)
    assert "Epoch 1: loss did not improve from 0.00000" in capsys.readouterr().out


def test_best_of_what_there_is_not(tmp_path):
    with pytest.warns(UserWarning, match="no result 'val_los' to watch"):
        fit(tmp_path / "m.keras", 1, monitor="val_los", save_best_only=True, mode="min")
    assert (tmp_path / "m.keras").exists()
    callback = callbacks.ModelCheckpoint(tmp_path / "m.keras", "list", save_best_only=True)
    callback.set_model(make_model())
    with pytest.warns(UserWarning, match="no single number"):
        callback.on_epoch_end(0, {"list": np.ones(2)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filepath": "m.weights.h5", "save_freq": "batch"}, "Unrecognized save_freq"),
        ({"filepath": "m.keras", "save_freq": 0}, "Unrecognized save_freq"),
        ({"filepath": "m.keras", "save_freq": True}, "Unrecognized save_freq"),
        ({"filepath": "m.zip"}, "must end in .keras or .h5"),
        ({"filepath": "m.keras", "save_weights_only": True}, "must end in .weights.h5"),
        ({"filepath": 3}, "must be a path"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.ModelCheckpoint(**arguments)


def test_a_field_without_a_result(tmp_path):
    with pytest.raises(KeyError, match=r"Failed to format this .*There are: epoch"):
        fit(tmp_path / "{val_acc}.keras")


def test_a_folder_of_that_name(tmp_path):
    (tmp_path / "m.weights.h5").mkdir()
    with pytest.raises(IsADirectoryError, match="non-directory filepath"):
        fit(tmp_path / "m.weights.h5", save_weights_only=True)
