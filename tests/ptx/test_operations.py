"""The cases of all operations on the CUDA backend, whose launches the interpreter executes."""

from __future__ import annotations

import warnings

import pytest

from tests.harness.check_op import assert_same, evaluate
from tests.ops.cuda_cases import all_calls
from tests.ptx.backend import interpreted

CALLS = all_calls()


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(CALLS)), ids=lambda k: f"{k}-{CALLS[k][0].name}")
def test_operations(number):
    function, case = CALLS[number]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with interpreted():
            got = evaluate("numba_cuda", function, case.arrays, case.static)
        assert_same(got, evaluate("numpy", function, case.arrays, case.static))
