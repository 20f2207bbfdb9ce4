"""What users pass as data: every kind of array, structure and mistake."""

from __future__ import annotations

from collections import UserList

import numpy as np
import pytest

import nkeras
from nkeras.training import data
from nkeras.training.sources import adapt
from nkeras.utils import pack_x_y_sample_weight, unpack_x_y_sample_weight


def batches(*arguments, **named):
    return list(adapt(*arguments, **named).batches())


@pytest.mark.parametrize(
    ("packed", "unpacked"),
    [(1, (1, None, None)), ((1,), (1, None, None)), ([1, 2], (1, 2, None)), ((1, 2, 3), (1, 2, 3))],
)
def test_unpack(packed, unpacked):
    assert unpack_x_y_sample_weight(packed) == unpacked


def test_unpack_refuses_four_entries():
    with pytest.raises(ValueError, match="length 4"):
        unpack_x_y_sample_weight((1, 2, 3, 4))


def test_pack():
    assert pack_x_y_sample_weight(1) == 1
    assert pack_x_y_sample_weight([1]) == ([1],)
    assert pack_x_y_sample_weight(1, 2) == (1, 2)
    assert pack_x_y_sample_weight(1, 2, 3) == (1, 2, 3)


def kinds_of_arrays():
    plain = np.arange(12, dtype="float32").reshape(6, 2)
    read_only = plain.copy()
    read_only.flags.writeable = False

    class Frame:
        def __array__(self, dtype=None, copy=None):
            return plain

        def __iter__(self):  # a pandas frame iterates over its columns
            raise AssertionError("a frame is an array, not batches")

    rows_in_cells = np.empty(6, object)
    rows_in_cells[:] = list(plain)
    return {
        "plain": plain,
        "read-only": read_only,
        "big-endian": plain.astype(">f4"),
        "float64": plain.astype("float64"),
        "float16": plain.astype("float16"),
        "column-major": np.asfortranarray(plain),
        "every second": np.repeat(plain, 2, axis=0)[::2],
        "list": plain.tolist(),
        "list of NumPy scalars": [list(row) for row in plain],
        "tensor": nkeras.ops.convert_to_tensor(plain),
        "variable": nkeras.Variable(plain),
        "frame": Frame(),
        "column of another library": UserList(plain.tolist()),
        "rows in cells": rows_in_cells,
    }


@pytest.mark.parametrize("kind", list(kinds_of_arrays()))
def test_each_kind_of_array_gives_the_same_batches(kind):
    found = batches(kinds_of_arrays()[kind], batch_size=4)
    assert [item.shape for item in found] == [(4, 2), (2, 2)]
    joined = np.concatenate([data.to_tensors(item).numpy() for item in found])
    assert joined.dtype == "float32"
    assert joined.dtype.isnative
    np.testing.assert_array_equal(joined.ravel(), np.arange(12))


def test_integers_keep_their_kind_and_bools_too():
    found = data.to_tensors(batches(np.arange(3, dtype=">i8"), np.array([True, False, True]))[0])
    assert found[0].dtype == "int64"
    assert found[1].dtype == "bool"


def test_floatx_decides_the_dtype_of_floats():
    nkeras.config.set_floatx("float64")
    assert batches(np.zeros((2, 1), "float32"))[0].dtype == "float64"


def test_structures_are_kept():
    x = {"a": np.zeros((3, 1)), "b": [np.ones((3, 2)), None]}
    (batch,) = batches(x, (np.zeros(3), np.ones(3)))
    assert batch[0]["a"].shape == (3, 1)
    assert batch[0]["b"][0].shape == (3, 2)
    assert batch[0]["b"][1] is None
    assert len(batch[1]) == 2


def test_shuffle_draws_from_the_global_seed():
    x = np.arange(20)

    def drawn(shuffle):
        nkeras.utils.set_random_seed(3)
        source = adapt(x, batch_size=5, shuffle=shuffle)
        return [np.concatenate(list(source.batches())) for _ in range(2)]

    first, second = drawn(True)
    assert sorted(first) == list(x)
    assert first.tolist() != second.tolist()
    assert first.tolist() == drawn(True)[0].tolist()
    inside, _ = drawn("batch")
    assert inside.tolist() != list(x)
    assert [sorted(part) for part in inside.reshape(4, 5).tolist()] == x.reshape(4, 5).tolist()
    assert drawn(False)[0].tolist() == list(x)


def test_steps_decide_the_batch_size():
    assert [len(batch) for batch in batches(np.zeros(10), steps=3)] == [4, 4, 2]


@pytest.mark.parametrize(
    ("samples", "split", "kept"),
    [(10, 0.9, 1), (10, 0.1, 9), (100, 0.07, 93), (3, 1 / 3, 2), (3, 2 / 3, 1), (7, 0.5, 3)],
)
def test_validation_split_counts_in_decimals(samples, split, kept):
    """10 * (1 - 0.9) is 0.9999999999999998; Keras 3.15 cuts that to 0."""
    train, validation = data.train_validation_split((np.arange(samples),), split)
    assert (len(train[0]), len(validation[0])) == (kept, samples - kept)


