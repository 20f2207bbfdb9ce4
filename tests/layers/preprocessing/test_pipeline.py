"""Pipeline: layers one after the other, with `training` and masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

X = np.random.default_rng(0).random((4, 3)).astype("float32")


class Canary(nkeras.Layer):
    """Keeps what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        self.seen += [training, mask is not None]
        return x

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return nkeras.ops.cast(x, "bool")


@pytest.mark.filterwarnings("ignore:.*passed an input with a mask")
def test_all_layers_get_training_and_masks() -> None:
    pipeline = layers.Pipeline([Canary(), Canary()])
    pipeline(np.array([0]), training=True, mask=np.array([0]))
    assert [layer.seen for layer in pipeline.layers] == [[True, True]] * 2
    pipeline(np.array([0]), training=False)
    assert [layer.seen[2:] for layer in pipeline.layers] == [[False, False], [False, True]]


def test_it_trains_outside_of_a_model() -> None:
    pipeline = layers.Pipeline([layers.Rescaling(2.0), layers.GaussianNoise(0.5, seed=1)])
    assert (pipeline(X).numpy() != 2.0 * X).any()
    np.testing.assert_allclose(pipeline(X, training=False), 2.0 * X)
    model = nkeras.Sequential([nkeras.Input((3,)), pipeline])
    np.testing.assert_allclose(model.predict(X, verbose=0), 2.0 * X)


def test_data_of_all_kinds() -> None:
    pipeline = layers.Pipeline([layers.Rescaling(2.0), layers.Rescaling(1.0, 1.0)])
    for x in (X, X.astype("float64"), X.tolist(), nkeras.ops.convert_to_tensor(X)):
        y = pipeline(x)
        assert y.dtype == "float32"
        np.testing.assert_allclose(y, 2.0 * X + 1.0)
    assert pipeline.compute_output_shape((None, 3)) == (None, 3)


def test_layers_inside_are_trained() -> None:
    model = nkeras.Sequential([layers.Pipeline([layers.Dense(4), layers.Dense(1)])])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    assert len(model.trainable_weights) == 4


def test_configurations(tmp_path: Path) -> None:
    normalization = layers.Normalization()
    normalization.adapt(2.0 * X)
    pipeline = layers.Pipeline([layers.Rescaling(2.0), normalization], name="p")
    y = pipeline(X).numpy()
    config = pipeline.get_config()
    assert set(config) == {"layers", "name"}
    before = config["layers"]
    twin = layers.Pipeline.from_config(config)
    assert config["layers"] is before
    assert [type(layer) for layer in twin.layers] == [layers.Rescaling, layers.Normalization]
    model = nkeras.Sequential([nkeras.Input((3,)), pipeline])
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(nkeras.saving.load_model(tmp_path / "model.keras")(X), y)


@pytest.mark.parametrize("config", [{"name": "p"}, {"layers": None, "name": "p"}])
def test_wrong_configurations(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must have a list of `layers`"):
        layers.Pipeline.from_config(config)


@pytest.mark.parametrize("wrong", [layers.Rescaling(1.0), [1], None])
def test_what_is_no_list_of_layers(wrong: Any) -> None:
    with pytest.raises(ValueError, match="Pipeline: argument `layers` must be a list of layers"):
        layers.Pipeline(wrong)
