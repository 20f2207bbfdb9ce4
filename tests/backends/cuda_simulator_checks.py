"""Each CUDA kernel in the simulator against the numpy kernels.

The simulator must be chosen before Numba is imported: `test_numba_cuda_simulator.py` runs this file
in processes of its own, one for each group, which is the first word of a test's name.
"""

import itertools
import threading
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
from kernel_calls import normal

import nkeras
import nkeras.backend.scalars
import nkeras.ops.accumulating
import nkeras.ops.hits
import nkeras_numba_cuda
import nkeras_numpy
from nkeras.backend.body import Body
from nkeras.backend.protocol import Backend
from nkeras.backend.scalar import SCALARS, Scalar
from nkeras.core.errors import OutOfMemoryError
from nkeras.core.primitive import PRIMITIVES
from nkeras.core.spec import Spec
from nkeras_numba_cuda import memory, strict
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.launch import KERNELS as KERNEL_LIST
from nkeras_numba_cuda.out_of_memory import explained
from nkeras_numpy.kernels import KERNELS
from tests.harness.device_arrays import Fails, empty_arrays

assert nkeras.backend.scalars.__all__
assert nkeras.ops.hits.label_hits
assert nkeras.ops.accumulating.clip_together

BACKEND = nkeras_numba_cuda.backend()
NUMPY = nkeras_numpy.backend()
FLOATS = ["float32", "float64", "bfloat16"]
TOLERANCE = {"float32": 2e-6, "float64": 1e-13, "float16": 1e-3, "bfloat16": 8e-3}


def on_device(array):
    """The array on the device with its strides; a write into it changes the host's and shows."""
    return None if array is None else strict.view_of(array)


def on_host(result):
    if isinstance(result, tuple):
        return tuple(map(on_host, result))
    return None if result is None else BACKEND.to_numpy(result)


def compare(name, *arrays, **static):
    """The kernel on write-protected inputs against the numpy kernel; its results are returned."""
    for array in arrays:
        if array is not None:
            array.setflags(write=False)
    got = on_host(BACKEND.kernels[name](*map(on_device, arrays), **static))
    expected = KERNELS[name](*arrays, **static)
    results = zip(*[r if isinstance(r, tuple) else (r,) for r in (got, expected)], strict=True)
    for one, other in results:
        assert (one is None) == (other is None)
        if one is not None:
            assert_same(one, other)
    return got


def assert_same(got, expected):
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    tolerance = TOLERANCE.get(got.dtype.name, 0)
    wide = [a.astype("float64") if tolerance else a for a in (got, expected)]
    np.testing.assert_allclose(*wide, rtol=tolerance, atol=10 * tolerance)


# --- plugin


def test_plugin_is_a_backend():
    members = [name for name in vars(Backend) if not name.startswith("_")]
    members += Backend.__annotations__
    assert len(members) > 8
    for member in members:
        assert getattr(BACKEND, member) is not None
    assert BACKEND.name == "numba_cuda"
    more = BACKEND.kernels.keys() - KERNELS.keys()
    assert BACKEND.kernels.keys() >= KERNELS.keys()
    assert all(PRIMITIVES[name].decompose is not None for name in more)
    assert all(BACKEND.kernels[name] is not KERNELS.get(name) for name in OWN)
    assert "simulator" in BACKEND.device
    assert all(isinstance(fact, str) for fact in BACKEND.describe().values())
    BACKEND.synchronize()


def test_plugin_moves_arrays():
    for dtype in BACKEND.dtypes:
        array = BACKEND.asarray(np.arange(3, dtype=">i4"), dtype)
        assert array.dtype.name == dtype
        assert array.dtype.isnative
        np.testing.assert_array_equal(BACKEND.to_numpy(array).real.astype("float32")[:2], [0, 1])
        assert BACKEND.empty((2, 0), dtype).shape == (2, 0)
    assert "bfloat16" in BACKEND.dtypes
    with pytest.raises(TypeError, match="'complex256'"):
        BACKEND.asarray(np.zeros(2), "complex256")


def test_plugin_works_in_two_threads():
    x = normal(4, 5, dtype="float32")
    failures = []

    def work():
        try:
            for _ in range(5):
                found = BACKEND.kernels["matmul"](on_device(x), on_device(x.T))
                assert_same(on_host(found), x @ x.T)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_plugin_refuses_undeclared_types():
    x = strict.zeros(3, "float32")
    with pytest.raises(
        TypeError, match=r"joined_statistics is launched as void\(.*float64\[::1\], int64"
    ):
        KERNEL_LIST["joined_statistics"].launch(3, x, x, x, x.astype("float64"), 1, 1)


