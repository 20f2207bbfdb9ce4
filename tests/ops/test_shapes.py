"""Indexing, slicing, padding, broadcasting, reducing, windows: random shapes against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nkeras import ops
from nkeras.backend.registry import use_backend
from nkeras.core.graph import KerasTensor

SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)
quick = settings(max_examples=60, deadline=None)


def numbered(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(np.prod(shape), dtype="float32").reshape(shape)


@pytest.fixture(autouse=True)
def _numpy_backend() -> Any:
    with use_backend("numpy"):
        yield


@quick
@given(st.data())
def test_basic_indices(data: Any) -> None:
    shape = data.draw(SHAPES)
    key = data.draw(arrays.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    want = numbered(shape)[key]
    got = ops.get_item(numbered(shape), key)
    np.testing.assert_array_equal(got.numpy(), want)
    assert ops.get_item(KerasTensor(shape), key).shape == want.shape


@quick
@given(st.data())
def test_integer_array_indices(data: Any) -> None:
    shape = data.draw(SHAPES)
    key = data.draw(arrays.integer_array_indices(shape))
    np.testing.assert_array_equal(ops.get_item(numbered(shape), key).numpy(), numbered(shape)[key])


@quick
@given(st.data())
def test_boolean_mask(data: Any) -> None:
    shape = data.draw(SHAPES)
    mask = data.draw(arrays.arrays(bool, shape))
    np.testing.assert_array_equal(ops.get_item(numbered(shape), mask), numbered(shape)[mask])


@quick
@given(st.data())
def test_pad(data: Any) -> None:
    shape = data.draw(SHAPES)
    mode = data.draw(st.sampled_from(["constant", "reflect", "symmetric"]))
    limits = [{"constant": 3, "reflect": size - 1, "symmetric": size}[mode] for size in shape]
    widths = [data.draw(st.tuples(*[st.integers(0, limit)] * 2)) for limit in limits]
    want = np.pad(numbered(shape), widths, mode=mode)
    np.testing.assert_array_equal(ops.pad(numbered(shape), widths, mode=mode), want)
    assert ops.pad(KerasTensor(shape), widths, mode=mode).shape == want.shape


@quick
@given(arrays.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=4))
def test_broadcasting(shapes: Any) -> None:
    a, b, c = (numbered(shape) for shape in shapes.input_shapes)
    np.testing.assert_array_equal(ops.where(a > b, b, c).numpy(), np.where(a > b, b, c))
    symbols = [KerasTensor(shape) for shape in shapes.input_shapes]
    assert ops.clip(*symbols).shape == shapes.result_shape
    wide = ops.broadcast_to(a, shapes.result_shape)
    np.testing.assert_array_equal(wide, np.broadcast_to(a, shapes.result_shape))


@quick
@given(st.data())
def test_reductions(data: Any) -> None:
    shape = data.draw(SHAPES)
    axis = data.draw(st.none() | arrays.valid_tuple_axes(len(shape), min_size=1))
    keepdims = data.draw(st.booleans())
    for name in ("sum", "mean", "max", "min", "any", "all", "std", "median"):
        want = getattr(np, name)(numbered(shape), axis=axis, keepdims=keepdims)
        got = getattr(ops, name)(numbered(shape), axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, err_msg=name)
        symbolic = getattr(ops, name)(KerasTensor(shape), axis=axis, keepdims=keepdims)
        assert symbolic.shape == np.shape(want)


@quick
@given(st.data())
def test_windows_shapes(data: Any) -> None:
    """Symbolic shapes, with an unknown batch, are those of the eager results."""
    rank = data.draw(st.integers(1, 3))

    def draw(low: int, high: int) -> tuple[int, ...]:
        return tuple(data.draw(st.integers(low, high)) for _ in range(rank))

    sizes, window, strides, dilation = draw(4, 7), draw(1, 2), draw(1, 3), draw(1, 2)
    padding = data.draw(st.sampled_from(["valid", "same"]))
    x, kernel = np.ones((2, *sizes, 2), "float32"), np.ones((*window, 2, 3), "float32")
    symbol = KerasTensor((None, *sizes, 2))
    calls = [
        lambda t: ops.conv(t, kernel, strides, padding, dilation_rate=dilation),
        lambda t: ops.conv_transpose(
            t, kernel.swapaxes(-1, -2), strides, padding, dilation_rate=dilation
        ),
        lambda t: ops.max_pool(t, window, strides, padding),
        lambda t: ops.average_pool(t, window, strides, padding),
    ]
    for call in calls:
        assert call(symbol).shape == (None, *call(x).shape[1:])
    same = tuple(-(-size // stride) for size, stride in zip(sizes, strides, strict=True))
    if padding == "same":
        assert calls[0](x).shape == (2, *same, 3)
        assert calls[2](x).shape == (2, *same, 2)


@quick
@given(st.data())
def test_moving_axes(data: Any) -> None:
    shape = data.draw(SHAPES)
    rank = len(shape)
    order = data.draw(st.permutations(range(rank)))
    x = numbered(shape)
    np.testing.assert_array_equal(ops.transpose(x, order), np.transpose(x, order))
    source, target = (
        data.draw(st.integers(-rank, rank - 1)),
        data.draw(st.integers(-rank, rank - 1)),
    )
    np.testing.assert_array_equal(ops.moveaxis(x, source, target), np.moveaxis(x, source, target))
    shift = data.draw(st.integers(-5, 5))
    np.testing.assert_array_equal(ops.roll(x, shift, source), np.roll(x, shift, source))
    np.testing.assert_array_equal(ops.repeat(x, 2, source), np.repeat(x, 2, source))
    repeats = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=4))
    np.testing.assert_array_equal(ops.tile(x, repeats), np.tile(x, repeats))
