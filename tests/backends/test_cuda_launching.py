"""Launches by the driver's own call: what the driver gets, and what a launch looks up."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from nkeras.core.errors import BackendError
from nkeras_numba_cuda.compiled import driver as drivers
from nkeras_numba_cuda.compiled.bound import layout_of, of_shaped, types_of
from nkeras_numba_cuda.kernels import KERNELS
from nkeras_numba_cuda.kernels.plain_products import PLAIN
from nkeras_numba_cuda.launch import KERNELS as LIST
from nkeras_numba_cuda.launch import Kernel, ShapedKernel
from tests.harness.bare_device import bare, bare_device, unpacked


def touch(a, b, c, d, e, f):
    a[0] = b[0]


MIXED = "void(float32[::1], int64[::1], int64, float32, boolean, uint32)"


def test_layouts():
    assert layout_of(MIXED) == "QQqqQqq" * 2 + "qf?I"
    assert types_of("void(float32[:, ::1], int64)") == ["float32[:, ::1]", "int64"]
    assert of_shaped(64, (6,), 4) == (0, 0, 6, 4, 64, 6, 4)
    assert of_shaped(64, (2, 3, 4), 8) == (0, 0, 24, 8, 64, 2, 3, 4, 96, 32, 8)
    assert of_shaped(64, (), 8) == (0, 0, 1, 8, 64)
    for kernel in LIST.values():
        assert all(map(layout_of, kernel.signatures))


def test_what_the_driver_gets():
    calls = []
    with bare_device(lambda signature, call: calls.append((signature, call)) or 0) as driver:
        kernel = Kernel(touch, (MIXED, MIXED.replace("float32", "float64")), shared=64)
        x, n = bare(np.ones((2, 3), "float32")), bare(np.zeros(5, "int64"))
        arguments = x, n, 7, np.float32(0.5), True, np.uint32(9)
        kernel.launch(1000, *arguments)
        kernel.launch_blocks((2, 3), *arguments)
        kernel.prepared((4,), 32, arguments)()
        wide = bare(np.ones(4)), n, 7, np.float64(0.5), False, np.uint32(9)
        kernel.launch(4, *wide)
        with pytest.raises(TypeError, match="is launched as"):
            kernel.launch(1, n, n, 7, np.float32(0.5), True, np.uint32(9))
    assert len(driver.texts) == 2  # one for each signature
    assert [call[:4] for _, call in calls] == [
        ((4, 1, 1), 256, 64, 0),
        ((2, 3, 1), 256, 64, 0),
        ((4, 1, 1), 32, 64, 0),
        ((1, 1, 1), 256, 64, 0),
    ]
    of_x = 0, 0, 6, 4, x.data.ptr, 6, 4
    of_n = 0, 0, 5, 8, n.data.ptr, 5, 8
    for signature, call in calls[:3]:
        assert unpacked(signature, call[4]) == (*of_x, *of_n, 7, 0.5, True, 9)
    assert unpacked(*(calls[3][0], calls[3][1][4]))[5:7] == (4, 8)


def test_arrays_with_their_shapes():
    calls = []
    with bare_device(lambda signature, call: calls.append((signature, call)) or 0):
        kernel = ShapedKernel(touch)
        x = bare(np.ones((2, 3), "float32"))
        kernel.launch(10, 10, x, np.float32(2))
    ((signature, call),) = calls
    assert signature == "void(int64, float32[:, ::1], float32)"
    assert unpacked(signature, call[4]) == (10, 0, 0, 6, 4, x.data.ptr, 2, 3, 12, 4, 2.0)


def test_threads_do_not_mix_their_arguments():
    found, failures = [], []
    with bare_device(lambda signature, call: found.append(unpacked(signature, call[4])[-1]) or 0):
        kernel = Kernel(touch, ("void(float32[::1], int64)",))
        x = bare(np.ones(3, "float32"))

        def work(first):
            try:
                for number in range(first, first + 300):
                    kernel.launch(1, x, number)
            except Exception as error:
                failures.append(error)

        workers = [threading.Thread(target=work, args=(1000 * k,)) for k in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert not failures
    assert sorted(found) == sorted(1000 * k + n for k in range(3) for n in range(300))


def test_what_the_driver_refuses():
    pytest.importorskip("cuda.bindings.driver")
    for status, error in ((2, MemoryError), (700, BackendError)):
        with bare_device(lambda signature, call, status=status: status):
            kernel = Kernel(touch, ("void(float32[::1], int64)",))
            with pytest.raises(error, match="CUDA driver"):
                kernel.launch(1, bare(np.ones(3, "float32")), 1)
    drivers.check(0)


def test_choices_and_geometries_are_looked_up():
    """The second call of a primitive with equal shapes makes no new record on the device."""
    calls = []
    x, kernel = (np.ones(shape, "float32") for shape in ((2, 8, 8, 16), (3, 3, 16, 16)))
    static = {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    with bare_device(lambda signature, call: calls.append(call) or 0):
        for _ in range(2):
            KERNELS["conv_bias"](bare(x), bare(kernel), None, activation="relu", **static)
    first, second = (unpacked(_SIGNATURE, call[4]) for call in calls)
    assert first[-3] == second[-3]  # the address of the geometry


_SIGNATURE = f"void({', '.join(['float32[::1]'] * 5)}, int64[::1])"


def test_packed_arguments_run_the_compiled_kernel():
    """The driver here is the interpreter of PTX: it gets bytes and addresses, as CUDA's does."""
    from tests.ptx.by_address import executing
    from tests.ptx.compiling import MissingLibrary, ptx_of

    x, y = np.random.default_rng(0).normal(size=(2, 9, 9)).astype("float32")
    try:
        ptx_of(PLAIN["float32"].function, PLAIN["float32"].signatures[0])
    except MissingLibrary as missing:
        pytest.skip(str(missing))
    with executing() as names:
        z = KERNELS["matmul"](bare(x), bare(y))
    np.testing.assert_allclose(np.asarray(z), x @ y, rtol=1e-5, atol=1e-5)
    assert names == [PLAIN["float32"].function.__name__]