def small_model():
    """Compiled, with data."""
    nkeras.utils.set_random_seed(3)
    layers = nkeras.layers
    model = nkeras.Sequential(
        [nkeras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1)]
    )
    model.compile(nkeras.optimizers.Adam(0.05), "mse")
    x = np.random.default_rng(0).standard_normal((3, 4, 4, 1), "float32")
    return model, x, x.sum(axis=(1, 2))


def test_plugin_survives_each_allocation_that_fails():
    with nkeras.use_backend("numba_cuda"):
        model, x, y = small_model()
        first = float(model.train_on_batch(x, y))
        for after in itertools.count():
            fails = Fails(after)
            try:
                with empty_arrays(fails):
                    model.train_on_batch(x, y)
            except OutOfMemoryError as error:
                told = str(error)
                assert len(told) <= 400, told
                assert "Out of memory allocating" in told
                assert "A smaller batch" in told
            if not fails.failed:
                break
            assert all(np.isfinite(one).all() for one in model.get_weights())
        assert after > 10
        for _ in range(5):
            last = float(model.train_on_batch(x, y))
        assert last < first


def test_plugin_says_what_is_in_use():
    class Full:
        """A device with 16 GB, of which we have 6 and others 2."""

        def get_default_memory_pool(self):
            return SimpleNamespace(used_bytes=lambda: 5 * 10**9, total_bytes=lambda: 6 * 10**9)

        @property
        def cuda(self):
            device = SimpleNamespace(mem_info=(8 * 10**9, 16 * 10**9))
            return SimpleNamespace(Device=lambda: device)

    def too_large():
        raise MemoryError("Out of memory allocating 64,000,000,000 bytes (allocated so far: 5).")

    before = memory.array_module()
    memory.use(Full())
    try:
        with pytest.raises(OutOfMemoryError) as caught:
            explained(too_large, "conv")()
    finally:
        memory.use(before)
    told = str(caught.value)
    assert "no memory for `conv`: Out of memory allocating 64,000,000,000 bytes" in told
    assert "Of 16.00 GB, arrays hold 5.00 GB, other programs 2.00 GB; 9.00 GB are free" in told
    assert len(told) <= 400, told


# --- elementwise


def check_scalar(scalar, *arrays):
    """The CUDA kernel of a scalar function against the numpy backend's."""
    for array in arrays:
        array.setflags(write=False)
    got = on_host(BACKEND.elementwise(scalar)(*map(on_device, arrays)))
    assert_same(got, NUMPY.elementwise(scalar)(*arrays))
    return got


def arguments(scalar, dtype, seed=0):
    """Arguments inside the domain of every scalar function but arccosh."""
    generator = np.random.default_rng(seed)
    values = []
    for name in scalar.parameters:
        if name in scalar.conditions:
            values.append(generator.integers(0, 2, (2, 3)).astype(bool))
        elif np.dtype(dtype).kind in "iu":
            values.append(generator.integers(1, 7, (2, 3)).astype(dtype))
        else:
            shift = 1.5 if "arccosh" in scalar.name else 0.0
            values.append((generator.uniform(0.1, 0.9, (2, 3)) + shift).astype(dtype))
    return values


def floating_scalars():
    for name, value in SCALARS.items():
        if "bitwise" not in name:
            yield value
            yield from filter(None, (value.gradient(by) for by in value.parameters))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_elementwise_functions_and_gradients(dtype):
    scalars = list(floating_scalars())
    assert len(scalars) > 150
    for scalar in scalars:
        values = arguments(scalar, dtype)
        check_scalar(scalar, *values)
        flipped = [v if v.dtype == bool or "arccosh" in scalar.name else -v for v in values]
        check_scalar(scalar, *flipped)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64"])
@pytest.mark.parametrize(
    "name",
    "add subtract multiply floor_divide mod maximum minimum clip sign square relu equal less "
    "where bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift "
    "bitwise_right_shift floor".split(),
)
def test_elementwise_of_integers(name, dtype):
    check_scalar(SCALARS[name], *arguments(SCALARS[name], dtype))


