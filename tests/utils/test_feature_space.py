"""FeatureSpace: columns of numbers, from data of all kinds, in models and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.utils import FeatureSpace

TABLE: dict[str, list[float]] = {
    "a": [1.0, 2.0, 6.0, 7.0],
    "b": [1.0, 2.0, 3.0, 4.0],
    "c": [0.0, 1.0, 2.0, 3.0],
    "d": [5.0, 4.0, 3.0, 2.0],
}
KINDS: dict[str, Any] = {
    "a": "float_normalized",
    "d": "float",
    "b": FeatureSpace.float_discretized(num_bins=3),
    "c": FeatureSpace.float_rescaled(scale=2.0, offset=1.0),
}
A = (np.array(TABLE["a"]) - 4.0) / np.std(TABLE["a"])
B = np.eye(3)[[0, 1, 2, 2]]  # between 1, 2.333 and 3.667 are the thirds of 1, 2, 3, 4


@pytest.fixture(autouse=True)
def _numpy() -> Iterator[None]:
    """Small tables need no compiler."""
    with nkeras.use_backend("numpy"):
        yield


def space(**options: Any) -> FeatureSpace:
    kinds = {
        **KINDS,
        "b": FeatureSpace.float_discretized(num_bins=3),
        "c": FeatureSpace.float_rescaled(scale=2.0, offset=1.0),
    }
    return FeatureSpace(kinds, **options)


class Rows(nkeras.utils.PyDataset):
    """Two rows at a time, with targets."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        rows = slice(2 * index, 2 * index + 2)
        return {name: np.array(column)[rows] for name, column in TABLE.items()}, np.zeros(2)


class Frame:
    """What a table of pandas is to us."""

    iloc = None

    def keys(self) -> list[str]:
        return list(TABLE)

    def __contains__(self, name: str) -> bool:
        return name in TABLE

    def __iter__(self) -> Iterator[str]:
        return iter(TABLE)

    def __getitem__(self, name: str) -> Any:
        return Column(TABLE[name])


class Column:
    """What a column of pandas is to us."""

    iloc = None

    def __init__(self, values: list[float]) -> None:
        self.values = np.array(values)
        self.shape = self.values.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values


def _rows() -> Iterator[dict[str, float]]:
    for number in range(4):
        yield {name: column[number] for name, column in TABLE.items()}


@pytest.mark.parametrize(
    "data",
    [
        lambda: TABLE,
        lambda: {name: np.array(column) for name, column in TABLE.items()},
        lambda: {name: np.array(column)[:, None] for name, column in TABLE.items()},
        lambda: {name: nkeras.ops.convert_to_tensor(column) for name, column in TABLE.items()},
        lambda: {**TABLE, "target": [0, 1, 0, 1]},
        Frame,
        Rows,
        _rows,
        lambda: list(_rows()),
        lambda: ((row, 1) for row in _rows()),
        lambda: [{name: np.array(column) for name, column in TABLE.items()}],
    ],
)
def test_all_kinds_of_data(data: Callable[[], Any]) -> None:
    features = space()
    features.adapt(data())
    y = features(TABLE).numpy()
    wanted = np.concatenate(
        [A[:, None], B, 2.0 * np.c_[TABLE["c"]] + 1.0, np.c_[TABLE["d"]]], axis=1
    )
    np.testing.assert_allclose(y, wanted, rtol=1e-5)


def test_calls_on_columns_and_rows() -> None:
    features = space(output_mode="dict")
    features.adapt(TABLE)
    for data in (TABLE, {n: np.array(c) for n, c in TABLE.items()}, Rows()[0][0], Frame()):
        found = features(data)
        count = len(np.asarray(data["a"]))
        assert {name: one.shape for name, one in found.items()} == {
            "a": (count, 1),
            "b": (count, 3),
            "c": (count, 1),
            "d": (count, 1),
        }
        assert list(found) == sorted(found)
    row = features({name: column[2] for name, column in TABLE.items()})
    np.testing.assert_allclose(row["a"], A[2:3], rtol=1e-5)
    np.testing.assert_array_equal(row["b"], B[2])
    tensors = {name: nkeras.ops.convert_to_tensor(column[2]) for name, column in TABLE.items()}
    np.testing.assert_array_equal(features(tensors)["b"], B[2])


