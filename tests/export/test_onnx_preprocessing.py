"""Layers that have learned from data, and tables of columns, in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import nkeras
from nkeras import layers
from tests.export.runtime import TOLERANCE, largest_error, run, session

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _on_numpy() -> Iterator[None]:
    with nkeras.use_backend("numpy"):
        yield


@pytest.mark.parametrize("mode", ["int", "count"])
def test_learned_bins(mode: str, tmp_path: Path) -> None:
    layer = layers.Discretization(num_bins=4, output_mode=mode)
    layer.adapt(RNG.random(50))
    model = nkeras.Sequential([nkeras.Input((3,)), layer])
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    x = RNG.random((5, 3)).astype("float32")
    (y,) = run(session(tmp_path / "model.onnx"), [x])
    np.testing.assert_array_equal(y, layer(x))


def test_columns_keep_their_names(tmp_path: Path) -> None:
    table = {"c": [0.0, 1.0, 2.0], "a": [1.0, 2.0, 6.0], "b": [5.0, 4.0, 3.0]}
    features = nkeras.utils.FeatureSpace(
        {"c": "float", "a": "float_normalized", "b": "float_discretized"}
    )
    features.adapt(table)
    model = nkeras.Model(features.get_inputs(), features.get_encoded_features())
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    loaded = session(tmp_path / "model.onnx")
    columns = [np.array(table[one.name], "float32")[:, None] for one in loaded.get_inputs()]
    assert largest_error(run(loaded, columns), features(table)) <= TOLERANCE