def test_elementwise_power_of_integers_is_exact():
    x, y = np.array([3, -7, 2, 10], "int64"), np.array([39, 22, 62, 0], "int64")
    got = on_host(BACKEND.elementwise(SCALARS["power"])(on_device(x), on_device(y)))
    assert got.dtype == np.int64
    assert got.tolist() == [a**b for a, b in zip(x.tolist(), y.tolist(), strict=True)]


def test_elementwise_of_booleans():
    values = arguments(SCALARS["logical_and"], "bool"), arguments(SCALARS["logical_not"], "bool")
    for name in ("logical_and", "logical_or", "logical_xor"):
        assert check_scalar(SCALARS[name], *values[0]).dtype == bool
    check_scalar(SCALARS["logical_not"], *values[1])
    check_scalar(SCALARS["equal"], *values[0])


def root_of_square(x):
    return sqrt(x * x)  # noqa: F821


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_elementwise_half_types_compute_in_float32(dtype):
    x = np.array([-3, 0.3, 60000, np.inf], dtype)
    check_scalar(SCALARS["gelu"], x)
    check_scalar(SCALARS["where"], x < 1, x, -x)
    check_scalar(SCALARS["greater"], x, -x)
    # The square of 60000 overflows in float16, but not inside the function.
    check_scalar(SCALARS["hypot"], x, x)
    assert on_host(BACKEND.elementwise(Scalar(root_of_square))(on_device(x)))[2] == x[2]


def test_elementwise_special_values():
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0, 1e-40, 2.5, -2.5], "float32")
    for scalar in floating_scalars():
        if scalar.parameters == ("x",) and not scalar.conditions:
            check_scalar(scalar, x)
    for name in ("maximum", "minimum", "add", "divide", "logaddexp", "hypot", "equal"):
        check_scalar(SCALARS[name], x[:, None], x)


def spread(n, h, x, w, y, count, *, limit):
    for c in range(x.shape[2]):
        y[n, h, c] = min(x[n, h, c] * w[c] * 0.5, limit)
        count[c] += 1.0 if x[n, h, c] > 0.0 else 0.0


@pytest.mark.parametrize("dtype", FLOATS)
def test_plugin_runs_kernels_of_users(dtype):
    body = Body(
        spread, ("n", "h"), ("x", "w"), ("y", "count"), ("limit",), over="y", sums=("count",)
    )
    x, w = normal(5, 3, 4).astype(dtype), normal(4, seed=1).astype(dtype)
    specs = Spec((5, 3, 4), dtype), Spec((4,), "float32")
    found = BACKEND.array_kernel(body)(
        on_device(x.swapaxes(0, 1).copy().swapaxes(0, 1)), on_device(w), specs=specs, limit=0.2
    )
    expected = NUMPY.array_kernel(body)(x, w, specs=specs, limit=0.2)
    for one, other in zip(found, expected, strict=True):
        assert_same(BACKEND.to_numpy(one), other)
    assert BACKEND.to_numpy(found[1]).sum() == (x > 0).sum()


BROADCASTS = [
    [(2, 3), (3,)],
    [(2, 1, 3), (4, 1)],
    [(), (2, 2)],
    [(1, 1), ()],
    [(2, 3, 2), (2, 1, 2), (1,)],
    [(2, 1, 2, 1, 2, 2), (1, 2, 1, 2, 1, 2)],
    [(2, 1, 2, 1), (1, 2, 1, 3)],
    [(0, 3), (1, 3)],
]


@pytest.mark.parametrize("shapes", BROADCASTS)
def test_elementwise_broadcasts(shapes):
    name = {2: "subtract", 3: "clip"}[len(shapes)]
    check_scalar(SCALARS[name], *[normal(*s, seed=k) for k, s in enumerate(shapes)])


def test_elementwise_of_views():
    x = normal(3, 4, 2, dtype="float32")
    subtract = SCALARS["subtract"]
    check_scalar(subtract, x.T, x.T[::-1])
    check_scalar(subtract, x[:, ::2], x[:, 1::2])
    check_scalar(subtract, np.broadcast_to(x[:1], (3, 4, 2)), x)
    check_scalar(subtract, np.broadcast_to(x[0, 0], (5, 2)), np.broadcast_to(x[:1, 0], (5, 2)))


def test_elementwise_of_a_lambda():
    check_scalar(Scalar(lambda x: x * 2.0), np.arange(3, dtype="float32"))


