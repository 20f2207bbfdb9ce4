"""`map`, `take`, `skip`, `cache`, `prefetch` of datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers


def batches(shuffle: bool = False) -> Any:
    x = np.arange(13, dtype="float32")[:, None]
    left, _ = nkeras.utils.split_dataset((x, 2 * x), left_size=12, shuffle=shuffle, seed=3)
    return left.batch(4)


def firsts(dataset: Any) -> list[float]:
    return [float(np.asarray(batch[0])[0, 0]) for batch in dataset]


def test_parts() -> None:
    dataset = batches()
    assert firsts(dataset.take(2)) == [0, 4]
    assert firsts(dataset.skip(1)) == [4, 8]
    assert firsts(dataset.take(-1)) == firsts(dataset.prefetch(2)) == [0, 4, 8]
    assert firsts(dataset.take(9).skip(2)) == [8]
    assert [len(part) for part in (dataset.take(2), dataset.skip(5), dataset.take(9))] == [2, 0, 3]
    assert firsts(dataset.skip(1).take(1)) == firsts(dataset.skip(1).take(1))
    assert dataset.cardinality() == dataset.map(lambda x, y: x).cardinality() == 3
    first, _ = next(dataset.as_numpy_iterator())
    assert type(first) is np.ndarray
    assert first.ravel().tolist() == [0, 1, 2, 3]


def test_loops_get_tensors_and_functions_arrays() -> None:
    seen: list[type] = []

    def note(x: Any, y: Any) -> Any:
        seen.append(type(x))
        return {"x": x, "text": np.array(["a"] * 4)}, y

    inputs, y = next(iter(batches().map(note)))
    assert seen == [np.ndarray]
    assert inputs["x"][0].numpy().tolist() == [0.0]
    assert inputs["text"].numpy().tolist() == ["a"] * 4
    assert y.dtype == "float32"
    left, _ = nkeras.utils.split_dataset(np.arange(3), left_size=2)
    assert [int(sample.numpy()) for sample in left.take(2)] == [0, 1]
    series = nkeras.utils.timeseries_dataset_from_array(np.arange(4.0), None, 2)
    assert [window[0].numpy().tolist() for window in series] == [[0.0, 1.0]]


def test_map() -> None:
    mapped = batches().map(lambda x, y: (x + 1, y), num_parallel_calls=4)
    assert firsts(mapped) == [1, 5, 9]
    assert firsts(mapped) == [1, 5, 9]
    alone = batches().map(lambda x, y: x).map(lambda x: (x * 2,))
    assert firsts(alone) == [0, 8, 16]


def test_cache_keeps_the_first_whole_iteration() -> None:
    calls: list[int] = []

    def seen(x: Any, y: Any) -> Any:
        calls.append(1)
        return x, y

    cached = batches().map(seen).cache()
    next(iter(cached))
    assert len(calls) == 1
    assert firsts(cached) == firsts(cached)
    assert len(calls) == 4


def test_fit_takes_them() -> None:
    model = nkeras.Sequential([nkeras.Input((1,)), layers.Dense(1)])
    model.compile(nkeras.optimizers.SGD(0.001), "mse")
    data = batches(shuffle=True).map(lambda x, y: (layers.Rescaling(1.0)(x), y)).prefetch(2)
    history = model.fit(data, epochs=3, validation_data=data.take(1), verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.predict(data.map(lambda x, y: x), verbose=0).shape == (12, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda data: data.take("2"),
        lambda data: data.take(-2),
        lambda data: data.skip(-1),
        lambda data: data.map(3),
        lambda data: data.cache("file"),
    ],
)
def test_arguments_are_checked(wrong: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"take|skip|map|cache"):
        wrong(batches())
