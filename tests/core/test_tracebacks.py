"""Tracebacks are short, end in the user's code where that failed, and name the layer."""

from __future__ import annotations

import sys
import traceback

import numpy as np
import pytest

import nkeras
from nkeras import layers


def frames(error):
    """The functions in a traceback, and which of them are not of this file."""
    found = traceback.extract_tb(error.value.__traceback__)
    return [item.name for item in found], [item for item in found if item.filename != __file__]


def text(error):
    return "".join(traceback.format_exception(error.value))


def fold(x):
    return nkeras.ops.reshape(x, (7,))


def nested():
    inner = nkeras.Sequential([layers.Lambda(fold, name="odd")], name="inner")
    return nkeras.Sequential([inner], name="outer")


FEW = 0 if sys.version_info >= (3, 11) else 5  # frames of nkeras

X, Y = np.ones((2, 4), "float32"), np.ones((2, 7), "float32")


def compiled(loss="mse"):
    model = nkeras.Sequential([nkeras.Input((4,)), layers.Dense(3), layers.Dense(2)])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    "use",
    [
        lambda: compiled().predict(X[:, :3], verbose=0),
        lambda: compiled().fit(X, Y, verbose=0),
        lambda: compiled().train_on_batch(X, Y),
        lambda: layers.Dense(2)(X[0]),
        lambda: nkeras.ops.matmul(X, X),
        lambda: nkeras.Sequential().add(3),
    ],
)
def test_frames_of_nkeras_are_left_out(use):
    with pytest.raises(ValueError, match=r"\w") as error:
        use()
    assert len(frames(error)[1]) <= FEW
    assert len(text(error).splitlines()) <= 24


def test_the_last_line_is_the_users():
    with pytest.raises(ValueError, match="reshape") as error:
        nested()(X)
    assert frames(error)[0][-1] == "fold" or FEW
    with pytest.raises(ValueError, match="cannot reshape") as error:
        compiled(lambda y_true, y_pred: np.reshape(y_true, (99,))).fit(X, Y[:, :2], verbose=0)
    assert frames(error)[0][-1] == "<lambda>"


def test_frames_of_nkeras_are_left_out_of_causes():
    class Block(nkeras.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(4)

        def call(self, x):
            return self.inner(x) + x

    with pytest.raises(RuntimeError, match="cannot be broadcast") as error:
        Block()(nkeras.Input((3,)))
    cause = traceback.extract_tb(error.value.__cause__.__traceback__)
    assert cause[-1].name == "call" or FEW
    assert len(text(error).splitlines()) <= 24 + 4 * FEW


def test_the_innermost_layer_is_named_once():
    with pytest.raises(ValueError, match="reshape") as error:
        nested()(X)
    said = text(error)
    assert said.count("Exception encountered when calling") == 1
    assert "Lambda.call() of layer" in said
    assert "'outer/inner/odd'" in said
    assert "inputs=" in said
    assert "shape=(2, 4)" in said


def test_a_layer_says_where_it_stands():
    class Fails(nkeras.Layer):
        def call(self, inputs, training=None):
            raise KeyError("not here")

    class Outer(nkeras.Layer):
        def __init__(self):
            super().__init__(name="outer")
            self.inner = Fails(name="inner")

        def build(self, input_shape):
            self.inner.build(input_shape)

        def call(self, inputs, training=None):
            return self.inner(inputs, training=training)

    with pytest.raises(KeyError) as error:
        Outer()(X, training=True)
    assert "Fails.call() of layer 'outer/inner'" in text(error)
    assert "training=True" in text(error)


def test_filtering_can_be_turned_off():
    assert nkeras.config.is_traceback_filtering_enabled()
    nkeras.config.disable_traceback_filtering()
    try:
        with pytest.raises(ValueError, match="reshape") as error:
            nested()(X)
    finally:
        nkeras.config.enable_traceback_filtering()
    assert len(frames(error)[1]) > 8
    assert "Exception encountered" not in text(error)
