"""Discretization: bins, boundaries that are learned, and how good they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.layers.preprocessing.quantiles import QuantileSketch
from tests.harness import oracle

RNG = np.random.default_rng(0)
EDGES = [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("mode", "x", "wanted"),
    [
        ("int", [[-1.0, 0.0, 0.1, 0.8, 1.2]], [[0, 1, 1, 2, 3]]),
        ("one_hot", [0.1, 0.8], [[0, 1, 0, 0], [0, 0, 1, 0]]),
        ("one_hot", [[0.1], [0.8]], [[0, 1, 0, 0], [0, 0, 1, 0]]),
        ("multi_hot", [[0.1, 0.8]], [[0, 1, 1, 0]]),
        ("multi_hot", [0.1, 0.8], [0, 1, 1, 0]),
        (
            "one_hot",
            [[[0.15, 0.75], [0.85, 0.45]]],
            [[[[0, 1, 0, 0], [0, 0, 1, 0]], [[0, 0, 1, 0], [0, 1, 0, 0]]]],
        ),
        ("multi_hot", [[[0.15, 0.75], [0.85, 0.45]]], [[[0, 1, 1, 0], [0, 1, 1, 0]]]),
        ("count", [[0.1, 0.8, 0.9]], [[0, 1, 2, 0]]),
        ("int", [[2, 0], [-1, 1]], [[3, 1], [0, 3]]),
        ("int", 0.6, 2),
        ("count", np.float32(0.6), [0, 0, 1, 0]),
    ],
)
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_bins(mode: str, x: Any, wanted: Any, backend: str) -> None:
    with nkeras.use_backend(backend):
        layer = layers.Discretization(bin_boundaries=EDGES, output_mode=mode)
        y = layer(x if isinstance(x, list) else np.array(x))
    assert y.dtype == ("int32" if mode == "int" else "float32")
    np.testing.assert_array_equal(y, wanted)


def test_infinite_numbers_and_nan_have_bins() -> None:
    layer = layers.Discretization(EDGES)
    np.testing.assert_array_equal(layer([-np.inf, np.inf, np.nan]), [0, 3, 3])


def test_boundaries_are_not_rounded_to_half_types() -> None:
    layer = layers.Discretization([1000.25], output_mode="one_hot", dtype="mixed_bfloat16")
    y = layer([1000.0, 1000.5])
    assert y.dtype == "bfloat16"
    np.testing.assert_array_equal(nkeras.ops.cast(y, "float32"), [[1, 0], [0, 1]])


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("adapted", [False, True])
def test_shapes_of_symbolic_tensors(mode: str, adapted: bool) -> None:
    layer = layers.Discretization(num_bins=5, output_mode=mode)
    if adapted:
        layer.adapt(RNG.random(100))
    wanted = {"int": (None, 3, 4), "one_hot": (None, 3, 4, 5)}.get(mode, (None, 4, 5))
    symbol = layer(nkeras.Input((3, 4)))
    assert symbol.shape == wanted
    assert symbol.dtype == layer.output_dtype
    assert layer.compute_output_shape((None, 3, 4)) == wanted
    if adapted:
        y = layer(RNG.random((2, 3, 4)))
        assert y.shape == (2, *wanted[1:])
        assert y.dtype == layer.output_dtype


def test_a_last_axis_of_size_one_becomes_that_of_the_vectors() -> None:
    layer = layers.Discretization([0.0, 1.0], output_mode="one_hot")
    assert layer.compute_output_shape((None, 5, 1)) == (None, 5, 3)
    assert layer(np.zeros((2, 5, 1))).shape == (2, 5, 3)
    assert layer.compute_output_shape(()) == (3,)


def _generator() -> Iterator[np.ndarray]:
    for start in range(0, 40, 8):
        yield np.arange(start, start + 8.0)


@pytest.mark.parametrize(
    "data",
    [
        lambda: np.arange(40.0),
        lambda: np.arange(40).reshape(20, 2),
        lambda: list(range(40)),
        lambda: nkeras.ops.arange(40.0),
        lambda: [np.arange(13.0), np.arange(13.0, 40.0)],
        _generator,
        lambda: ((batch, batch) for batch in _generator()),
    ],
)
def test_all_kinds_of_data_give_the_same_boundaries(data: Callable[[], Any]) -> None:
    layer = layers.Discretization(num_bins=4)
    layer.adapt(data())
    assert layer.bin_boundaries == [9.0, 19.0, 29.0]
    layer.adapt(np.arange(4.0))  # what was known before is forgotten
    assert layer.bin_boundaries == [0.0, 1.0, 2.0]


def test_steps() -> None:
    def endless() -> Iterator[np.ndarray]:
        while True:
            yield np.arange(40.0)

    layer = layers.Discretization(num_bins=4)
    layer.adapt(endless(), steps=5)
    assert layer.bin_boundaries == [9.0, 19.0, 29.0]


def test_the_example_of_keras() -> None:
    x = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])
    layer = layers.Discretization(num_bins=4, epsilon=0.01)
    layer.adapt(x)
    np.testing.assert_array_equal(layer(x), [[0, 2, 3, 2], [1, 3, 3, 1]])


def test_fewer_numbers_than_bins() -> None:
    layer = layers.Discretization(num_bins=5)
    layer.adapt(np.array([5.0, 0.0, 1.0]))
    assert layer.bin_boundaries == [0.0, 1.0]
    layer.adapt([3.0])
    assert layer.bin_boundaries == []
    np.testing.assert_array_equal(layer([1.0, 7.0]), [0, 0])


@pytest.mark.parametrize("bins", [1, 2, 10, 49, 100])
def test_there_are_as_many_bins_as_asked_for(bins: int) -> None:
    layer = layers.Discretization(num_bins=bins)
    layer.adapt(RNG.normal(size=1000))
    assert len(layer.bin_boundaries or []) == bins - 1


def test_boundaries_of_few_numbers_are_those_of_keras(oracle: Any) -> None:
    tables = [(RNG.normal(size=n).astype("float32"), bins) for n, bins in ((8, 3), (90, 7), (3, 5))]
    wanted = oracle.run(
        """
        result = []
        for x, bins in tables:
            layer = keras.layers.Discretization(num_bins=bins)
            layer.update_state(x)  # `adapt` itself asks TensorFlow
            layer.finalize_state()
            result.append(layer.bin_boundaries)
        """,
        tables=tables,
    )
    for (x, bins), boundaries in zip(tables, wanted, strict=True):
        layer = layers.Discretization(num_bins=bins)
        layer.adapt(x)
        np.testing.assert_allclose(layer.bin_boundaries, boundaries, rtol=1e-6)


def rank_errors(sketch: QuantileSketch, values: np.ndarray) -> np.ndarray:
    """How far, as shares of all, each percentile is from where it should be."""
    shares = np.arange(1, 100) / 100
    found = sketch.quantiles(shares)
    ordered = np.sort(values)
    low = np.searchsorted(ordered, found, "left") / len(values)
    high = np.searchsorted(ordered, found, "right") / len(values)
    return np.maximum(np.maximum(low - shares, shares - high), 0.0)


STREAMS: dict[str, Callable[[int], np.ndarray]] = {
    "normal": lambda n: np.random.default_rng(1).normal(size=n),
    "sorted": lambda n: np.arange(n, dtype="float64"),
    "descending": lambda n: -np.arange(n, dtype="float64"),
    "few values": lambda n: np.random.default_rng(2).integers(0, 5, n).astype("float64"),
    "heavy tail": lambda n: np.random.default_rng(3).pareto(0.5, n),
    "saws": lambda n: np.arange(n) * 7919.0 % 1009.0,
}


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("epsilon", [0.3, 0.01])
def test_quantiles_are_within_epsilon(stream: str, epsilon: float, monkeypatch: Any) -> None:
    monkeypatch.setattr("nkeras.layers.preprocessing.quantiles._BLOCK", 200)  # many levels
    values = STREAMS[stream](60_000)
    sketch = QuantileSketch(epsilon)
    for part in np.split(values, [1, 777, 20_000, 20_001]):
        sketch.add(part)
    assert len(sketch.summary()[0]) < 16_000 * min(0.1, 0.01 / epsilon) + 16_000 * (epsilon < 0.1)
    assert rank_errors(sketch, values).max() <= epsilon


@pytest.mark.long
@pytest.mark.parametrize("stream", STREAMS)
def test_quantiles_of_millions(stream: str) -> None:
    values = STREAMS[stream](3_000_000)
    sketch = QuantileSketch(0.01)
    sketch.add(values)
    assert len(sketch.summary()[0]) < 80_000
    assert rank_errors(sketch, values).max() <= 0.001  # ten times better than what is promised


def test_boundaries_do_not_depend_on_how_data_are_cut() -> None:
    values = RNG.normal(size=200_000).astype("float32")
    found = []
    for size in (200_000, 1_003, 70_000):
        layer = layers.Discretization(num_bins=9)
        layer.adapt([values[i : i + size] for i in range(0, len(values), size)])
        found.append(layer.bin_boundaries)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("mode", ["int", "one_hot"])
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_in_a_model(mode: str, backend: str) -> None:
    x = RNG.random((32, 3)).astype("float32")
    with nkeras.use_backend(backend):
        layer = layers.Discretization(num_bins=4, output_mode=mode)
        layer.adapt(x)
        model = nkeras.Sequential([nkeras.Input((3,)), layer, layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x, x[:, :1], epochs=3, verbose=0)
        np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-4, atol=1e-5)
        layer.adapt(x + 1.0)  # plans are made anew
        np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-4, atol=1e-5)


def test_calls_and_predictions_are_alike() -> None:
    layer = layers.Discretization([-0.5, 0, 0.1, 0.2, 3])
    x = np.array([[0.0, 0.15, 0.21, 0.3], [0.0, 0.17, 0.451, 7.8]])
    inputs = nkeras.Input((4,))
    model = nkeras.Model(inputs, layer(inputs))
    predicted = model.predict(x, verbose=0)
    np.testing.assert_array_equal(predicted, model(x))
    np.testing.assert_array_equal(predicted, [[2, 3, 4, 4], [2, 3, 4, 5]])
    assert predicted.dtype == "int32"


@pytest.mark.parametrize(
    "data", [None, [0.0, 1.0, 5.0], np.arange(8.0)], ids=["before", "few", "enough"]
)
def test_configurations(data: Any) -> None:
    layer = layers.Discretization(num_bins=5, output_mode="count", dtype="mixed_bfloat16")
    if data is not None:
        layer.adapt(data)
    config = json.loads(json.dumps(layer.get_config()))
    twin = layers.Discretization.from_config(config)
    assert twin.get_config() == config
    assert twin.bin_boundaries == layer.bin_boundaries
    assert twin.dtype_policy == layer.dtype_policy


def test_files_hold_what_was_learned(tmp_path: Path) -> None:
    x = RNG.random((32, 2)).astype("float32")
    layer = layers.Discretization(num_bins=4)
    layer.adapt(x)
    y = layer(x).numpy()
    model = nkeras.Sequential([nkeras.Input((2,)), layer])
    model.save(tmp_path / "model.keras")
    again = nkeras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), y)
    if oracle.keras_available():
        of_keras = oracle.run(
            """
            model = keras.saving.load_model(path)
            model.save(path + ".of_keras.keras")
            result = model(x)
            """,
            path=str(tmp_path / "model.keras"),
            x=x,
        )
        np.testing.assert_array_equal(of_keras, y)
        read = nkeras.saving.load_model(tmp_path / "model.keras.of_keras.keras")
        np.testing.assert_array_equal(read(x), y)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "either `num_bins` or `bin_boundaries`"),
        ({"num_bins": 3, "bin_boundaries": [0.0]}, "Both `num_bins` and `bin_boundaries`"),
        ({"num_bins": 0}, "`num_bins` must be a positive integer"),
        ({"num_bins": -2}, "`num_bins` must be a positive integer"),
        ({"num_bins": 2.5}, "`num_bins` must be a positive integer"),
        ({"num_bins": 2, "epsilon": 0}, "`epsilon`"),
        ({"num_bins": 2, "output_mode": "hot"}, r"`output_mode` must be one of .*'hot'"),
        ({"num_bins": 2, "sparse": True}, "`sparse` must be False"),
        ({"bin_boundaries": [0.0, 2.0, 1.0]}, r"must ascend\. Received: \[2\.0, 1\.0\] at index 1"),
        ({"bin_boundaries": [0.0, np.nan]}, "must ascend"),
        ({"bin_boundaries": [[0.0]]}, "a list of numbers"),
        ({"bin_boundaries": ["a"]}, "a list of numbers"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        layers.Discretization(**options)
    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], "empty iterable"),
        (np.array(["a"]), "needs numbers.*'a'"),
        ([1.0, np.nan], "1 of 2 numbers.*NaN"),
        ([np.inf] * 4, "infinite"),
    ],
)
def test_wrong_data(data: Any, text: str) -> None:
    layer = layers.Discretization(num_bins=2)
    layer.adapt([1.0, 2.0])
    with pytest.raises(ValueError, match=text):
        layer.adapt(data)
    assert layer.bin_boundaries == [1.0]
    np.testing.assert_array_equal(layer.summary, [[1.0, 2.0], [1.0, 1.0]])


def test_a_layer_that_was_not_adapted() -> None:
    layer = layers.Discretization(num_bins=3)
    with pytest.raises(ValueError, match=r"You need .* call .*adapt"):
        layer([[0.1, 0.8, 0.9]])
    with pytest.raises(ValueError, match="no data to find boundaries of"):
        layer.finalize_state()
    with pytest.raises(ValueError, match="was made with `bin_boundaries`"):
        layers.Discretization([0.0]).adapt([1.0])
