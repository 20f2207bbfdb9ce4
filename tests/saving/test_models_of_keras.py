"""Models that Keras wrote open here, go on training with equal numbers, and Keras reads ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.core import tree
from tests.harness import oracle
from tests.saving import models_of_keras
from tests.saving.models_of_keras import MODELS

BY_DEFAULT = ("cnn", "subclassed", "operations")  # JAX compiles each for seconds

WRITE = """
exec(source, globals())
keras.utils.set_random_seed(1)
model, inputs, targets = MODELS[name](keras)
model.fit(inputs, targets, batch_size=4, shuffle=False, verbose=0)
model.save(path)
before = model.predict(inputs, verbose=0)
history = model.fit(inputs, targets, batch_size=4, shuffle=False, verbose=0, epochs=2).history
result = before, model.predict(inputs, verbose=0), history["loss"], int(model.optimizer.iterations)
"""

READ = """
exec(source, globals())
_, inputs, targets = MODELS[name](keras)
model = keras.saving.load_model(path)
outputs = model.predict(inputs, verbose=0)
history = model.fit(inputs, targets, batch_size=4, shuffle=False, verbose=0).history
result = outputs, history["loss"]
"""

SOURCE = Path(models_of_keras.__file__).read_text()


def assert_close(found: Any, expected: Any, tolerance: float = 2e-4) -> None:
    for one, other in zip(tree.flatten(found), tree.flatten(expected), strict=True):
        scale = max(np.abs(np.asarray(other)).max(), 1e-2)
        np.testing.assert_allclose(one, other, atol=tolerance * scale, rtol=0)


def check(name: str, folder: Path) -> None:
    path = str(folder / "of_keras.keras")
    before, after, losses, iterations = oracle.run(WRITE, source=SOURCE, name=name, path=path)
    _, inputs, targets = MODELS[name](nkeras)  # registers what belongs to it
    model = nkeras.saving.load_model(path)
    tolerance = 2e-2 if name == "mixed_precision" else 2e-4
    assert_close(model.predict(inputs, verbose=0), before, tolerance)
    history = model.fit(inputs, targets, batch_size=4, shuffle=False, verbose=0, epochs=2).history
    assert_close(history["loss"], losses, tolerance)
    assert_close(model.predict(inputs, verbose=0), after, tolerance)
    assert int(model.optimizer.iterations) == iterations

    ours = str(folder / "ours.keras")
    model.save(ours)
    outputs, losses = oracle.run(READ, source=SOURCE, name=name, path=ours)
    assert_close(model.predict(inputs, verbose=0), outputs, tolerance)
    history = model.fit(inputs, targets, batch_size=4, shuffle=False, verbose=0).history
    assert_close(history["loss"], losses, tolerance)


@oracle.requires_keras
@pytest.mark.parametrize("name", BY_DEFAULT)
def test_model(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)


@pytest.mark.long
@oracle.requires_keras
@pytest.mark.parametrize("name", [name for name in MODELS if name not in BY_DEFAULT])
def test_model_long(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)
