"""CategoryEncoding: vectors for tokens, and tokens that there are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

ROWS = [[3, 2, 0, 1], [3, 3, 0, 1]]
EYE = np.eye(6)


@pytest.mark.parametrize(
    ("mode", "x", "wanted"),
    [
        ("count", [1, 2, 3, 1], [0, 2, 1, 1, 0, 0]),
        ("count", [[1, 2, 3, 1], [0, 3, 1, 0]], [[0, 2, 1, 1, 0, 0], [2, 1, 0, 1, 0, 0]]),
        ("multi_hot", [3, 2, 0, 1], [1, 1, 1, 1, 0, 0]),
        ("multi_hot", ROWS, [[1, 1, 1, 1, 0, 0], [1, 1, 0, 1, 0, 0]]),
        ("multi_hot", np.array(4), [0, 0, 0, 0, 1, 0]),
        ("one_hot", [3, 2, 0, 1], EYE[[3, 2, 0, 1]]),
        ("one_hot", [[3], [2]], EYE[[3, 2]]),
        ("one_hot", ROWS, EYE[ROWS]),
        ("one_hot", np.array([4]), EYE[[4]]),
        ("binary", ROWS, [[1, 1, 1, 1, 0, 0], [1, 1, 0, 1, 0, 0]]),
        ("count", np.array([[1.0, 2.0]]), [[0, 1, 1, 0, 0, 0]]),
    ],
)
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_vectors(mode: str, x: Any, wanted: Any, backend: str) -> None:
    layer = layers.CategoryEncoding(6, mode)
    with nkeras.use_backend(backend):
        y = layer(x)
    assert y.dtype == "float32"
    np.testing.assert_array_equal(y, wanted)
    shape = np.shape(x)
    assert layer.compute_output_shape(shape) == y.shape
    symbol = layer(nkeras.Input(batch_shape=shape, dtype="int32"))
    assert symbol.shape == y.shape
    assert symbol.dtype == "float32"


def test_weights_of_counts() -> None:
    x = [[0, 1], [0, 0], [1, 2], [3, 1]]
    weights = [[0.1, 0.2], [0.1, 0.1], [0.2, 0.3], [0.4, 0.2]]
    layer = layers.CategoryEncoding(num_tokens=5, output_mode="count")
    wanted = [[0.1, 0.2, 0, 0, 0], [0.2, 0, 0, 0, 0], [0, 0.2, 0.3, 0, 0], [0, 0.2, 0, 0.4, 0]]
    np.testing.assert_allclose(layer(x, count_weights=weights), wanted, rtol=1e-6)
    np.testing.assert_allclose(layer(np.array(x), np.array(weights)), wanted, rtol=1e-6)
    tokens, counted = nkeras.Input((2,), dtype="int32"), nkeras.Input((2,))
    symbol = layer(tokens, count_weights=counted)
    assert symbol.shape == (None, 5)
    model = nkeras.Model([tokens, counted], symbol)
    np.testing.assert_allclose(
        model.predict([np.array(x), np.array(weights)], verbose=0), wanted, rtol=1e-6
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64", "mixed_float16"])
def test_dtypes(policy: str) -> None:
    layer = layers.CategoryEncoding(3000, "one_hot", dtype=policy)
    y = layer(np.array([2999.0, 2049.0]))
    assert y.dtype == layer.compute_dtype
    found = nkeras.ops.argmax(nkeras.ops.cast(y, "float32"), -1)
    np.testing.assert_array_equal(found, [2999, 2049])


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
@pytest.mark.parametrize(
    ("x", "text"),
    [
        ([[0, 1, 4, 7]], r"num_tokens=4\. Received: \[4, 7\] \(2 of 4"),
        ([[-1, 0, 1, 2]], r"\[-1\] \(1 of 4"),
        (np.array([0.5]), r"\[0\.5\]"),
        (np.array([np.nan]), r"\[nan\]"),
    ],
)
def test_tokens_that_there_are_not(x: Any, text: str, backend: str) -> None:
    with nkeras.use_backend(backend), pytest.raises(ValueError, match=text) as caught:
        layers.CategoryEncoding(4)(x)
    assert "0 <= value < num_tokens" in str(caught.value)
    assert len(str(caught.value).splitlines()[0]) <= 400


def test_trained_and_predicted_batches_are_looked_at() -> None:
    x = np.tile(np.arange(4), (64, 1)).astype("int32")
    model = nkeras.Sequential(
        [nkeras.Input((4,), dtype="int32"), layers.CategoryEncoding(4), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    model.fit(x, x[:, :1], batch_size=8, verbose=0)
    wrong = x.copy()
    wrong[60, 2] = 9
    with pytest.raises(ValueError, match=r"num_tokens=4\. Received: \[9\]"):
        model.fit(wrong, x[:, :1], batch_size=8, shuffle=False, verbose=0)
    model.predict(x, batch_size=8, verbose=0)
    with pytest.raises(ValueError, match=r"num_tokens=4\. Received: \[9\]"):
        model.predict(wrong, batch_size=8, verbose=0)


def test_configurations_are_those_of_keras(oracle: Any) -> None:
    theirs = oracle.run(
        "result = keras.layers.CategoryEncoding(4, output_mode='binary', name='c').get_config()"
    )
    layer = layers.CategoryEncoding(4, output_mode="binary", name="c")
    mine = nkeras.saving.serialize_keras_object(layer.get_config())
    assert list(mine) == list(theirs)
    assert mine["output_mode"] == theirs["output_mode"] == "multi_hot"
    assert layers.CategoryEncoding.from_config(mine).num_tokens == 4


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "num_tokens must be set"),
        ({"num_tokens": 0}, "`num_tokens` must be >= 1"),
        ({"num_tokens": -1}, "`num_tokens` must be >= 1"),
        ({"num_tokens": 2.5}, "`num_tokens` must be >= 1"),
        ({"num_tokens": 4, "output_mode": "int"}, "Unknown arg for output_mode: int"),
        ({"num_tokens": 4, "sparse": True}, "`sparse` must be False"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        layers.CategoryEncoding(**options)


def test_weights_where_nothing_is_counted() -> None:
    with pytest.raises(ValueError, match="`count_weights` is not used when `output_mode`"):
        layers.CategoryEncoding(4)([0, 1], count_weights=[0.1, 0.2])
