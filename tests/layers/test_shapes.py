"""Unknown sizes, empty batches, integers, and inputs of every memory layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nkeras
from nkeras import layers


@pytest.fixture(autouse=True)
def _numpy_backend() -> Any:
    with nkeras.use_backend("numpy"):
        yield


UNKNOWN = [
    (
        lambda: layers.Conv2D(4, 3, strides=2, padding="same"),
        (None, None, 3),
        (None, None, None, 4),
    ),
    (lambda: layers.Conv1DTranspose(2, 3), (None, 3), (None, None, 2)),
    (lambda: layers.MaxPooling2D(), (8, None, 3), (None, 4, None, 3)),
    (lambda: layers.GlobalAveragePooling2D(), (None, None, 3), (None, 3)),
    (lambda: layers.UpSampling2D(), (None, 4, 3), (None, None, 8, 3)),
    (lambda: layers.ZeroPadding2D(1), (None, 4, 3), (None, None, 6, 3)),
    (lambda: layers.Cropping1D(1), (None, 3), (None, None, 3)),
    (lambda: layers.Flatten(), (None, 3), (None, None)),
    (lambda: layers.Reshape((-1, 2)), (None,), (None, None, 2)),
    (lambda: layers.Reshape((3, 4)), (None, None), (None, 3, 4)),
    (lambda: layers.Permute((2, 1)), (None, 3), (None, 3, None)),
    (lambda: layers.RepeatVector(2), (3,), (None, 2, 3)),
    (lambda: layers.BatchNormalization(), (None, 3), (None, None, 3)),
    (lambda: layers.Dense(2), (None, 3), (None, None, 2)),
]


@pytest.mark.parametrize(("make", "shape", "expected"), UNKNOWN)
def test_unknown_sizes_stay_unknown(make: Any, shape: Any, expected: Any) -> None:
    assert make()(nkeras.Input(shape)).shape == expected
    assert tuple(make().compute_output_shape((None, *shape))) == expected


EMPTY = [
    (lambda: layers.Conv2D(2, 3), (5, 5, 1), (3, 3, 2)),
    (lambda: layers.SeparableConv1D(2, 3), (5, 2), (3, 2)),
    (lambda: layers.Conv1DTranspose(2, 3), (5, 2), (7, 2)),
    (lambda: layers.MaxPooling2D(), (4, 4, 1), (2, 2, 1)),
    (lambda: layers.GlobalMaxPooling1D(), (4, 2), (2,)),
    (lambda: layers.BatchNormalization(), (3,), (3,)),
    (lambda: layers.Dense(2), (3,), (2,)),
    (lambda: layers.Flatten(), (3, 2), (6,)),
    (lambda: layers.Reshape((-1, 2)), (6,), (3, 2)),
    (lambda: layers.Softmax(), (3,), (3,)),
    (lambda: layers.UpSampling1D(), (3, 2), (6, 2)),
]


@pytest.mark.parametrize(("make", "shape", "expected"), EMPTY)
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_no_rows_give_no_rows(make: Any, shape: Any, expected: Any, backend: str) -> None:
    with nkeras.use_backend(backend):
        assert make()(np.ones((0, *shape), "float32")).shape == (0, *expected)


def test_merges_of_no_rows() -> None:
    empty = np.ones((0, 3), "float32")
    assert layers.Dot(1)([empty, empty]).shape == (0, 1)
    assert layers.Concatenate()([empty, empty]).shape == (0, 6)


def test_integers_stay_integers_where_nothing_is_computed() -> None:
    x = np.arange(6, dtype="int32").reshape(2, 3)
    for layer in (layers.Flatten(), layers.Reshape((3, 1)), layers.RepeatVector(2)):
        assert layer(x).dtype == "int32"
    assert layers.Add()([x, x]).dtype == "int32"


def test_inputs_of_any_memory_layout() -> None:
    layer = layers.Conv2D(3, 2)
    plain = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("float32")
    expected = layer(plain).numpy()
    frozen = plain.copy()
    frozen.flags.writeable = False
    for x in (
        np.asfortranarray(plain),
        plain[::-1][::-1],
        np.ascontiguousarray(plain.transpose(3, 2, 1, 0)).transpose(3, 2, 1, 0),
        plain.astype(">f4"),
        plain.astype("float64"),
        frozen,
    ):
        np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    size=st.integers(1, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same"]),
    transposed=st.booleans(),
)
def test_symbolic_and_eager_shapes_agree(
    size: int, kernel: int, stride: int, padding: str, transposed: bool
) -> None:
    if not transposed and padding == "valid" and size < kernel:
        return
    kind = layers.Conv1DTranspose if transposed else layers.Conv1D
    layer = kind(2, kernel, strides=stride, padding=padding)
    eager = layer(np.ones((2, size, 3), "float32")).shape
    assert layer(nkeras.Input((size, 3))).shape == (None, *eager[1:])


def test_build_of_any_number_of_shapes() -> None:
    class Gathers(nkeras.Layer):
        def build(self, *shapes: Any) -> None:
            self.seen = shapes
            self.inner = layers.Dense(2)

        def call(self, first: Any, second: Any = None) -> Any:
            return self.inner(first if second is None else first + second)

    one, two, x = Gathers(), Gathers(), np.ones((1, 3), "float32")
    assert one(x).shape == two(x, x).shape == (1, 2)
    assert (one.seen, two.seen) == (((1, 3),), ((1, 3), (1, 3)))
    assert one.get_build_config() == {"input_shape": (1, 3)}
    again = Gathers()
    again.build_from_config(one.get_build_config())
    assert again.seen == one.seen
