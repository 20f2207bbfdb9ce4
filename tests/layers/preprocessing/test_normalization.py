"""Normalization: what it learns, from all kinds of data, and where it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from tests.harness import oracle

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, (32, 4)).astype("float32")
IMAGES = RNG.random((32, 4, 3, 5))


class Batches(nkeras.utils.PyDataset):
    """Eight rows of `X` at a time, alone, with targets, or with weights too."""

    def __init__(self, length: int = 1) -> None:
        super().__init__()
        self.length = length

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        x = X[8 * index : 8 * index + 8]
        return x if self.length == 1 else (x, x[:, 0], x[:, 0])[: self.length]


@pytest.mark.parametrize(
    "data",
    [
        lambda: X,
        lambda: X.tolist(),
        lambda: nkeras.ops.convert_to_tensor(X),
        lambda: [X[:8], X[8:16], X[16:]],
        lambda: (X[i : i + 5] for i in range(0, 32, 5)),
        lambda: iter([X[:1], X[1:]]),
        lambda: [(X[:20], np.zeros(20)), (X[20:], np.zeros(12))],
        Batches,
        lambda: Batches(2),
        lambda: Batches(3),
    ],
)
def test_all_kinds_of_data_give_the_same_statistics(data: Callable[[], Any]) -> None:
    layer = layers.Normalization()
    layer.adapt(data())
    assert layer.built
    np.testing.assert_allclose(layer.adapt_mean, X.mean(0, dtype="float64"), rtol=1e-6)
    np.testing.assert_allclose(layer.adapt_variance, X.var(0, dtype="float64"), rtol=1e-6)
    y = layer(X).numpy()
    np.testing.assert_allclose(y.mean(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.var(0), 1.0, atol=1e-5)


@pytest.mark.parametrize("axis", [None, -1, 1, (1, 2), (3, 1), (0,), (), (0, 1, 2, 3), (1, -3)])
@pytest.mark.parametrize("in_batches", [False, True])
def test_kept_axes(axis: Any, in_batches: bool) -> None:
    layer = layers.Normalization(axis=axis)
    kept = {one % 4 for one in layer.axis}
    # Where each place in a batch is kept, batches are of one size.
    layer.adapt([IMAGES[:16], IMAGES[16:]] if in_batches else IMAGES)
    reduced = tuple(one for one in range(4) if one not in kept)
    together = np.stack([IMAGES[:16], IMAGES[16:]]) if in_batches and 0 in kept else IMAGES[None]
    reduced = (0, *(one + 1 for one in reduced))
    np.testing.assert_allclose(layer.adapt_mean, together.mean(reduced), rtol=1e-5)
    np.testing.assert_allclose(layer.adapt_variance, together.var(reduced), rtol=1e-5, atol=1e-7)
    assert layer.mean is not None
    wide = [n if i in kept else 1 for i, n in enumerate(layer.get_build_config()["input_shape"])]
    assert list(layer.mean.shape) == wide


def test_one_pass_does_not_lose_a_small_variance() -> None:
    x = 1e6 + RNG.random(10_000).reshape(-1, 1)
    layer = layers.Normalization(dtype="float64")
    layer.adapt([x[:1], x[1:4000], x[4000:]])
    np.testing.assert_allclose(layer.adapt_variance, x.var(0), rtol=1e-9)
    np.testing.assert_allclose(layer.adapt_mean, x.mean(0), rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float16", "uint8", "int64", "bool", "float64"])
def test_data_of_all_dtypes(dtype: str) -> None:
    x = (RNG.random((500, 2)) * (200 if dtype != "bool" else 2)).astype("uint8").astype(dtype)
    layer = layers.Normalization()
    layer.adapt(x)
    np.testing.assert_allclose(layer.adapt_mean, x.astype("float64").mean(0), rtol=1e-6)
    y = layer(x)
    assert y.dtype == "float32"
    np.testing.assert_allclose(y.numpy().var(0), 1.0, atol=1e-4)


def test_half_types_do_not_lose_the_mean() -> None:
    x = RNG.normal(1000.0, 1.0, (200, 1)).astype("float32")
    layer = layers.Normalization(dtype="mixed_float16")
    layer.adapt(x)
    y = layer(x.astype("int32"))
    assert y.dtype == "float16"
    assert layer.adapt_mean.dtype == "float32"
    wanted = (x.astype("int32") - x.mean()) / x.std()
    np.testing.assert_allclose(y.numpy(), wanted, atol=2e-3)


def test_data_in_a_file_are_read_in_parts(tmp_path: Path) -> None:
    rows = np.memmap(tmp_path / "x", "float32", "w+", shape=(600_000, 8))
    rows[:, 0] = np.arange(600_000)
    layer = layers.Normalization()
    layer.adapt(rows)
    np.testing.assert_allclose(layer.adapt_mean[0], 299_999.5, rtol=1e-6)
    np.testing.assert_allclose(layer.adapt_variance[0], (600_000**2 - 1) / 12, rtol=1e-6)


def test_given_statistics() -> None:
    layer = layers.Normalization(mean=3.0, variance=2.0)
    np.testing.assert_allclose(
        layer(np.array([[1.0], [2.0], [3.0]])), [[-1.4142135], [-0.70710677], [0.0]], rtol=1e-6
    )
    assert layer.weights == []
    back = layers.Normalization(mean=3.0, variance=2.0, invert=True)
    np.testing.assert_allclose(back(layer([[1.0], [5.0]])), [[1.0], [5.0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("axis", "mean", "shape", "wide"),
    [
        (2, [1, 2, 3, 4, 5], (2, 4, 5, 3), (1, 1, 5, 1)),
        ((1, 2), np.zeros((10, 13)), (None, 10, 13, 3), (1, 10, 13, 1)),
        ((1, 2), np.arange(5.0), (2, 7, 5, 3), (1, 7, 5, 1)),
        (-1, 5.0, (3, 7), (1, 7)),
        ((1, 2), np.ones((1, 5)), (2, 7, 5, 3), (1, 7, 5, 1)),
    ],
)
def test_given_statistics_stand_at_the_kept_axes(
    axis: Any, mean: Any, shape: Any, wide: tuple[int, ...]
) -> None:
    layer = layers.Normalization(axis=axis, mean=mean, variance=np.ones_like(mean))
    layer.build(shape)
    assert layer.mean is not None
    assert layer.mean.shape == wide
    expected = np.zeros(wide) + (
        np.reshape(mean, wide)
        if np.size(mean) == np.prod(wide)
        else np.reshape(mean, (-1, 1))
        if np.ndim(mean)
        else mean
    )
    np.testing.assert_array_equal(layer.mean, expected)


def test_it_is_the_identity_before_it_was_adapted() -> None:
    np.testing.assert_array_equal(layers.Normalization()(X), X)


def test_what_is_learned_anew_replaces_what_was_known() -> None:
    layer = layers.Normalization()
    layer.adapt(X)
    layer.adapt(X + 5.0)
    np.testing.assert_allclose(layer.adapt_mean, X.mean(0) + 5.0, rtol=1e-5)
    layer.finalize_state()
    assert int(layer.count.numpy()) == 0


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_in_a_model_that_is_trained(backend: str) -> None:
    with nkeras.use_backend(backend):
        layer = layers.Normalization()
        layer.adapt(X)
        model = nkeras.Sequential([nkeras.Input((4,)), layer, layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(X, X[:, :1], epochs=3, verbose=0)
        before = model.predict(X, verbose=0)
        np.testing.assert_allclose(model(X), before, rtol=1e-5, atol=1e-6)
        layer.adapt(X + 1.0)  # plans read the weights
        np.testing.assert_allclose(model.predict(X + 1.0, verbose=0), before, rtol=1e-4, atol=1e-5)


def test_on_batches_of_data() -> None:
    layer = layers.Normalization()
    layer.adapt(X)
    model = nkeras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    dataset = ((layer(X[i : i + 8]), X[i : i + 8, :1]) for i in range(0, 32, 8))
    history = model.fit(dataset, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_a_model_goes_on_elsewhere() -> None:
    layer = layers.Normalization(axis=-1, mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 1.0, 4.0, 4.0])
    learned = layers.Normalization()
    learned.adapt(X)
    with nkeras.use_backend("numpy"):
        given, own = layer(X).numpy(), learned(X).numpy()
    with nkeras.use_backend("numba_cpu"):
        np.testing.assert_allclose(layer(X), given, rtol=1e-6)
        np.testing.assert_allclose(learned(X), own, rtol=1e-5, atol=1e-6)


def test_statistics_are_those_of_keras(oracle: Any) -> None:
    x = IMAGES.astype("float32")
    axes = [-1, None, (1, 2), (0, 1)]
    answers = oracle.run(
        """
        result = []
        for axis in axes:
            layer = keras.layers.Normalization(axis=axis, name="n")
            layer.adapt(x)
            config = layer.get_config()["axis"]
            result.append((layer.adapt_mean, layer.adapt_variance, layer(x), config))
        """,
        axes=axes,
        x=x,
    )
    for axis, (mean, variance, y, config) in zip(axes, answers, strict=True):
        layer = layers.Normalization(axis=axis, name="n")
        layer.adapt(x)
        np.testing.assert_allclose(layer.adapt_mean, mean, rtol=1e-5)
        np.testing.assert_allclose(layer.adapt_variance, variance, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(layer(x), y, rtol=1e-4, atol=1e-4)
        assert layer.get_config()["axis"] == config


@pytest.mark.parametrize(
    ("options", "shape", "text"),
    [
        ({"mean": 0.5}, None, "both `mean` and `variance` must be set"),
        ({"variance": 0.5}, None, "both `mean` and `variance` must be set"),
        ({"mean": [1.0], "variance": [1.0, 2.0]}, None, "the same shape"),
        ({"mean": [[1.0]], "variance": [[1.0]]}, None, "at most as many axes"),
        ({"mean": 0.0, "variance": -1.0}, None, "`variance` must be 0 or more"),
        ({"axis": "last"}, None, "`axis` must be an int"),
        ({"axis": 3}, (2, 2), r"All `axis` values must be in the range \[-2, 2\)"),
        ({"axis": -4}, (2, 3, 4), "All `axis` values must be in the range"),
        ({"axis": 1}, (None, None), "All `axis` values to be kept"),
        ({"mean": [1.0, 2.0], "variance": [1.0, 2.0]}, (None, 3), "do not broadcast"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], shape: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        layers.Normalization(**options).build(shape)
    assert str(caught.value).startswith("Normalization")
    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        ([], ValueError, "empty iterable"),
        (iter(()), ValueError, "empty iterable"),
        (np.zeros((0, 4)), ValueError, "nothing to learn from"),
        (X[:, :3], ValueError, r"an incompatible shape \(32, 3\)"),
        ([X, X[:, :3]], ValueError, "incompatible shape"),
        (X[0], ValueError, "incompatible shape"),
        (iter([42]), TypeError, r"`\.shape`"),
        (np.array([["a", "b", "c", "d"]]), ValueError, "needs numbers.*'a'"),
        (np.array([[1.0, None, 2.0, 3.0]], object), ValueError, "needs numbers.*None"),
        ([X, np.where(X == X[3, 2], np.nan, X)], ValueError, "NaN.*at index 2 of axis 1"),
    ],
)
def test_wrong_data(data: Any, error: type[Exception], text: str) -> None:
    layer = layers.Normalization()
    layer.build((None, 4))
    with pytest.raises(error, match=text) as caught:
        layer.adapt(data)
    assert len(str(caught.value)) <= 400
    np.testing.assert_array_equal(layer.adapt_variance, np.ones(4))


def test_given_statistics_are_not_learned() -> None:
    with pytest.raises(ValueError, match=r"was made with `mean` and `variance`"):
        layers.Normalization(mean=0.0, variance=1.0).adapt(X)


def test_files_hold_what_was_learned(tmp_path: Path) -> None:
    layer = layers.Normalization()
    layer.adapt(X)
    model = nkeras.Sequential([nkeras.Input((4,)), layer])
    model.save(tmp_path / "model.keras")
    y = layer(X).numpy()
    again = nkeras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X), y)
    if oracle.keras_available():
        of_keras = oracle.run(
            """
            model = keras.saving.load_model(path)
            model.save(path + ".of_keras.keras")
            result = model(x)
            """,
            path=str(tmp_path / "model.keras"),
            x=X,
        )
        np.testing.assert_allclose(of_keras, y, rtol=1e-5, atol=1e-6)
        read = nkeras.saving.load_model(tmp_path / "model.keras.of_keras.keras")
        np.testing.assert_array_equal(read(X), y)
