"""FeatureSpace: columns of integers and text, against what Keras gives on TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.utils import FeatureSpace

TABLE: dict[str, list[Any]] = {
    **{name: [i / 10 for i in range(10)] for name in ("float_1", "float_2", "float_3")},
    **{name: list(range(10)) for name in ("int_1", "int_2", "int_3")},
    **{name: [str(i) for i in range(10)] for name in ("string_1", "string_2")},
}
KINDS = {
    "float_1": "float",
    "float_2": "float_normalized",
    "float_3": "float_discretized",
    "string_1": "string_categorical",
    "string_2": "string_hashed",
    "int_1": "integer_categorical",
    "int_2": "integer_hashed",
    "int_3": {"max_tokens": 5, "num_oov_indices": 2},
}
CROSSES = [("float_3", "string_1"), ("string_2", "int_2")]
# Places of the ones: FeatureSpace(KINDS, crosses=CROSSES, output_mode="dict") of Keras 3.15.1 on
# TensorFlow 2.21, adapted to TABLE and called on it.
PLACES = {
    "float_3": [1, 2, 3, 4, 5, 6, 7, 8, 9, 9],
    "int_1": [10, 9, 8, 7, 6, 5, 4, 3, 2, 1],
    "int_2": [31, 1, 7, 9, 31, 11, 15, 24, 19, 13],
    "int_3": [0, 1, 0, 1, 0, 1, 0, 4, 3, 2],
    "string_1": [10, 9, 8, 7, 6, 5, 4, 3, 2, 1],
    "string_2": [31, 1, 7, 9, 31, 11, 15, 24, 19, 13],
    "float_3_X_string_1": [30, 22, 12, 3, 25, 0, 16, 20, 21, 6],
    "string_2_X_int_2": [14, 9, 10, 23, 14, 17, 16, 12, 29, 3],
}
SIZES = {"int_1": 11, "string_1": 11, "int_3": 5}


@pytest.fixture(autouse=True)
def _numpy() -> Iterator[None]:
    """Small tables need no compiler."""
    with nkeras.use_backend("numpy"):
        yield


def space(output_mode: str = "dict") -> FeatureSpace:
    """As Keras made it for `PLACES`."""
    options: Any = KINDS["int_3"]
    kinds = {**KINDS, "int_3": FeatureSpace.integer_categorical(**options)}
    return FeatureSpace(kinds, crosses=CROSSES, output_mode=output_mode)


def rows() -> Iterator[dict[str, Any]]:
    for number in range(10):
        yield {name: column[number] for name, column in TABLE.items()}


@pytest.mark.parametrize("data", [lambda: TABLE, rows, lambda: ((row, 0) for row in rows())])
def test_places_are_those_of_keras(data: Any) -> None:
    features = space()
    features.adapt(data())
    found = features(TABLE)
    for name, places in PLACES.items():
        wanted = np.eye(SIZES.get(name, 32))[places]
        np.testing.assert_array_equal(found[name], wanted, err_msg=name)
    row = features({name: column[3] for name, column in TABLE.items()})
    for name, places in PLACES.items():
        np.testing.assert_array_equal(row[name], np.eye(SIZES.get(name, 32))[places[3]])


def test_integers_instead_of_vectors() -> None:
    features = FeatureSpace(
        {
            "string_1": FeatureSpace.string_categorical(output_mode="int"),
            "string_2": FeatureSpace.string_hashed(num_bins=32, output_mode="int"),
            "int_2": FeatureSpace.integer_hashed(num_bins=32, output_mode="int"),
        },
        crosses=[FeatureSpace.cross(("string_2", "int_2"), 32, output_mode="int")],
        output_mode="dict",
    )
    table = {name: TABLE[name] for name in ("string_1", "string_2", "int_2")}
    features.adapt(table)
    found = features(table)
    for name in (*table, "string_2_X_int_2"):
        assert found[name].dtype.startswith("int")
        np.testing.assert_array_equal(found[name].numpy()[:, 0], PLACES[name])
    assert features({name: column[0] for name, column in table.items()})["int_2"].shape == (1,)


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_a_model_of_raw_rows(backend: str, tmp_path: Path) -> None:
    columns = {name: np.array(column)[:, None] for name, column in TABLE.items()}
    with nkeras.use_backend(backend):
        features = space("concat")
        features.adapt(TABLE)
        encoded = features.get_encoded_features()
        assert encoded.shape == (None, 189)
        model = nkeras.Model(features.get_inputs(), layers.Dense(1)(encoded))
        model.compile("adam", "mse")
        model.fit(columns, np.zeros((10, 1)), batch_size=4, epochs=3, verbose=0)
        predicted = model.predict(columns, verbose=0)
        model.save(tmp_path / "model.keras")
        again = nkeras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(again.predict(columns, verbose=0), predicted, rtol=1e-6)


def test_files(tmp_path: Path) -> None:
    features = space("concat")
    features.adapt(TABLE)
    wanted = features(TABLE).numpy()
    features.save(tmp_path / "space.keras")
    again = nkeras.saving.load_model(tmp_path / "space.keras")
    again.save(tmp_path / "again.keras")
    for read in (again, nkeras.saving.load_model(tmp_path / "again.keras")):
        np.testing.assert_array_equal(read(TABLE), wanted)


def test_layers_of_ones_own() -> None:
    words = ["this", "is", "just", "an", "example"]
    text = layers.TextVectorization(vocabulary=words, output_mode="int", output_sequence_length=3)
    features = FeatureSpace(
        {
            "int": "integer_hashed",
            "text": FeatureSpace.feature("string", text, "int"),
        },
        output_mode="dict",
    )
    found = features({"int": [0, 1], "text": ["this is it", "an example"]})
    np.testing.assert_array_equal(found["text"], [[2, 3, 1], [5, 6, 0]])
    tf_idf = layers.TextVectorization(output_mode="tf_idf")
    learned = FeatureSpace({"text": FeatureSpace.feature("string", tf_idf, "float")})
    data = {"text": ["1st string", "2nd string", "3rd string"]}
    learned.adapt(data)
    assert learned(data).shape == (3, 5)


def test_a_column_with_a_gap() -> None:
    features = FeatureSpace({"string_1": "string_categorical"})
    with pytest.raises(ValueError, match=r"feature 'string_1'.*None"):
        features.adapt({"string_1": ["a", None, "b"]})