def test_whole_numbers_are_numbers() -> None:
    features = FeatureSpace({"a": "float", "b": "float_normalized"})
    features.adapt({"a": [1, 2], "b": [3, 5]})
    np.testing.assert_allclose(features({"a": [1, 2], "b": [3, 5]}), [[1, -1], [2, 1]])


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_in_a_functional_model(backend: str) -> None:
    with nkeras.use_backend(backend):
        features = space()
        features.adapt(TABLE)
        encoded = features.get_encoded_features()
        assert encoded.shape == (None, 6)
        model = nkeras.Model(features.get_inputs(), layers.Dense(1)(encoded))
        model.compile("sgd", "mse")
        columns = {name: np.array(column)[:, None] for name, column in TABLE.items()}
        model.fit(columns, np.zeros((4, 1)), epochs=4, verbose=0)
        assert model.predict(columns, verbose=0).shape == (4, 1)


def test_in_front_of_a_model_and_as_its_first_layer() -> None:
    features = space()
    features.adapt(TABLE)
    model = nkeras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(((features(x), y) for x, y in Rows()), verbose=0)
    inputs = features.get_inputs()
    whole = nkeras.Model(inputs, model(features(inputs)))
    np.testing.assert_allclose(
        whole.predict({n: np.array(c)[:, None] for n, c in TABLE.items()}, verbose=0),
        model(features(TABLE)),
        rtol=1e-5,
        atol=1e-6,
    )


def test_adapting_again_gives_new_categories() -> None:
    features = FeatureSpace({"b": FeatureSpace.float_discretized(num_bins=3)})
    features.adapt({"b": TABLE["b"]})
    before = features.get_encoded_features()
    features.adapt({"b": [7.0, 8.0, 9.0]})
    assert features.get_encoded_features() is not before
    np.testing.assert_array_equal(features({"b": [7.0, 9.0, 9.5]}), np.eye(3)[[1, 2, 2]])


def test_what_needs_no_adapting() -> None:
    normalization = layers.Normalization(mean=12.0, variance=4.0)
    features = FeatureSpace(
        {
            "a": FeatureSpace.feature("float32", normalization, "float"),
            "b": FeatureSpace.float_discretized(None, bin_boundaries=[2.0, 3.0]),
            "c": FeatureSpace.feature("int32", layers.CategoryEncoding(4, "one_hot"), "float"),
        },
        output_mode="dict",
    )
    found = features({"a": TABLE["a"], "b": TABLE["b"], "c": [0, 1, 2, 3]})
    np.testing.assert_allclose(found["a"], (np.c_[TABLE["a"]] - 12.0) / 2.0)
    np.testing.assert_array_equal(found["b"], np.eye(3)[[0, 1, 2, 2]])
    np.testing.assert_array_equal(found["c"], np.eye(4))
    features.adapt({"a": TABLE["a"]})  # nothing is learned


def test_files(tmp_path: Path) -> None:
    features = space()
    features.adapt(TABLE)
    wanted = features(TABLE).numpy()
    features.save(tmp_path / "space.keras")
    again = nkeras.saving.load_model(tmp_path / "space.keras")
    again.save(tmp_path / "again.keras")
    for name in ("space", "again"):
        read = nkeras.saving.load_model(tmp_path / f"{name}.keras")
        assert type(read) is FeatureSpace
        np.testing.assert_array_equal(read(TABLE), wanted)
        model = nkeras.Model(read.get_inputs(), read.get_encoded_features())
        model.save(tmp_path / "model.keras")
        columns = {name: np.array(column)[:, None] for name, column in TABLE.items()}
        whole = nkeras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(whole.predict(columns, verbose=0), wanted)


