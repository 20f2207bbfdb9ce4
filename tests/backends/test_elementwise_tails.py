"""Elementwise kernels over sizes around vector widths, blocks and tasks, and every broadcast."""

import itertools

import numpy as np
import pytest

import nkeras
import nkeras.backend.scalars  # registers them
import nkeras.backend.scalars.tones
import nkeras_numba_cpu.kernels.elementwise as mapping
from nkeras.backend.scalar import SCALARS, Scalar
from nkeras_numba_cpu import threads
from nkeras_numba_cpu.kernels import KERNELS, optimizers
from nkeras_numba_cpu.kernels.elementwise import elementwise
from nkeras_numba_cpu.launch import tasks
from nkeras_numba_cpu.loops import maps
from nkeras_numba_cpu.loops.maps import BLOCK, TASK

add = elementwise(SCALARS["add"])
SIZES = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 127, BLOCK - 1, BLOCK + 1, BLOCK * TASK + 5]
SHAPES = [
    ((), (3, 2)),
    ((1,), (5,)),
    ((3, 4), (4,)),
    ((3, 4), (3, 1)),
    ((3, 1), (1, 4)),
    ((2, 3, 4), (3, 1)),
    ((2, 3, 4), (2, 1, 4)),
    ((2, 1, 4), (3, 1)),
    ((2, 3, 4, 5), (3, 1, 5)),
    ((2, 3, 4, 5, 6), (2, 1, 4, 1, 6)),
    ((4, 1), (0, 4, 3)),
    ((9_000, 3), (9_000, 1)),
    ((9_000, 3), (3,)),
    ((3_000, 7), (1, 1)),
    ((1, 7), (3_000, 1)),
    ((90, 5, 7), (5, 1)),
    ((90, 50, 7), (90, 1, 7)),
    ((30, BLOCK // 2), (30, 1)),
    ((30, BLOCK // 2 + 1), (30, 1)),
    ((7, 3 * BLOCK), (3 * BLOCK,)),
    ((7, 3 * BLOCK), (7, 1)),
    ((1, 3 * BLOCK), (7, 1)),
    ((5, 7, BLOCK + 3), (7, 1)),
    ((5, 7, BLOCK + 3), (5, 1, BLOCK + 3)),
]


def normal(shape, dtype="float32", seed=0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


@pytest.mark.parametrize("size", [1, BLOCK * TASK, BLOCK * TASK + 1, 100_000, 4_000_000])
def test_tasks_are_even_and_of_one_length(size):
    length = maps.task_length(size)
    count = -(-size // length)
    assert length <= BLOCK * TASK
    assert count == 1 or count % 2 == 0
    assert count == 1 or size - (count - 1) * length > length - 64 * count


@pytest.mark.parametrize(("first", "second"), SHAPES, ids=str)
def test_broadcast(first, second):
    x, y = normal(first), normal(second, seed=1)
    np.testing.assert_array_equal(add(x, y), np.add(x, y))
    np.testing.assert_array_equal(add(y, x), np.add(y, x))


@pytest.fixture
def _reads_once(monkeypatch):
    """Arrays of every size count as large ones."""
    monkeypatch.setattr(mapping, "LARGE", 1)
    mapping._layout.cache_clear()
    yield
    mapping._layout.cache_clear()


@pytest.mark.usefixtures("_reads_once")
def test_broadcast_numbers_are_read_once():
    for first, second in SHAPES:
        x, y = normal(first), normal(second, seed=1)
        np.testing.assert_array_equal(add(x, y), np.add(x, y))
        np.testing.assert_array_equal(add(y, x), np.add(y, x))
    assert mapping._layout(((7, 3 * BLOCK), (7, 1))).same == (False, True)
    assert mapping._layout(((9, 9_000, 3), (9, 1, 1))).same == (False, True)
    assert mapping._layout(((9, 9_000, 3), (9, 1, 3))).same == ()
    assert mapping._layout(((9, 5, 3), (9, 1, 1))).same == ()


def _differing(scalar, *masks):
    """The masks of arguments that are numbers of each line with which results are others."""
    found = []
    for mask in masks:
        arrays = [
            normal((40, 1) if is_same else (40, 1500), seed=i) for i, is_same in enumerate(mask)
        ]
        for i, name in enumerate(scalar.parameters):
            arrays[i] = arrays[i] > 0 if name in scalar.conditions else arrays[i]
        expanded = [np.ascontiguousarray(np.broadcast_to(x, (40, 1500))) for x in arrays]
        kernel = elementwise(scalar)
        given, wanted = kernel(*arrays), kernel(*expanded)
        if not np.array_equal(given, wanted, equal_nan=given.dtype.kind == "f"):
            found.append(mask)
    return found


def _masks(count):
    """One argument moves, or one is the same."""
    for i in range(count):
        yield tuple(j == i for j in range(count))
        if count > 2:
            yield tuple(j != i for j in range(count))


@pytest.mark.parametrize("name", ["posterized_tone", "moving_average", "squareplus"])
@pytest.mark.usefixtures("_reads_once")
def test_numbers_that_are_read_once_change_no_bit(name):
    scalar = SCALARS[name]
    assert _differing(scalar, *_masks(len(scalar.parameters))) == []


@pytest.mark.long
@pytest.mark.usefixtures("_reads_once")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_that_are_read_once_change_no_bit_of_any_scalar():
    found = {}
    for name, scalar in SCALARS.items():
        count = len(scalar.parameters)
        if count > 1 and "bitwise" not in name:
            found[name] = _differing(scalar, *_masks(count))
    assert {name: masks for name, masks in found.items() if masks} == {}


def test_more_arguments_than_most_have():
    @Scalar
    def total(a, b, c, d, e, f, g, h, i, j):
        return a + b + c + d + e + f + g + h + i + j

    arrays = [normal(shape) for shape in [(3, 1), (1, 40), (3, 40), (40,), ()] * 2]
    expected = arrays[0]
    for array in arrays[1:]:
        expected = expected + array
    np.testing.assert_array_equal(elementwise(total)(*arrays), expected)


@pytest.mark.parametrize("dtype", ["float64", "int8", "int16", "int64"])
def test_items_of_other_sizes(dtype):
    for first, second in SHAPES[:13]:
        x, y = (10 * normal(first)).astype(dtype), (10 * normal(second)).astype(dtype)
        np.testing.assert_array_equal(add(x, y), np.add(x, y))


@pytest.mark.parametrize("size", SIZES)
def test_sizes(size):
    x, y = normal(size), normal(size, seed=1)
    x[::5] = np.nan
    y[::7] = np.inf
    np.testing.assert_array_equal(add(x, y), np.add(x, y))
    np.testing.assert_array_equal(add(x, x), np.add(x, x))


def test_conditions_and_booleans():
    x, y = normal((40, 33)), normal((33,), seed=1)
    x[0, ::2] = np.nan
    greater = elementwise(SCALARS["greater"])(x, y)
    assert greater.dtype == np.bool_
    np.testing.assert_array_equal(greater, x > y)
    where = elementwise(SCALARS["where"])
    for condition in (greater, greater[:, :1], greater[0], np.array(True)):
        np.testing.assert_array_equal(where(condition, x, y), np.where(condition, x, y))


def test_five_arguments_broadcast_each_its_own_way():
    def weighted(a, b, c, d, e):
        return a * b + c * d - e

    kernel = elementwise(Scalar(weighted))
    shapes = [(6, 5, 4), (5, 1), (4,), (6, 1, 1), ()]
    for order in itertools.islice(itertools.permutations(shapes), 0, 120, 17):
        arrays = [normal(shape, "float64", i) for i, shape in enumerate(order)]
        np.testing.assert_allclose(kernel(*arrays), weighted(*arrays), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_views(dtype):
    x = normal((40, 60), dtype)
    frozen = x.copy()
    frozen.setflags(write=False)
    np.testing.assert_array_equal(add(x.T, frozen.T), x.T + x.T)
    np.testing.assert_array_equal(add(x[::-2, 1::3], frozen[::-2, 1::3]), (x + x)[::-2, 1::3])


@pytest.mark.parametrize(("first", "second"), [SHAPES[i] for i in (11, 12, 16, 20, 23)], ids=str)
def test_same_bits_for_one_and_two_threads(first, second, monkeypatch):
    if threads.limit() < 2:
        pytest.skip("one thread is all this machine has")
    monkeypatch.setattr(tasks, "SERIAL_BELOW", 0)
    x, y = normal(first), normal(second, seed=1)
    kernel = elementwise(SCALARS["logaddexp"])
    before = threads.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            threads.set_num_threads(count)
            results.append(kernel(x, y))
    finally:
        threads.set_num_threads(before)
    np.testing.assert_array_equal(*results)


def test_optimizers_take_live_rates_and_write_in_place():
    w, grad, m, v = (np.abs(normal(5_000, seed=i)) for i in range(4))
    static = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7}
    want = optimizers.adam_update(w, grad, m, v, alpha=0.1, **static)
    live = np.array([0.1])
    for one, other in zip(
        optimizers.adam_update(w, grad, m, v, alpha=live, **static), want, strict=True
    ):
        np.testing.assert_array_equal(one, other)
    count, geometry = maps.contiguous(w.size, 4, 3, 2)
    settings = np.array([1 - 0.9, 1 - 0.99, 1e-7], np.float32)
    kernel = optimizers._kernel(optimizers._adam, 3, 3)
    arrays = (live, settings, grad, w, m, v, w, m, v)
    kernel(count, w.size, maps.block_task(), geometry, *arrays)
    for one, other in zip((w, m, v), want, strict=True):
        np.testing.assert_array_equal(one, other)


def test_random_kernels_take_live_keys():
    key, live = (7, 2**32 - 2), np.array((7, 2**32 - 2), np.uint32)
    x = normal(4_099)
    for name, arrays, static in [("random_bits", (), {"size": 4_099}), ("dropout", (x,), {})]:
        static = static or {"rate": 0.25}
        want = KERNELS[name](*arrays, key=key, **static)
        np.testing.assert_array_equal(KERNELS[name](*arrays, key=live, **static), want)


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "int64"])
def test_integer_powers_wrap_round(dtype):
    base = np.array([0, 1, 2, 3, 7, 10, 2, 3], dtype)
    exponent = np.array([0, 9, 7, 4, 3, 2, 60, 41], dtype)
    got = nkeras.ops.power(base, exponent).numpy()
    np.testing.assert_array_equal(got, np.power(base, exponent))


def test_negative_integer_powers():
    base, exponent = np.array([1, -1, -1, 2, 0], "int32"), np.array([-3, -3, -2, -1, -1], "int32")
    assert nkeras.ops.power(base, exponent).numpy().tolist() == [1, -1, 1, 0, 0]
