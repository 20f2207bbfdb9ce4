"""Hashing and HashedCrossing: the right values of Keras' tests and of TensorFlow 2.21."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.layers import HashedCrossing, Hashing

LETTERS = [["A"], ["B"], ["C"], ["D"], ["E"]]
NAMES = ["omar", "stringer", "marlo", "wire", "skywalker"]


def same(found: Any, wanted: Any) -> None:
    assert np.shape(found) == np.shape(wanted)
    np.testing.assert_array_equal(np.asarray(found), wanted)


VALUES: list[tuple[dict[str, Any], Any, Any]] = [
    ({"num_bins": 3}, LETTERS, [[1], [0], [1], [1], [2]]),
    (
        {"num_bins": 3, "mask_value": ""},
        [["A"], ["B"], [""], ["C"], ["D"]],
        [[1], [1], [0], [2], [2]],
    ),
    ({"num_bins": 3, "salt": [133, 137]}, LETTERS, [[1], [2], [1], [0], [2]]),
    ({"num_bins": 3, "salt": 133}, LETTERS, [[0], [0], [2], [1], [0]]),
    ({"num_bins": 1}, LETTERS, [[0]] * 5),
    ({"num_bins": 2}, NAMES, [0, 0, 1, 0, 0]),
    ({"num_bins": 3, "mask_value": ""}, NAMES, [1, 1, 2, 1, 1]),
    ({"num_bins": 3, "mask_value": "omar"}, NAMES, [0, 1, 2, 1, 1]),
    ({"num_bins": 2, "salt": [133, 137]}, NAMES, [0, 1, 0, 1, 0]),
    ({"num_bins": 2, "salt": [211, 137]}, NAMES, [1, 0, 1, 0, 1]),
    ({"num_bins": 3}, [0, 1, 2, 3, 4], [1, 0, 1, 0, 2]),
    ({"num_bins": 3}, (0, 1, 2, 3, 4), [1, 0, 1, 0, 2]),
    ({"num_bins": 3, "salt": [133, 137]}, [[0], [1], [2], [3], [4]], [[1], [1], [2], [0], [1]]),
    ({"num_bins": 2}, [[[1], [2]], [[2], [3]]], [[[1], [1]], [[1], [1]]]),
    ({"num_bins": 5}, [1.7, -2.5], [4, 0]),
    ({"num_bins": 5}, [True, False], [0, 2]),
    ({"num_bins": 5}, np.array([3], "uint8"), [1]),
    ({"num_bins": 5, "mask_value": 3}, [1, 3, 4], [2, 0, 4]),
]


@pytest.mark.parametrize(("options", "inputs", "wanted"), VALUES, ids=lambda leaf: str(leaf)[:40])
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_bins(options: Any, inputs: Any, wanted: Any, backend: str) -> None:
    with nkeras.use_backend(backend):
        layer = Hashing(**options)
        same(layer(inputs), wanted)
        assert layer(inputs).dtype == "int64"
        twin = Hashing.from_config(layer.get_config())
        assert twin.get_config() == layer.get_config()
        same(twin(inputs), wanted)


def test_output_modes() -> None:
    inputs = nkeras.Input((1,), dtype="int32")
    outputs = Hashing(3, output_mode="one_hot")(inputs)
    assert outputs.shape == (None, 3)
    wanted = [[0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]
    same(nkeras.Model(inputs, outputs)(np.arange(5)), wanted)
    same(Hashing(3, output_mode="multi_hot")([[0, 1, 2, 3, 4]]), [[1, 1, 1]])
    same(Hashing(3, output_mode="count")([0, 1, 2, 3, 4]), [2, 2, 1])
    same(Hashing(3, output_mode="count")([[0, 1, 2, 3, 4]]), [[2, 2, 1]])
    assert Hashing(3, output_mode="count", dtype="float64")([[1]]).dtype == "float64"
    assert Hashing(3, dtype="int32")([1]).dtype == "int32"


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(4,), (4, 1), (3, 4)])
def test_shapes(mode: str, shape: tuple[int, ...]) -> None:
    layer = Hashing(5, output_mode=mode)
    symbol = layer(nkeras.Input(shape))
    assert tuple(layer.compute_output_shape((None, *shape))) == symbol.shape
    assert layer(np.ones((2, *shape), "int32")).shape == (2, *symbol.shape[1:])


def test_crossings() -> None:
    features = np.array(list("ABABA")), np.array([101, 101, 101, 102, 102])
    same(HashedCrossing(5)(features), [1, 4, 1, 1, 3])
    columns = tuple(feature[:, None] for feature in features)
    same(HashedCrossing(5)(columns), [[1], [4], [1], [1], [3]])
    same(HashedCrossing(10)((np.array("A"), np.array(101))), 1)
    wanted = np.eye(5)[[1, 4, 1, 1, 3]]
    same(HashedCrossing(5, output_mode="one_hot")(features), wanted)
    same(HashedCrossing(5, output_mode="one_hot")(columns), wanted)
    # tf.sparse.cross_hashed of TensorFlow 2.21
    a, b, c = ["A", "B", "Größe"], [101, -7, 2**40], ["x", "y", "z"]
    same(HashedCrossing(1000)([a, b]), [891, 904, 557])
    same(HashedCrossing(1000)([b, a]), [656, 244, 892])
    same(HashedCrossing(2**40)([a, b, c]), [202219405199, 517584435947, 208548248515])


def test_dtypes_of_crossings() -> None:
    inputs = np.array([1]), np.array([1])
    assert HashedCrossing(2)(inputs).dtype == "int64"
    assert HashedCrossing(2, dtype="int32")(inputs).dtype == "int32"
    assert HashedCrossing(2, output_mode="one_hot")(inputs).dtype == "float32"
    layer = HashedCrossing(2, output_mode="one_hot", dtype="float64")
    assert layer(inputs).dtype == "float64"
    wanted = {"num_bins": 2, "output_mode": "one_hot", "sparse": False, "dtype": "float64"}
    assert layer.get_config() == wanted | {"name": layer.name}
    same(HashedCrossing.from_config(layer.get_config())(inputs), layer(inputs))


def test_models(tmp_path: Path) -> None:
    name, number = nkeras.Input((), dtype="string"), nkeras.Input((), dtype="int64")
    outputs = [Hashing(100)(name), HashedCrossing(9)([name, number])]
    model = nkeras.Model([name, number], outputs)
    data = [np.array(NAMES), np.arange(5)]
    wanted = [np.asarray(one) for one in model(data)]
    for _ in range(4):
        for found, other in zip(model.predict(data, verbose=0), wanted, strict=True):
            same(found, other)
    assert not model._plans.refusals()
    model.save(tmp_path / "model.keras")
    read = nkeras.saving.load_model(tmp_path / "model.keras")
    for found, other in zip(read(data), wanted, strict=True):
        same(found, other)


ERRORS: dict[str, Callable[[], object]] = {
    "`num_bins` for `Hashing` cannot be `None` or non-positive": lambda: Hashing(None),
    "`num_bins` for `Hashing` cannot be .*num_bins=-1": lambda: Hashing(-1),
    "can only be a tuple of size 2.*'string'": lambda: Hashing(2, salt="string"),
    "can only be a tuple of size 2": lambda: Hashing(2, salt=[1]),
    "can only be a tuple of size 2.*177": lambda: Hashing(1, salt=[133, 137, 177]),
    "Invalid value for argument `output_mode`. Expected one of": lambda: Hashing(
        3, output_mode="other"
    ),
    'When `output_mode="int"`, `dtype` should be an integer type,': lambda: Hashing(
        3, dtype="float32"
    ),
    "`sparse` may only be true if `output_mode` is": lambda: Hashing(3, sparse=True),
    "Hashing: argument `sparse` must be False": lambda: Hashing(
        3, output_mode="count", sparse=True
    ),
    "`mask_value` must be text too": lambda: Hashing(3, mask_value=1)(["a"]),
    "inputs should have shape": lambda: HashedCrossing(10)(
        (np.ones((1, 1, 1)), np.ones((1, 1, 1)))
    ),
    "should be called on a list": lambda: HashedCrossing(10)(np.array(1)),
    "at least two inputs": lambda: HashedCrossing(10)([np.array(1)]),
    "should have an integer or string": lambda: HashedCrossing(10)(
        (np.array([1.0]), np.array([1.0]))
    ),
    "should have equal shape": lambda: HashedCrossing(10)((np.ones(2, int), np.ones(3, int))),
    "argument `num_bins` must be a positive": lambda: HashedCrossing(0),
    "HashedCrossing: Unknown string": lambda: HashedCrossing(3, output_mode="count"),
    "HashedCrossing: argument `sparse` must be False": lambda: HashedCrossing(3, sparse=True),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ERRORS[message]()