@pytest.mark.filterwarnings("ignore:Argument `class_weight` lacks")
def test_class_weights():
    weights = {0: 2.0, 2: 0.5}
    sparse = data.class_weight_to_sample_weights(np.array([[0], [1], [2]]), weights)
    one_hot = data.class_weight_to_sample_weights(np.eye(3), weights)
    assert sparse.tolist() == one_hot.tolist() == [2.0, 1.0, 0.5]
    assert batches(np.zeros(3), np.arange(3), class_weight=weights)[0][2].tolist() == [
        2.0,
        1.0,
        0.5,
    ]


@pytest.mark.filterwarnings("ignore:Argument `class_weight` lacks")
def test_class_weights_of_steps():
    weights = {0: 2.0, 2: 0.5}
    labels = np.array([[0, 1], [2, 2], [0, 0]])
    right = [[2.0, 1.0], [0.5, 0.5], [2.0, 2.0]]
    for y in (labels[..., None], np.eye(3)[labels]):
        assert data.class_weight_to_sample_weights(y, weights).tolist() == right
    with pytest.raises(ValueError, match=r"`class_weight` needs targets `y`.*\(3, 2\)"):
        data.class_weight_to_sample_weights(labels, weights)


def test_one_weight_array_serves_all_outputs():
    (batch,) = batches(np.zeros(3), [np.zeros(3), np.ones(3)], np.arange(3.0))
    assert [array.tolist() for array in batch[2]] == [[0, 1, 2], [0, 1, 2]]


def test_split_keeps_the_last_part():
    train, validation = data.train_validation_split((np.arange(10), None, np.arange(10.0)), 0.3)
    assert train[0].tolist() == list(range(7))
    assert validation[0].tolist() == [7, 8, 9]
    assert train[1] is validation[1] is None
    assert len(validation[2]) == 3


@pytest.mark.parametrize("split", [-0.1, 1, 1.5, 0, "a", float("nan")])
def test_split_must_lie_between_0_and_1(split):
    with pytest.raises(ValueError, match=r"validation_split.*between 0 and 1"):
        data.train_validation_split((np.arange(10),), split)


def test_split_refuses_too_little_and_generators():
    with pytest.raises(ValueError, match="1 samples, which is not sufficient"):
        data.train_validation_split((np.arange(1),), 0.5)
    with pytest.raises(ValueError, match="only supported for arrays"):
        data.train_validation_split(((one for one in "ab"),), 0.5)


X, Y = np.zeros((4, 2)), np.zeros((4, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": X, "batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"x": X, "batch_size": -3}, "Received: batch_size=-3"),
        ({"x": X, "batch_size": 2.0}, "Received: batch_size=2.0"),
        ({"x": X, "steps": 0}, "steps_per_epoch"),
        ({"x": X, "shuffle": "all"}, "`shuffle` must be True, False"),
        ({"x": None}, "`x` is None"),
        ({"x": X[:0]}, "no samples"),
        ({"x": []}, "no samples"),
        ({"x": {}}, "holds no array"),
        ({"x": X, "y": Y[:3]}, r"cardinality is ambiguous.*x: \[4\], y: \[3\]"),
        ({"x": np.float32(3)}, "at least one dimension"),
        ({"x": np.array([None, 1.5])}, "Python objects.*first one is None"),
        ({"x": np.array([[1], [1, 2]], dtype=object)}, "Python objects"),
        ({"x": "text"}, "Unrecognized data type"),
        ({"x": 3}, "Unrecognized data type"),
        ({"x": X, "y": object()}, "y of type object"),
        ({"x": iter([X]), "y": Y}, "`y` should not be passed"),
        ({"x": iter([X]), "sample_weight": Y}, "`sample_weight` should not be passed"),
        ({"x": X, "y": Y, "sample_weight": Y, "class_weight": {0: 1}}, "at the same time"),
        ({"x": X, "y": [Y, Y], "class_weight": {0: 1}}, "single output"),
        ({"x": X, "y": Y, "class_weight": [1, 2]}, "must be a dict"),
        ({"x": X, "class_weight": {0: 1}}, "targets"),
        ({"x": X, "y": [Y, Y], "sample_weight": [Y]}, "two structures did not match"),
        ({"x": X, "y": [Y, Y], "sample_weight": X}, "one number per sample"),
    ],
)
def test_mistakes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        batches(**arguments)


def test_sparse_matrices_are_refused():
    class Sparse:
        def tocoo(self):
            raise AssertionError

        def __array__(self, dtype=None, copy=None):
            raise AssertionError

    with pytest.raises(ValueError, match="toarray"):
        batches(Sparse())
