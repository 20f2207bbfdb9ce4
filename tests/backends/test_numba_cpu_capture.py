"""Captured kernels: made with some inputs, repeated with others, they give what a call gives."""

import numpy as np
import pytest
from repeating import repeats
from test_numba_cpu_kernels import CASES

import nkeras.ops  # noqa: F401  declares the elementwise primitives
from nkeras.backend import registry
from nkeras.backend.protocol import KernelCall
from nkeras.core.elementwise import Elementwise
from nkeras.core.primitive import PRIMITIVES
from nkeras.replay.memory_plan import layout
from nkeras_numba_cpu.kernels import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.memory import allocation
from nkeras_numba_cpu.memory.arena import Arena, address, aligned
from nkeras_numba_cpu.memory.capture import preparation
from nkeras_numba_cpu.replay.lowering import Lowering

BACKEND = registry.load("numba_cpu")
ELEMENTWISE = sorted(name for name, value in PRIMITIVES.items() if isinstance(value, Elementwise))
RANDOM = {
    name: ("random_bits", (), {"key": (3, 5), "size": size})
    for name, size in (("bits-4", 4), ("bits-1001", 1001))
}


def other(array):
    """An array of the same shape with other values: integers stay in range, signs stay."""
    if array.dtype.kind in "biu":
        return np.roll(array.reshape(-1), 1).reshape(array.shape)
    if array.dtype.kind == "c":
        return array * array.dtype.type(0.75 - 0.5j)
    return (array.astype("float64") * 0.75 + 0.125 * np.sign(array.astype("float64"))).astype(
        array.dtype
    )


def check(name, kernel, arrays, static, fixed=None):
    """Make a plan's call, give its buffers other values but for fixed ones, repeat."""
    assert repeats(kernel, arrays, static)
    buffers = [None if array is None else np.array(array, order="K") for array in arrays]
    rehearsal = Lowering()
    fixed = fixed or [False] * len(buffers)
    rehearsal.call(KernelCall(kernel, buffers, static, {}, {}, fixed))
    lowering = rehearsal.perform(*layout(rehearsal.spans()), [])
    outputs, early, steps = lowering.call(KernelCall(kernel, buffers, static, {}, {}, fixed))
    assert any(fixed) or not early or not buffers
    for function, arguments in early:
        function(*arguments)
    for changing in (True, False):  # what is not fixed, then all
        for buffer, stays in zip(buffers, fixed, strict=True):
            if buffer is not None and not (changing and stays):
                buffer[...] = other(buffer)
        for function, arguments in steps if changing else [*early, *steps]:
            function(*arguments)
        expected = kernel(
            *[None if buffer is None else buffer.copy("K") for buffer in buffers], **static
        )
        expected = expected if isinstance(expected, tuple) else (expected,)
        assert len(outputs) == len(expected)
        for output, right in zip(outputs, expected, strict=True):
            if right is None:
                assert output is None
                continue
            assert (output.shape, output.dtype) == (right.shape, right.dtype)
            assert np.ascontiguousarray(output).tobytes() == np.ascontiguousarray(right).tobytes()
    return early, steps


def of_dtypes(arrays):
    """The arrays with floats of a dtype that kernels compute in, and of one that they convert."""
    for dtype in ("float32", "bfloat16"):
        yield [
            array if array is None or array.dtype.kind != "f" else array.astype(dtype)
            for array in arrays
        ]


@pytest.mark.parametrize("label", [*CASES, *RANDOM])
def test_every_kernel(label):
    name, given, static = CASES.get(label) or RANDOM[label]
    for arrays in of_dtypes(given):
        check(name, KERNELS[name], arrays, static)


@pytest.mark.parametrize("label", [one for one, (_, arrays, _) in CASES.items() if arrays[1:]])
def test_every_kernel_with_an_input_that_stays(label):
    name, given, static = CASES[label]
    for arrays in of_dtypes(given):
        for i, array in enumerate(arrays):
            if array is not None:
                check(name, KERNELS[name], arrays, static, [j == i for j in range(len(arrays))])


@pytest.mark.parametrize("label", [one for one in CASES if one.startswith(("matmul", "reduce"))])
def test_arrays_that_are_not_contiguous(label):
    name, arrays, static = CASES[label]
    arrays = [np.asfortranarray(array.astype("float32")) for array in arrays]
    KERNELS[name](*arrays, **static)
    check(name, KERNELS[name], arrays, static)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_elementwise_kernel(name):
    primitive = PRIMITIVES[name]
    kernel = primitive.kernel(BACKEND)
    integers = "bitwise" in name
    rng = np.random.default_rng(0)
    arrays = []
    for is_bool in primitive.conditions:
        values = rng.random((3, 5)) * 0.5 + 0.25
        if is_bool or primitive.promotion == "bool":
            arrays.append(values > 0.5)
        else:
            arrays.append((values * 8).astype("int32") if integers else values.astype("float32"))
    _, steps = check(name, kernel, arrays, {})
    assert steps


