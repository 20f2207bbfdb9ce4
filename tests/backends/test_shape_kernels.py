"""Copies, casts and layout kernels of numba_cpu against NumPy, in all layouts and dtypes."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.loops.copies import contiguous, copy, fill
from nkeras_numba_cpu.memory import capture

DTYPES = ["bool", "int8", "uint8", "int32", "uint32", "int64", "float16", "bfloat16", "float32"]
DTYPES.append("float64")


def values(shape, dtype="float32"):
    return (np.random.default_rng(0).standard_normal(shape) * 50).astype(dtype)


def layouts(x):
    """x under every permutation of its axes, backwards, with gaps, spread."""
    for axes in itertools.permutations(range(x.ndim)):
        yield x.transpose(axes)
    yield x[::-1]
    yield x[..., ::-2]
    yield x.T[1:, ::2]
    yield np.broadcast_to(x[:, None], (x.shape[0], 3, *x.shape[1:]))


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "int64"])
def test_a_copy_of_any_layout(dtype):
    for shape in [(17, 33), (70, 130), (5, 16, 19), (3, 4, 5, 6)]:
        for x in layouts(values(shape, dtype)):
            result = contiguous(x)
            assert result.flags.c_contiguous
            np.testing.assert_array_equal(result, x)


def test_a_copy_keeps_the_bits_of_nan():
    bits = np.array([[0x7F800001, 0xFFC12345], [0x7FC00000, 1]], np.uint32)
    result = contiguous(bits.view(np.float32).T)
    np.testing.assert_array_equal(result.view(np.uint32), bits.T)


def test_more_dimensions_than_the_loops_have():
    x = values((2,) * 9)
    np.testing.assert_array_equal(contiguous(x.transpose(8, 0, 7, 1, 6, 2, 5, 3, 4)[::-1]),
                                  x.transpose(8, 0, 7, 1, 6, 2, 5, 3, 4)[::-1])  # fmt: skip


def test_into_a_view_that_runs_backwards():
    target = np.zeros((6, 9), np.float32)
    x = values((3, 9))
    copy(x, target[::-2])
    np.testing.assert_array_equal(target[::-2], x)
    assert not target[::2].any()
    fill(target[1:3, ::-4], 7)
    assert (target[1:3, ::4] == 7).all()


def test_two_threads_copy_the_same(monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    before = threads.get_num_threads()
    x = values((300, 257)).T
    try:
        threads.set_num_threads(2)
        np.testing.assert_array_equal(contiguous(x), x)
    finally:
        threads.set_num_threads(before)


@pytest.mark.parametrize("source", DTYPES)
def test_casts(source):
    wide = np.array([0, 1, 2.5, 100.4, 37, 65, 0.3, 17] * 5)
    special = np.array([-1.5, 1e-8, 6e-8, np.inf, -np.inf, np.nan, -0.0, 65519, 65520, 1e30])
    is_float = source.startswith(("float", "bfloat"))
    for target in ("float16", "bfloat16", "float32", "int32", "uint8", "uint32", "bool"):
        whole = not target.startswith(("float", "bfloat", "bool"))
        kind = np.dtype(getattr(ml_dtypes, source, source))
        with np.errstate(all="ignore"):
            x = (wide if whole or not is_float else np.append(wide, special)).astype(kind)
            expected = x != 0 if target == "bool" else x.astype(target)
        result = KERNELS["cast"](x, dtype=target)
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result.astype(np.float64), expected.astype(np.float64))


def test_float64_is_rounded_to_float16_once():
    # Just above the middle between 1 and its successor: float32 would round it to the middle.
    x = np.array([1 + 2.0**-11 + 2.0**-40, -(1 + 2.0**-11 + 2.0**-40), 1 + 2.0**-11])
    np.testing.assert_array_equal(KERNELS["cast"](x, dtype="float16"), x.astype(np.float16))


@pytest.mark.parametrize("mode", ["constant", "reflect", "symmetric"])
def test_pad(mode):
    for shape in [(1,), (2,), (3, 4), (2, 3, 4)]:
        x = values(shape)
        for widths in itertools.product([(0, 0), (1, 2), (7, 9)], repeat=len(shape)):
            result = KERNELS["pad"](x, pad_width=widths, mode=mode, constant=2.0)
            options = {"constant_values": 2.0} if mode == "constant" else {}
            np.testing.assert_array_equal(result, np.pad(x, widths, mode=mode, **options))


def test_pad_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="mode"):
        KERNELS["pad"](values((3,)), pad_width=((1, 1),), mode="edge", constant=0)
    with pytest.raises(ValueError, match="nothing to mirror"):
        KERNELS["pad"](values((0,)), pad_width=((1, 1),), mode="reflect", constant=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_concatenate_with_views_and_empty_parts(axis):
    x = values((4, 5, 6))
    parts = [x, x[..., ::-1], np.delete(x, np.s_[:], axis), np.asfortranarray(x)]
    result = KERNELS["concatenate"](*parts, axis=axis)
    np.testing.assert_array_equal(result, np.concatenate(parts, axis))


def test_everything_is_done_by_launches():
    """What a plan repeats: the launches alone, after the buffers were overwritten."""
    x = values((6, 40, 8))
    calls = {
        "concatenate": ((x, x[::-1]), {"axis": 0}),
        "pad": ((x,), {"pad_width": ((0, 1), (2, 0), (0, 0)), "mode": "reflect", "constant": 0}),
        "slice_grad": ((x,), {"shape": (6, 44, 8), "index": ((0, 6, 1), (2, 42, 1), (0, 8, 1))}),
        "cast": ((x.T,), {"dtype": "bfloat16"}),
        "reshape": ((x.T,), {"shape": (-1, 6)}),
        "reduce_mean": ((x,), {"axis": (0, 2), "keepdims": False}),
        "take": ((x, np.array([3, 1], np.int32)), {"axis": 1}),
        "take_grad": ((x, np.arange(40, dtype=np.int32) // 3), {"shape": (6, 20, 8), "axis": 1}),
    }
    for name, (arrays, static) in calls.items():
        expected = KERNELS[name](*arrays, **static)
        capture.current.launches = []
        try:
            result = KERNELS[name](*arrays, **static)
            launches = capture.current.launches
        finally:
            capture.current.launches = None
        result.view(np.uint8)[...] = 0xA5
        for function, arguments in launches:
            function(*arguments)
        assert result.tobytes() == expected.tobytes(), name
