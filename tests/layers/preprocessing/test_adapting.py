"""What `adapt` takes, and what it says of everything else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.layers.preprocessing.adapting import batches_of, is_one_array, numbers_of, parts_of

X = np.arange(12.0).reshape(6, 2)


class Halves(nkeras.utils.PyDataset):
    """Batches of `X`, with targets."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return X[3 * index : 3 * index + 3], np.zeros(3)


class Endless(Halves):
    """The same without end."""

    @property
    def num_batches(self) -> int | None:
        return None

    def __getitem__(self, index: int) -> Any:
        return super().__getitem__(index % 2)


class Column:
    """What a table's column is to us."""

    shape = (6, 2)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return X


def _generator() -> Iterator[np.ndarray]:
    yield X[:3]
    yield X[3:]


@pytest.mark.parametrize(
    "data",
    [
        X,
        X.tolist(),
        nkeras.Variable(X),
        Column(),
        [X[:3], X[3:]],
        _generator(),
        iter([(X[:3], 0), (X[3:], 0)]),
        [[X[:3], np.zeros(3)], [X[3:], np.zeros(3)]],
        [X[:3].tolist(), X[3:]],
        Halves(),
        Halves(workers=2),
    ],
    ids=lambda data: type(data).__name__,
)
def test_all_kinds_of_data_give_the_inputs(data: Any) -> None:
    batches = [numbers_of(batch, "Layer") for batch in batches_of(data, "Layer")]
    np.testing.assert_array_equal(np.concatenate(batches), X)


def test_tensors_are_read_by_the_host() -> None:
    (batch,) = batches_of(nkeras.ops.convert_to_tensor(X), "Layer")
    np.testing.assert_array_equal(numbers_of(batch, "Layer"), X)


def test_text_stays_what_it_is() -> None:
    assert list(batches_of(["a", None, "b"], "Layer")) == [["a", None, "b"]]
    assert is_one_array([["a", "b"], ["c", "d"]])
    assert not is_one_array([])
    assert not is_one_array("text")


def test_steps_end_what_has_no_end() -> None:
    assert len(list(batches_of(Endless(), "Layer", steps=5))) == 5
    with pytest.raises(ValueError, match=r"`steps`.*without end"):
        list(batches_of(Endless(), "Layer"))
    for steps in (0, 1.5):
        with pytest.raises(ValueError, match="`steps`"):
            list(batches_of(X, "Layer", steps=steps))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        ([], ValueError, "empty iterable"),
        (iter(()), ValueError, "empty iterable"),
        (np.zeros((0, 3)), ValueError, r"nothing to learn from in an array of shape \(0, 3\)"),
        ({"age": X}, TypeError, "age"),
        ([{"age": X}], TypeError, "age"),
        ("text", TypeError, "'text'"),
        (3, TypeError, "of type int"),
        (iter([42]), TypeError, r"`\.shape`"),
        (iter([(X, X, X, X)]), TypeError, r"`\.shape`"),
    ],
)
def test_other_data_are_refused(data: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        list(batches_of(data, "Layer"))
    assert str(caught.value).startswith("Layer.adapt()")
    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize("data", [["1", "x"], np.array([1.0, None], object), np.array(["a"])])
def test_text_is_no_number(data: Any) -> None:
    with pytest.raises(ValueError, match=r"needs numbers.*(None|'1'|'a')"):
        numbers_of(data, "Layer")


def test_large_arrays_come_in_parts() -> None:
    parts = list(parts_of(X, elements=5))
    assert [len(part) for part in parts] == [2, 2, 2]
    np.testing.assert_array_equal(np.concatenate(parts), X)
    assert list(parts_of([1, 2], elements=1)) == [[1, 2]]