def test_numpy_between_launches_is_noticed():
    @tasks
    def double(task, x, y):
        for i in range(x.size):
            y[i] = x[i] * 2

    def kernels():
        def result_by_numpy(x):
            y = allocation.empty(x.shape, x.dtype)
            double(1, 1, x, y)
            return y + 1

        def result_written_by_numpy(x):
            y, z = allocation.empty(x.shape, x.dtype), allocation.empty(x.shape, x.dtype)
            double(1, 1, x, y)
            np.add(y, 1, out=z)
            return z

        def buffer_by_numpy(x):
            y, z = allocation.empty(x.shape, x.dtype), allocation.empty(x.shape, x.dtype)
            np.add(x, 1, out=z)
            double(1, 1, z, y)
            return y

        def argument_by_numpy(x):
            y = allocation.empty(x.shape, x.dtype)
            double(1, 1, x + 1, y)
            return y

        kept = np.zeros(4, "float32")

        def kept_by_numpy(x):
            y = allocation.empty(x.shape, x.dtype)
            np.add(x, 1, out=kept)
            double(1, 1, kept, y)
            return y

        return [
            result_by_numpy,
            result_written_by_numpy,
            buffer_by_numpy,
            argument_by_numpy,
            kept_by_numpy,
        ]

    for kernel in kernels():
        x = np.arange(4, dtype="float32")
        assert not repeats(kernel, [x], {})


def test_a_number_that_depends_on_values_is_noticed():
    @tasks
    def scale(task, x, factor, y):
        for i in range(x.size):
            y[i] = x[i] * factor

    def kernel(x):
        y = allocation.empty(x.shape, x.dtype)
        scale(1, 1, x, x.dtype.type(x.max()), y)
        return y

    assert not repeats(kernel, [np.arange(4, dtype="float32")], {})


def test_live_numbers_reach_the_compiled_code():
    w, grad = np.ones(5, "float32"), np.full(5, 0.5, "float32")
    static = {"learning_rate": 0.5, "momentum": 0.0, "nesterov": False}
    cell = np.array([0.5])
    lowering = Lowering()
    arrays, live = [w, grad, None], {"learning_rate": cell}
    call = KernelCall(KERNELS["sgd_update"], arrays, static, live, {}, [False] * 3)
    (new, _), _, steps = lowering.call(call)
    cell[0] = 0.25
    for function, given in steps:
        function(*given)
    np.testing.assert_array_equal(new, np.full(5, 0.875, "float32"))
    moved = lowering.redirect(steps, new, w, arrays, (0,))
    assert moved is not None
    for function, given in moved:
        function(*given)
    np.testing.assert_array_equal(w, np.full(5, 0.875, "float32"))


def test_an_output_is_not_written_over_an_input_that_is_still_read():
    x = np.arange(6, dtype="float32").reshape(2, 3)
    lowering = Lowering()
    call = KernelCall(KERNELS["softmax"], [x], {"axis": 1}, {}, {}, [False])
    (y,), _, steps = lowering.call(call)
    assert lowering.redirect(steps, y, x, [x], ()) is None


def test_blocks_lie_where_others_lay():
    def use(arena):
        first, a = arena.allocate((100,), "float32")
        second, b = arena.allocate((50,), "float64")
        arena.free(first)
        third, c = arena.allocate((25,), "float32")
        fourth, d = arena.allocate((60,), "float32")
        arrays = a, b, c, d
        assert all(address(array) % 64 == 0 for array in arrays)
        assert arena.block_of(c[3:5]) is third
        assert arena.block_of(d[::-1]) is fourth
        assert not np.may_share_memory(c, d)
        assert not np.may_share_memory(b, c)
        for block in (second, third, fourth):
            arena.free(block)
        assert arena.block_of(c) is None
        return arrays

    rehearsal = Arena()
    use(rehearsal)
    size, offsets = layout(rehearsal.spans())
    assert size == 448 + 448  # b lives all the time; a, and later c and d, lie beside it
    use(Arena(offsets, aligned(size)))


def test_what_depends_on_fixed_inputs_only_is_done_early():
    @tasks
    def double(task, x, y):
        for i in range(x.size):
            y[i] = x[i] * 2

    @tasks
    def add(task, x, y, z):
        for i in range(x.size):
            z[i] = x[i] + y[i]

    @preparation
    def doubled(weights):
        result = allocation.empty(weights.shape, weights.dtype)
        double(1, 1, weights, result)
        return result

    def packed(x, weights):
        y = allocation.empty(x.shape, x.dtype)
        add(1, 1, x, doubled(doubled(weights)), y)
        return y

    def changing(x, weights):
        y = allocation.empty(x.shape, x.dtype)
        add(1, 1, doubled(x), weights, y)
        return y

    for kernel, count in ((packed, 2), (changing, 0)):
        x, weights = (np.arange(4, dtype="float32") + i for i in range(2))
        early, _ = check("no table has it", kernel, [x, weights], {}, [False, True])
        assert len(early) == count
    rehearsal = Lowering()
    _, early, steps = rehearsal.call(KernelCall(packed, [x, weights], {}, {}, {}, [True, True]))
    assert not steps
    assert len(early) == 3
