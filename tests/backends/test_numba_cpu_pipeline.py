"""How kernels are compiled: each part once, within its kernel, and without needless imports."""

from __future__ import annotations

import functools
import gc
import importlib.util
import platform
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba.core.compiler import Flags

from nkeras_numba_cpu import requirements
from nkeras_numba_cpu.compile import native, options
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.compile.pipeline import _Flags, _PartLibrary
from nkeras_numba_cpu.emit import registers
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.launch.tasks import tasks


@inner
def _twice(x):
    return x + x


@inner
def _more(x, by, number, flag):
    return x * by[0] + number if flag else x - by[1]


@tasks
def _double(task, x):
    x[task] = _twice(x[task])


def test_the_newest_numba_that_is_tried_has_our_pipeline():
    assert ".".join(map(str, requirements.NEWEST_NUMBA)) in options._KNOWN


def test_parts_are_compiled_within_their_kernel():
    x = np.arange(5.0)
    _double(5, 5, x)
    np.testing.assert_array_equal(x, 2 * np.arange(5.0))
    for part in _twice.overloads.values():
        assert isinstance(part.library, _PartLibrary)
        assert part.library.get_pointer_to_function(part.fndesc.llvm_func_name) == 0


@tasks
def _add(task, x, y):
    for j in range(x.size):
        y[j] += x[j]


@pytest.mark.parametrize(("bits", "register"), [(512, "zmm"), (256, "ymm"), (128, "xmm")])
def test_loops_fill_the_vector_registers(bits, register, monkeypatch):
    if platform.machine() not in ("x86_64", "AMD64") or registers.vector_bits() < bits:
        pytest.skip("this processor has no such vectors")
    monkeypatch.setattr(native, "vector_bits", lambda: bits)
    machine = native.machine.__wrapped__()
    monkeypatch.setattr(native, "machine", lambda: machine)
    kinds = numba.typeof((np.zeros(4, np.float32), np.zeros(4, np.float32)))
    library = native.optimized("sums", functools.partial(_add._emit, kinds))
    code = machine.emit_assembly(library._final_module)
    found = {f"{letter}mm" for letter in "xyz" if f"%{letter}mm" in code}
    assert max(found) == register


@tasks
def _change(task, x, by, number, flag, nothing):
    if nothing is None:
        x[task] = _more(x[task], by, number, flag)


@pytest.mark.parametrize("number", [2.5, np.float32(2.5), np.float64(2.5), 3, np.int64(3)])
def test_arguments_reach_compiled_code(number):
    x = np.arange(3.0)
    _change(3, 3, x, (-2, 4), number, True, None)
    np.testing.assert_array_equal(x, -2 * np.arange(3.0) + float(number))
    _change(3, 3, x, (-2, 4), number, np.False_, None)
    np.testing.assert_array_equal(x, -2 * np.arange(3.0) + float(number) - 4)


@tasks
def _nested(task, x, pairs, matrix):
    (a, b), (c, d) = pairs
    x[task] = a + 10 * b + 100 * c + d * matrix[1, task]


def test_tuples_in_tuples_and_strided_arrays():
    x = np.zeros(2)
    matrix = np.arange(12.0).reshape(3, 4)[:, ::2]
    _nested(2, 2, x, ((1, 2), (3, 0.5)), matrix)
    np.testing.assert_array_equal(x, [321 + 0.5 * 4, 321 + 0.5 * 6])


def test_what_kernels_cannot_read_is_refused():
    with pytest.raises(TypeError, match="Kernels take arrays"):
        _double(1, 1, 1j)
    with pytest.raises(TypeError, match="too many arguments"):
        _double(1, 1, tuple(range(200)))


@tasks
def _much(task, x, size):
    memory = allocate(x.dtype, size)
    x[task] = memory.size
    release(memory)


def test_a_task_without_memory_raises():
    x = np.zeros(4)
    for work in (0, 10**9):
        with pytest.raises(MemoryError):
            _much(2, work, x, 2**60)
        with pytest.raises(MemoryError):
            _much(4, work, x, 2**59)
    _much(4, 4, x, 3)
    np.testing.assert_array_equal(x, 3)


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_left_as_it_was(enabled):
    @inner
    def part(x):
        return x + 1

    (gc.enable if enabled else gc.disable)()
    try:
        part.compile("(int64,)")
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_flags_compare_as_those_of_numba():
    flags, other = Flags(), Flags()
    other.nrt = True
    assert _Flags(flags) == flags == _Flags(flags)
    assert hash(_Flags(flags)) == hash(flags)
    assert _Flags(flags) != _Flags(other)
    assert _Flags(flags) != other


_DOT = """
import sys
import numba, numpy as np
from nkeras import ops
ops.add(ops.ones(3), 1.0)
assert "scipy.linalg" not in sys.modules

@numba.njit
def dot(a, b):
    return np.dot(a, b)

assert dot(np.eye(3), np.eye(3)).sum() == 3
assert "scipy.linalg" in sys.modules
"""


@pytest.mark.skipif(importlib.util.find_spec("scipy") is None, reason="scipy is not installed")
def test_scipy_is_imported_when_it_is_needed():
    subprocess.run([sys.executable, "-c", _DOT], check=True, timeout=120)