def test_elementwise_scalars_of_users():
    def scaled(x, y, z, u, v, w, flag):
        return where(flag, x + y * z - u / v, w)  # noqa: F821

    flag = np.array([True, False, True])
    check_scalar(Scalar(scaled, conditions=("flag",)), *normal(6, 3, dtype="float32"), flag)


# --- linalg


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int16", "bool"])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 3), (3, 4)),
        ((2, 2, 3), (3, 2)),
        ((2, 3), (4, 3, 2)),
        ((2, 1, 2, 3), (3, 3, 2)),
        ((2, 2, 3), (2, 3, 1)),
        ((2, 0), (0, 3)),
        ((0, 2), (2, 3)),
    ],
)
def test_linalg_matmul(left, right, dtype):
    compare("matmul", (3 * normal(*left)).astype(dtype), (3 * normal(*right, seed=1)).astype(dtype))


def test_linalg_matmul_of_views():
    x, y = normal(2, 3, 4), normal(2, 3, 4, seed=1)
    compare("matmul", x, y.swapaxes(1, 2))
    compare("matmul", x.swapaxes(1, 2), y)
    compare("matmul", x[0].T, y[0])
    compare("matmul", x[:, ::2, ::-1], y.swapaxes(1, 2)[:, :, 1:])
    compare("matmul", np.broadcast_to(x[:1], (2, 3, 4)), y.swapaxes(1, 2))
    compare("matmul", np.broadcast_to(x[0, :1], (3, 4)), y[0].T)


# --- convolution

