"""Calls with complex numbers of every primitive that takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.core.elementwise import Elementwise
from tests.ops.cases import Case, floats
from tests.ops.cases_elementwise import case_of, elementwise_operations
from tests.ops.tables import CASES as REAL


def numbers(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return (floats(*shape, low=low, high=high) + 1j * floats(*shape)).astype("complex64")


def hermitian(*shape: int) -> np.ndarray:
    x = numbers(*shape)
    return x @ np.swapaxes(x, -1, -2).conj() + np.eye(shape[-1], dtype="complex64")


def turned(array: Any) -> Any:
    """Numbers off the real axis in place of real ones."""
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        return array
    return (array + 1j * floats(*array.shape)).astype("complex64")


def of_real(name: str) -> list[Case]:
    """The cases of a primitive with complex numbers in place of real ones."""
    return [case._replace(arrays=tuple(map(turned, case.arrays))) for case in REAL[name]]


CASES: dict[str, list[Case]] = {
    **{
        name: of_real(name)
        for name in (
            "reshape transpose broadcast_to repeat concatenate stack slice slice_grad "
            "slice_update pad flip take take_grad take_along_axis take_along_axis_grad "
            "gather_nd scatter_nd scatter_update stop_gradient reduce_sum reduce_mean "
            "reduce_prod cumsum cumprod linear_recurrence cross matmul solve "
            "solve_triangular pinv det cofactors slogdet qr lu matrix_rank"
        ).split()
    },
    "cast": [
        Case((numbers(2, 3),), {"dtype": dtype}, dtype != "bool")
        for dtype in ("complex128", "float64", "bool")
    ]
    + [
        Case((floats(2, 3),), {"dtype": "complex128"}),
        Case((numbers(2),), {"dtype": "int32"}, False),
    ],
    "cholesky": [Case((hermitian(2, 3, 3),), {})],
    # The phases of vectors are free: `test_complex` looks at what does not depend on them.
    "eig": [Case((numbers(2, 3, 3),), {}, False)],
    "eigh": [Case((hermitian(2, 3, 3),), {}, False)],
    "svd": [case._replace(gradient=False) for case in of_real("svd")],
    **{name: [Case((numbers(2, 3),), {})] for name in ("real", "imag", "conj")},
    "bitcast": [Case((numbers(2, 3),), {"dtype": "float32"}, False)],
    "fft": REAL["fft"],
    "irfft": REAL["irfft"],
}


def elementwise() -> list[tuple[Elementwise, Case]]:
    """Every elementwise operation that takes complex numbers."""
    return [
        (
            operation,
            case_of(operation)._replace(arrays=tuple(map(turned, case_of(operation).arrays))),
        )
        for operation in elementwise_operations()
        if operation.scalar.takes_complex and not all(operation.conditions)
    ]