def test_files_of_keras(tmp_path: Path, oracle: Any) -> None:
    ours, theirs = str(tmp_path / "ours.keras"), str(tmp_path / "theirs.keras")
    features = space()
    features.adapt(TABLE)
    features.save(ours)
    wanted = features(TABLE).numpy()
    columns = {name: np.array(column)[:, None] for name, column in TABLE.items()}
    found, config = oracle.run(
        """
        import warnings
        warnings.simplefilter("ignore")
        read = keras.saving.load_model(ours)
        model = keras.Model(read.get_inputs(), read.get_encoded_features())
        read.save(theirs)
        columns = {name: ops.convert_to_tensor(one) for name, one in columns.items()}
        result = model(columns), keras.saving.serialize_keras_object(read)
        """,
        ours=ours,
        theirs=theirs,
        columns=columns,
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    read = nkeras.saving.load_model(theirs)
    np.testing.assert_array_equal(read(TABLE), wanted)
    mine = nkeras.saving.serialize_keras_object(read)
    assert mine["module"] == config["module"] == "keras.utils"
    assert list(mine["config"]) == list(config["config"])
    assert mine["build_config"].keys() == config["build_config"].keys()
    one, other = mine["config"]["features"]["d"], config["config"]["features"]["d"]
    assert (one["module"], one["class_name"]) == (other["module"], other["class_name"])
    assert one["config"]["preprocessor"]["class_name"] == "TFDIdentity"


@pytest.mark.parametrize(
    ("kinds", "options", "text"),
    [
        ({}, {}, "cannot be None or empty"),
        (None, {}, "cannot be None or empty"),
        ({"a": "flaot"}, {}, r"Invalid feature type for 'a': 'flaot'.*Did you mean 'float'"),
        ({"a": 3}, {}, "Invalid feature type for 'a': 3"),
        ({"a": "float"}, {"output_mode": "unknown"}, "for argument `output_mode`"),
        ({"a": "float"}, {"crosses": [("a", "b")]}, r"should be present in .*'b'"),
        (
            {"a": "float", "b": "float"},
            {"crosses": [("a", "b")], "crossing_dim": None},
            "`crossing_dim`",
        ),
    ],
)
def test_wrong_arguments(kinds: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        FeatureSpace(kinds, **options)
    assert len(str(caught.value)) <= 400


def test_wrong_features() -> None:
    with pytest.raises(ValueError, match="`output_mode` must be 'int', 'one_hot' or 'float'"):
        FeatureSpace.float_discretized(3, output_mode="count")
    with pytest.raises(ValueError, match="`output_mode` must be 'int' or 'one_hot'"):
        FeatureSpace.cross(("a", "b"), 3, output_mode="float")
    with pytest.raises(ValueError, match="`preprocessor` must be a layer"):
        FeatureSpace.feature("float32", "normalize", "float")  # type: ignore[arg-type]
    identity = FeatureSpace.feature("int32", layers.Identity(dtype="int32"), "one_hot")
    with pytest.raises(ValueError, match="'a' has `output_mode='one_hot'`"):
        FeatureSpace({"a": identity})({"a": [1, 2]})
    bins = FeatureSpace.float_discretized(None, [0.0], output_mode="int")
    with pytest.raises(ValueError, match=r"Cannot concatenate.*'a'.*int32"):
        FeatureSpace({"a": bins})({"a": [1.0]})


def test_before_it_is_adapted() -> None:
    features = space()
    for use in (features.get_inputs, features.get_encoded_features, lambda: features(TABLE)):
        with pytest.raises(ValueError, match=r"You need to call `\.adapt"):
            use()


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        ([1.0, 2.0], TypeError, "a dict of columns"),
        (np.zeros((3, 2)), TypeError, "a dict of columns"),
        ("file.csv", TypeError, "a dict of columns"),
        ([[np.zeros(3)]], TypeError, "batches must be dicts"),
        ({"a": [1.0]}, ValueError, "feature 'b'.*no such column"),
        ({**TABLE, "a": ["x"] * 4}, ValueError, "feature 'a'.*needs numbers.*'x'"),
        ({**TABLE, "b": [np.nan] * 4}, ValueError, "feature 'b'.*NaN"),
        ([], ValueError, "feature 'a'.*empty"),
    ],
)
def test_wrong_data(data: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        space().adapt(data)


def test_wrong_calls() -> None:
    features = space()
    features.adapt(TABLE)
    with pytest.raises(ValueError, match="can only be called with a dict"):
        features([1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"without \['d'\] and with \['target'\]"):
        features({name: TABLE.get(name, [0.0]) for name in ("a", "b", "c", "target")})