CONVOLUTIONS = [  # spatial sizes, window, strides, padding, dilation, groups, channels, filters
    ((5,), (3,), (1,), ((0, 0),), (1,), 1, 2, 3),
    ((6,), (2,), (2,), ((1, 0),), (2,), 2, 4, 2),
    ((4, 5), (3, 2), (1, 1), ((1, 1), (0, 1)), (1, 1), 1, 2, 3),
    ((5, 6), (2, 3), (2, 3), ((0, 1), (2, 1)), (1, 1), 1, 1, 2),
    ((6, 5), (2, 2), (1, 2), ((1, 0), (1, 1)), (3, 2), 3, 3, 6),
    ((5, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 4, 4, 4),
    ((4, 3), (1, 1), (3, 2), ((0, 0), (0, 0)), (1, 1), 1, 2, 2),
    ((3, 4, 3), (2, 2, 2), (1, 2, 1), ((0, 0), (1, 1), (0, 1)), (1, 1, 2), 2, 2, 2),
    ((3, 2), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1, 1, 1),  # no window fits
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution(case, dtype):
    sizes, window, strides, padding, dilation, groups, channels, filters = case
    settings = {
        "strides": strides,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
    }
    x = normal(2, *sizes, channels, dtype=dtype)
    kernel = normal(*window, channels // groups, filters, seed=1, dtype=dtype)
    y = compare("conv", x, kernel, **settings)
    grad_y = normal(*y.shape, seed=2, dtype=dtype)
    compare("conv_grad_input", grad_y, kernel, input_shape=x.shape, **settings)
    compare("conv_grad_kernel", x, grad_y, kernel_shape=kernel.shape, **settings)


def test_convolution_of_views_and_empty_batches():
    settings = {
        "strides": (1, 1),
        "padding": ((1, 1), (1, 1)),
        "dilation": (1, 1),
        "groups": 1,
    }
    x, kernel = normal(2, 3, 4, 5).transpose(0, 3, 2, 1), normal(3, 2, 3, 3).transpose(1, 0, 3, 2)
    y = compare("conv", x, kernel, **settings)
    grad_y = normal(*y.shape[::-1]).T
    compare("conv_grad_input", grad_y, kernel, input_shape=x.shape, **settings)
    compare("conv_grad_kernel", x, grad_y, kernel_shape=kernel.shape, **settings)
    y = compare("conv", x[:0], kernel, **settings)
    assert y.shape[0] == 0
    compare("conv_grad_input", grad_y[:0], kernel, input_shape=(0, *x.shape[1:]), **settings)
    compare("conv_grad_kernel", x[:0], grad_y[:0], kernel_shape=kernel.shape, **settings)


def test_convolution_of_integers_is_the_reference():
    x, kernel = np.arange(10).reshape(1, 5, 2), np.arange(12).reshape(3, 2, 2)
    settings = {"strides": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
    y = compare("conv", x, kernel, **settings)
    compare("conv_grad_input", y, kernel, input_shape=x.shape, **settings)
    compare("conv_grad_kernel", x, y, kernel_shape=kernel.shape, **settings)


# --- pooling

POOLS = [  # spatial sizes, pool_size, strides, padding
    ((5,), (2,), (2,), ((0, 0),)),
    ((5,), (3,), (1,), ((2, 1),)),
    ((4, 5), (2, 2), (2, 2), ((0, 0), (0, 1))),
    ((5, 4), (3, 2), (2, 1), ((1, 1), (1, 0))),
    ((6, 5), (2, 1), (3, 2), ((0, 0), (0, 0))),
    ((3, 4, 3), (2, 2, 2), (1, 2, 1), ((1, 0), (0, 0), (0, 1))),
    ((2, 2), (3, 3), (1, 1), ((0, 0), (0, 0))),  # no window fits
]


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "uint8"])
@pytest.mark.parametrize(("sizes", "pool_size", "strides", "padding"), POOLS)
def test_pooling(sizes, pool_size, strides, padding, dtype):
    settings = {"pool_size": pool_size, "strides": strides, "padding": padding}
    x = np.abs(3 * normal(2, *sizes, 2)).astype(dtype)
    y, winner = compare("max_pool", x, **settings)
    assert winner.dtype == np.uint8
    grad_y = np.abs(3 * normal(*y.shape, seed=1)).astype(dtype)
    compare("max_pool_grad", grad_y, winner, input_shape=x.shape, **settings)
    compare("max_pool_take", x, winner, **settings)
    if dtype in FLOATS:
        compare("average_pool", x, **settings)
        compare("average_pool_grad", grad_y, input_shape=x.shape, **settings)


@pytest.mark.parametrize("padding", [((0, 0),), ((1, 1),)])
def test_pooling_takes_the_first_maximum_and_nan(padding):
    low, nan = -np.inf, np.nan
    rows = itertools.product([1.0, low, nan], repeat=4)
    x = np.array(list(rows), "float32")[..., None]
    settings = {"pool_size": (3,), "strides": (1,), "padding": padding}
    y, winner = compare("max_pool", x, **settings)
    compare("max_pool_grad", np.ones_like(y), winner, input_shape=x.shape, **settings)
    compare("max_pool_take", x, winner, **settings)


def test_pooling_of_views_and_empty_batches():
    settings = {"pool_size": (2, 2), "strides": (1, 2), "padding": ((0, 1), (1, 0))}
    x = normal(2, 3, 4, 5).transpose(0, 3, 2, 1)
    for part in (x, x[:0]):
        y, winner = compare("max_pool", part, **settings)
        grad_y = normal(*y.shape[::-1]).T
        compare("max_pool_grad", grad_y, winner, input_shape=part.shape, **settings)
        compare("max_pool_take", part, winner, **settings)
        compare("average_pool", part, **settings)
        compare("average_pool_grad", grad_y, input_shape=part.shape, **settings)


# --- indexing


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int16"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_indexing_take_grad(axis, dtype):
    shape = (2, 4, 3)
    for indices in (np.array([[1, 0], [1, 1]], "int32"), np.array(1), np.zeros((0, 2), "int64")):
        grad_y = 3 * normal(*shape[:axis], *indices.shape, *shape[axis + 1 :])
        compare("take_grad", grad_y.astype(dtype), indices, shape=shape, axis=axis)


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int16"])
def test_indexing_take(dtype):
    x = (4 * normal(3, 5, 4)).astype(dtype)
    for indices in (np.array([[1, -1], [4, -5]], "int32"), np.array(2), np.zeros((0, 2), "int64")):
        compare("take", x, indices, axis=1)
        compare("take", x[..., :3], indices.astype("uint8"), axis=1) if indices.size < 2 else None
    compare("take", x.T, np.array([0, 2, 2]), axis=2)


def test_indexing_out_of_range():
    """Nothing is read or written there: NaN, and no gradient."""
    with nkeras.use_backend("numba_cuda"):
        x = nkeras.ops.convert_to_tensor(np.ones((3, 2), "float32"))
        wrong = nkeras.ops.convert_to_tensor(np.array([2, 3, -4, -1]))
        with nkeras.GradientTape() as tape:
            tape.watch(x)
            y = nkeras.ops.take(x, wrong, axis=0)
        assert np.isnan(y.numpy()).any(1).tolist() == [False, True, True, False]
        assert tape.gradient(y, x).numpy().tolist() == [[0, 0], [0, 0], [2, 2]]
        with pytest.raises(ValueError, match="index 3 is out of range"):
            nkeras.ops.take(x, np.array([2, 3]), axis=0)


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int16"])
@pytest.mark.parametrize(
    ("shape", "indices_shape", "axis"),
    [((4,), (6,), 0), ((2, 3), (2, 5), 1), ((3, 2), (1, 2), 0), ((2, 1, 3), (2, 4, 2), 2)],
)
def test_indexing_take_along_axis_grad(shape, indices_shape, axis, dtype):
    indices = np.random.default_rng(0).integers(0, shape[axis], indices_shape)
    y = KERNELS["take_along_axis"](normal(*shape), indices, axis=axis)
    grad_y = (3 * normal(*y.shape, seed=1)).astype(dtype)
    compare("take_along_axis_grad", grad_y, indices, shape=shape, axis=axis)


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int16"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_indexing_scatter_nd(depth, dtype):
    shape = (2, 3, 2)
    for count in (7, 0):
        indices = np.random.default_rng(0).integers(0, shape[:depth], (count, depth))
        values = (3 * normal(count, *shape[depth:])).astype(dtype)
        compare("scatter_nd", indices.astype("int32"), values, shape=shape)
    compare("scatter_nd", indices, values, shape=(0, *shape[1:]))


def test_indexing_adds_in_index_order():
    values = np.array([1e8, 1.0, -1e8, 1.0, 3.0], "float32")
    for order in itertools.permutations(range(4)):
        placed = values[[*order, 4]]
        total = np.float32(0)
        for value in placed[:4]:
            total += value
        arrays = on_device(placed), on_device(np.array([1, 1, 1, 1, 0]))
        got = on_host(BACKEND.kernels["take_grad"](*arrays, shape=(2,), axis=0))
        assert got.tolist() == [3.0, total]


# --- optimizers


def state(dtype, count):
    arrays = [normal(3, 4, seed=k).T.astype(dtype) for k in range(count)]
    return [*arrays[:2], *map(np.abs, arrays[2:])]  # second moments are not negative


@pytest.mark.parametrize("dtype", FLOATS)
def test_optimizers_sgd(dtype):
    w, grad, velocity = state(dtype, 3)
    static = {"learning_rate": 0.1, "momentum": 0.9}
    compare("sgd_update", w, grad, None, learning_rate=0.1, momentum=0.0, nesterov=False)
    compare("sgd_update", w, grad, velocity, nesterov=False, **static)
    compare("sgd_update", w, grad, velocity, nesterov=True, **static)
    compare("sgd_update", w[:0], grad[:0], velocity[:0], nesterov=True, **static)


@pytest.mark.parametrize("dtype", FLOATS)
def test_optimizers_adam(dtype):
    static = {"alpha": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
    compare("adam_update", *state(dtype, 4), **static)
    compare("amsgrad_update", *state(dtype, 5), **static)
    w, grad, m, v, v_hat = state(dtype, 5)
    with_nan = np.where(grad > 0, np.array(np.nan, dtype), grad)
    compare("amsgrad_update", w, with_nan, m, v, v_hat, **static)
    compare("amsgrad_update", w, grad, m, v, with_nan * with_nan, **static)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("centered", [False, True])
def test_optimizers_rmsprop(momentum, centered, dtype):
    w, grad, v, buffer, average = state(dtype, 5)
    compare(
        "rmsprop_update",
        w,
        grad,
        v + np.array(2, dtype),
        buffer if momentum else None,
        average if centered else None,
        learning_rate=0.01,
        rho=0.9,
        momentum=momentum,
        epsilon=1e-7,
        centered=centered,
    )


# --- random


@pytest.mark.parametrize("size", [0, 1, 4, 5, 18])
@pytest.mark.parametrize("key", [(0, 0), (1, 2), (0xFFFFFFFF, 0xDEADBEEF)])
def test_random_bits(key, size):
    assert compare("random_bits", key=key, size=size).dtype == np.uint32


assert ml_dtypes.bfloat16  # makes "bfloat16" a dtype name that NumPy knows
