"""How kernels are compiled: each part once, within its kernel, and without needless imports."""

from __future__ import annotations

import gc
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from numba.core.compiler import Flags

from nkeras_numba_cpu.compile import inner
from nkeras_numba_cpu.drivers import tasks
from nkeras_numba_cpu.pipeline import _Flags, _PartLibrary


@inner
def _twice(x):
    return x + x


@tasks
def _double(task, x):
    x[task] = _twice(x[task])


def test_parts_are_compiled_within_their_kernel():
    x = np.arange(5.0)
    _double(5, 5, x)
    np.testing.assert_array_equal(x, 2 * np.arange(5.0))
    for part in _twice.overloads.values():
        assert isinstance(part.library, _PartLibrary)
        assert part.library.get_pointer_to_function(part.fndesc.llvm_func_name) == 0
    (kernel,) = _double.compiled.overloads.values()
    assert not isinstance(kernel.library, _PartLibrary)


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
