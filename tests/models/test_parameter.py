"""A weight by itself in the graph of a functional model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.models import Parameter


def test_it_is_trained_cloned_and_saved(tmp_path: Path):
    x = nkeras.Input((3,))
    options: Any = {"regularizer": "l2", "constraint": "non_neg", "name": "scale"}
    scale = Parameter((3,), initializer="ones", **options)
    model = nkeras.Model(x, x * scale(x))
    assert model.output_shape == (None, 3)
    data = np.ones((4, 3), "float32")
    model.compile("sgd", "mse")
    model.fit(data, data * 3.0, epochs=2, verbose=0)
    trained = scale.get_weights()[0]
    assert (trained > 1.0).all()
    np.testing.assert_array_equal(model.predict(data, verbose=0), data * trained)
    model.save(tmp_path / "model.keras")
    loaded = nkeras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(data, verbose=0), data * trained)
    config = nkeras.models.clone_model(model).get_layer("scale").get_config()
    assert (config["shape"], config["trainable"]) == ((3,), True)
    assert [config[name]["class_name"] for name in ("regularizer", "constraint")] == [
        "L2",
        "NonNeg",
    ]


def test_its_shape_has_no_batch():
    assert Parameter((2, 4))(np.zeros((5, 3))).shape == (2, 4)
    assert Parameter(())(nkeras.Input((3,))).shape == ()
    with pytest.raises(ValueError, match="Parameter: argument `shape` must be a sequence"):
        Parameter((2, None))  # pyright: ignore[reportArgumentType]
