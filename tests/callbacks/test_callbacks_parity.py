"""Callbacks in a whole `fit`, against Keras."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.same_code import agree

RNG = np.random.default_rng(1)
DATA = {
    "x": RNG.normal(size=(16, 3)).astype("float32"),
    "y": RNG.normal(size=(16, 1)).astype("float32"),
    "kernel": RNG.normal(size=(3, 1)).astype("float32"),
}
CASES = {
    "stop": 'keras.callbacks.EarlyStopping(monitor="val_loss", patience=2)',
    "stop and restore": (
        'keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)'
    ),
    "stop by delta": 'keras.callbacks.EarlyStopping("loss", min_delta=0.2, start_from_epoch=1)',
    "stop at baseline": 'keras.callbacks.EarlyStopping("loss", baseline=0.1, patience=3)',
    "stop by metric": 'keras.callbacks.EarlyStopping("val_mae", patience=1)',
    "plateau": (
        'keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=1, min_lr=0.01)'
    ),
    "plateau and cooldown": (
        'keras.callbacks.ReduceLROnPlateau("loss", 0.5, 1, cooldown=2, min_delta=0.3)'
    ),
    "schedule": "keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.7)",
    "schedule by epoch": "keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))",
    "nan": "keras.callbacks.TerminateOnNaN()",
    "csv": "keras.callbacks.CSVLogger(path)",
    "lambda": (
        "keras.callbacks.LambdaCallback("
        "on_epoch_end=lambda epoch, logs: told.append([epoch, dict(logs)]), "
        "on_train_batch_end=lambda batch, logs: told.append([batch, dict(logs)]), "
        "on_train_end=lambda logs: told.append(dict(logs)))"
    ),
}


@pytest.mark.parametrize(
    "case",
    [
        one if one in ("stop and restore", "csv") else pytest.param(one, marks=pytest.mark.long)
        for one in CASES
    ],
)
def test_as_keras(oracle, case):
    agree(
        oracle,
        f"""
import os, tempfile
layer = keras.layers.Dense(1)
model = keras.Sequential([keras.Input((3,)), layer])
layer.set_weights([kernel, np.zeros(1, "float32")])
model.compile(keras.optimizers.SGD(0.4), "mse", metrics=["mae"])
told = []
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "log.csv")
    callback = {CASES[case]}
    history = model.fit(x, y, epochs=9, batch_size=8, shuffle=False, verbose=0,
                        validation_split=0.4, callbacks=[callback])
    if os.path.exists(path):
        with open(path, newline="") as file:
            lines = [line.split(",") for line in file.read().split()]
        told = [lines[0], [[float(one) for one in line] for line in lines[1:]]]
result = [history.history, history.epoch, model.get_weights(), told,
          float(model.optimizer.learning_rate)]
""",
        rtol=2e-4,
        **DATA,
    )
