"""`nkeras.config.set_max_epochs` and `set_max_steps_per_epoch` limit every training."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import nkeras
from nkeras import config

X, Y = np.ones((12, 3), "float32"), np.ones((12, 1), "float32")


@pytest.fixture(autouse=True)
def unlimited() -> Iterator[None]:
    yield
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(None)


def compiled() -> nkeras.Model:
    model = nkeras.Sequential([nkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_epochs_are_limited() -> None:
    config.set_max_epochs(2)
    assert config.max_epochs() == 2
    with pytest.warns(UserWarning, match="Limiting epochs to 2"):
        assert len(compiled().fit(X, Y, epochs=5, verbose=0).epoch) == 2
    assert len(compiled().fit(X, Y, epochs=1, verbose=0).epoch) == 1  # without a warning


@pytest.mark.parametrize("steps", [None, 5])
def test_steps_are_limited(steps: int | None) -> None:
    config.set_max_steps_per_epoch(3)
    model = compiled()
    with pytest.warns(UserWarning, match="Limiting steps_per_epoch to 3"):
        model.fit(X, Y, batch_size=2, steps_per_epoch=steps, verbose=0)
    assert model.optimizer is not None
    assert int(model.optimizer.iterations.numpy()) == 3
    with pytest.warns(UserWarning, match="Limiting"):
        assert len(model.predict(X, batch_size=2, verbose=0)) == 6
    with pytest.warns(UserWarning, match="Limiting"):
        model.evaluate(X, Y, batch_size=2, verbose=0)


def test_an_epoch_that_is_short_enough_is_left_alone() -> None:
    config.set_max_steps_per_epoch(6)
    model = compiled()
    model.fit(X, Y, batch_size=2, epochs=2, verbose=0)
    assert model.optimizer is not None
    assert int(model.optimizer.iterations.numpy()) == 12


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True])
def test_other_limits_are_refused(value: object) -> None:
    for setter in (config.set_max_epochs, config.set_max_steps_per_epoch):
        with pytest.raises(ValueError, match=f"{setter.__name__}.*a positive int or None"):
            setter(value)  # pyright: ignore[reportArgumentType]


def test_the_environment_sets_them() -> None:
    code = "from nkeras import config; print(config.max_epochs(), config.max_steps_per_epoch())"
    environment = {**os.environ, "NKERAS_MAX_EPOCHS": "3", "NKERAS_MAX_STEPS_PER_EPOCH": "7"}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["3", "7"]
    environment["NKERAS_MAX_EPOCHS"] = "many"
    failed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "NKERAS_MAX_EPOCHS must be a positive int. Received: 'many'" in failed.stderr
