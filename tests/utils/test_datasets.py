"""Splitting datasets, windows of time series, padding of sequences."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import utils
from tests.harness import oracle

SERIES = np.arange(40.0, dtype="float32").reshape(20, 2)
TARGETS = np.arange(100, 120)

PADDED = """
def padded(pad):
    sequences = [[1], [2, 3], [], [4, 5, 6, 7]]
    vectors = [np.ones((2, 3)), np.zeros((0, 3)), np.full((4, 3), 2.0)]
    return [
        pad(sequences),
        pad(sequences, 3),
        pad(sequences, maxlen=6, padding="post", value=-1),
        pad(sequences, maxlen=2, truncating="post", dtype="float32", value=0.5),
        pad(sequences, 2, "int64", "post", "post"),
        pad(vectors, maxlen=3, dtype="float32"),
        pad([["a"], ["b", "c"]], dtype=object, value="-").tolist(),
    ]
"""


@oracle.requires_keras
def test_padding_is_that_of_keras() -> None:
    names: dict[str, Any] = {"np": np}
    exec(PADDED, names)
    expected = oracle.run(PADDED + "result = padded(keras.utils.pad_sequences)")
    for ours, theirs in zip(names["padded"](utils.pad_sequences), expected, strict=True):
        assert getattr(ours, "dtype", None) == getattr(theirs, "dtype", None)
        np.testing.assert_array_equal(ours, theirs)
    assert nkeras.preprocessing.sequence.pad_sequences is utils.pad_sequences


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((3,), "`sequences` must be a list"),
        (([1, 2],), "Received in it: 1"),
        (([[1]], 2, "int32", "before"), '`padding` must be "pre" or "post"'),
        (([[1]], 2, "int32", "pre", "before"), '`truncating` must be "pre" or "post"'),
        (([[1]], 2, "int32", "pre", "pre", "x"), "needs dtype=object"),
        (([np.ones((1, 2)), np.ones((1, 3))],), "all steps must have the same shape"),
    ],
)
def test_errors_of_padding(arguments: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        utils.pad_sequences(*arguments)


def windows_one_by_one(
    length: int, stride: int, rate: int, first: int, end: int, has_targets: bool
) -> list[int]:
    """First steps of all windows, by trying them."""
    count = len(TARGETS) if has_targets else len(SERIES)
    last = end - first - (length - 1) * rate
    return [start for start in range(0, min(last, count), stride)]


@pytest.mark.parametrize(
    ("length", "stride", "rate", "first", "end"),
    [(4, 1, 1, None, None), (3, 2, 3, None, None), (5, 4, 1, 3, 17), (2, 1, 2, None, 9)],
)
@pytest.mark.parametrize("has_targets", [True, False])
def test_windows(
    length: int, stride: int, rate: int, first: int | None, end: int | None, has_targets: bool
) -> None:
    targets = TARGETS if has_targets else None
    arguments = (SERIES, targets, length, stride, rate)
    made = utils.timeseries_dataset_from_array(
        *arguments, batch_size=4, start_index=first, end_index=end
    )
    begin, stop = first or 0, end or len(SERIES)
    starts = windows_one_by_one(length, stride, rate, begin, stop, has_targets)
    found = [batch if has_targets else (batch, None) for batch in made]
    windows = np.concatenate([window for window, _ in found])
    assert [len(window) for window, _ in found[:-1]] == [4] * (len(found) - 1)
    for window, start in zip(windows, starts, strict=True):
        steps = begin + start + rate * np.arange(length)
        np.testing.assert_array_equal(window, SERIES[steps])
    if has_targets:
        answers = np.concatenate([answer for _, answer in found])
        np.testing.assert_array_equal(answers, TARGETS[begin + np.array(starts)])


def test_shuffled_windows_come_in_another_order_in_each_epoch() -> None:
    made = nkeras.preprocessing.timeseries_dataset_from_array(
        SERIES, TARGETS, 3, shuffle=True, seed=5, batch_size=64
    )
    ((x, y),) = made
    made.on_epoch_end()
    ((later, _),) = made
    assert not np.array_equal(x, later)
    np.testing.assert_array_equal(np.sort(x[:, 0, 0]), np.sort(later[:, 0, 0]))
    np.testing.assert_array_equal(x[:, 0, 0] / 2 + 100, y)
    one = utils.timeseries_dataset_from_array(SERIES, None, 3, batch_size=None)
    np.testing.assert_array_equal(one[2], SERIES[2:5])
    assert len(one) == 18


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"sampling_rate": 0}, r"`sampling_rate` must be in \[1, 19\]"),
        ({"sequence_stride": 20}, "`sequence_stride` must be"),
        ({"start_index": -1}, "`start_index` must be"),
        ({"start_index": 5, "end_index": 5}, r"`end_index` must be in \[6, 19\]"),
        ({"end_index": 20}, "`end_index` must be"),
        ({"format": "torch"}, '`format` must be "tf" or "grain"'),
    ],
)
def test_errors_of_windows(arguments: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        utils.timeseries_dataset_from_array(SERIES, None, 3, **arguments)


def test_arrays_are_split() -> None:
    x, y = np.arange(10), np.arange(10.0)[:, None]
    left, right = utils.split_dataset((x, y), left_size=0.6, right_size=3)
    assert [int(first) for first, _ in left] == [0, 1, 2, 3, 4, 5]
    assert [int(first) for first, _ in right] == [7, 8, 9]
    assert [len(batch[0]) for batch in left.batch(4)] == [4, 2]
    assert [len(batch[0]) for batch in left.batch(4, drop_remainder=True)] == [4]
    shuffled, _ = utils.split_dataset(x, left_size=4, shuffle=True, seed=3)
    order = list(range(10))
    random.Random(3).shuffle(order)  # as Keras does it
    assert [int(one) for one in shuffled] == order[:4]


def test_other_datasets_are_split() -> None:
    class Torch:  # as torch.utils.data.Dataset has it
        def __len__(self) -> int:
            return 5

        def __getitem__(self, index: int) -> Any:
            return [np.full(2, index), {"label": index}]

    left, right = utils.split_dataset(Torch(), right_size=2)
    features, labels = right[0]
    assert features.tolist() == [3, 3]
    assert labels == {"label": 3}
    assert len(left) == 3

    windows = utils.timeseries_dataset_from_array(SERIES, TARGETS, 3, batch_size=4)
    train, test = utils.split_dataset(windows, left_size=0.5)
    assert isinstance(train, utils.PyDataset)
    assert [len(x) for x, _ in train] == [4, 4, 1]
    assert [len(x) for x, _ in test] == [4, 4, 1]


def test_a_model_trains_on_the_parts() -> None:
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    left, right = utils.split_dataset((x, x[:, :1]), left_size=0.75, shuffle=True, seed=1)
    model = nkeras.Sequential([nkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(left.batch(8), validation_data=right.batch(8), epochs=2, verbose=0)
    assert history.history["val_loss"][1] < history.history["val_loss"][0]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((np.ones(4),), ValueError, "`left_size` or `right_size` must be given"),
        ((np.ones(4), 4), ValueError, "a positive integer smaller than 4"),
        ((np.ones(4), 1.5), ValueError, "`left_size` must be"),
        ((np.ones(4), None, "2"), TypeError, "`right_size` must be an int"),
        ((np.ones(4), 0.7, 0.5), ValueError, "is greater than 1"),
        ((np.ones(4), 3, 3), ValueError, "cannot be split into 3 and 3"),
        ((np.ones(4), 0.01), ValueError, "cannot be split into 0 and 4"),
        (((np.ones(4), np.ones(3)), 2), ValueError, r"Received lengths: \[3, 4\]"),
        (([], 2), ValueError, "must hold arrays"),
        ((7, 2), TypeError, "or have samples by index"),
        ((np.ones(4), 2, None, False, None, "torch"), ValueError, "`preferred_backend` must be"),
    ],
)
def test_errors_of_splitting(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        utils.split_dataset(*arguments)


def test_config() -> None:
    config = utils.Config(rate=0.1)
    config.momentum = 0.9
    config["seed"] = 3
    assert (config.rate, config["momentum"], config.get("none", 7)) == (0.1, 0.9, 7)
    assert list(config) == ["momentum", "rate", "seed"]
    assert config.to_json() == '{"rate": 0.1, "momentum": 0.9, "seed": 3}'
    assert repr(config) == "<Config {'rate': 0.1, 'momentum': 0.9, 'seed': 3}>"
    config.update(rate=0.2)
    assert config.pop("seed") == 3
    assert len(config) == 2
    config.freeze()
    assert config.frozen
    for change in (
        lambda: setattr(config, "rate", 1),
        lambda: config.pop("rate"),
        lambda: config.update(rate=1),
        lambda: config.__delitem__("rate"),
    ):
        with pytest.raises(ValueError, match="the config is frozen"):
            change()
    config.unfreeze()
    del config["momentum"]
    assert config.as_dict() == {"rate": 0.2}
    with pytest.raises(AttributeError, match=r"Unknown attribute: 'rat'.*rate"):
        config.rat  # noqa: B018
    with pytest.raises(AttributeError, match="is that of a method"):
        config.keys = 1
