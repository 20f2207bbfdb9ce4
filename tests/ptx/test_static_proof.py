"""Launches of the backend's kernels, proved to be without races in any order, by `sentryward`.

`pip install sentryward`; without it these tests are skipped. See `static_proof.py` for what the
proofs assume.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ptx import test_faults as faults
from tests.ptx.backend import Launch, interpreted
from tests.ptx.case import Case, normal
from tests.ptx.cases import collected
from tests.ptx.compiling import ptx_of
from tests.ptx.kernels import fitting
from tests.ptx.launching import Table
from tests.ptx.signatures import parse_signature
from tests.ptx.static_proof import proof
from tests.ptx.test_kernels import kernel_of
from tests.ptx.tiled import tiled_product

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def _tool() -> None:
    pytest.importorskip("sentryward")


TWO = "void(float32[::1], float32[::1])"


def of_function(function, arguments, grid, block, shared_bytes, folder):
    code, types = ptx_of(function, TWO), parse_signature(TWO)
    return proof(code, types, arguments, grid, block, shared_bytes, folder)["result"]


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        ({}, "race_free"),
        ({"barrier": False}, "potential_race"),
        ({"across": False}, "potential_race"),
    ],
    ids=str,
)
def test_it_agrees_with_the_interpreter_on_shared_memory(mistake, expected, tmp_path):
    x = np.zeros(2 * faults.THREADS, "float32")
    kernel = faults.turning(**mistake)
    assert of_function(kernel, [x.copy(), x], 2, faults.THREADS, 0, tmp_path) == expected


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        ({}, "race_free"),
        ({"left": faults.STAGES - 1}, "potential_race"),
        ({"barrier": False}, "potential_race"),
        ({"stage": 1}, "potential_race"),
        ({"stage": 2}, "potential_race"),
    ],
    ids=str,
)
def test_it_agrees_with_the_interpreter_on_copies(mistake, expected, tmp_path):
    x, y = np.zeros(faults.STEPS * 128, "float32"), np.zeros(32, "float32")
    shared = 4 * 128 * faults.STAGES
    assert of_function(faults.staged(**mistake), [y, x], 1, 32, shared, tmp_path) == expected


def said_of(launch: Launch, folder: Path) -> dict[str, Any]:
    """What the tool says about a launch of the backend."""
    kernel = launch.kernel
    signature = fitting(kernel.function.__name__, kernel.signatures, launch.arguments)
    return proof(
        ptx_of(kernel.function, signature),
        parse_signature(signature),
        launch.arguments,
        launch.grid,
        launch.threads,
        kernel.shared,
        folder,
    )


def one_for_each_kernel() -> list[Case]:
    """Cases that launch what no case before them does, but for products on tensor cores."""
    seen: set[str] = set()
    chosen: list[Case] = []
    for case in collected():
        if set(case.kernels) - seen and not any("product_" in name for name in case.kernels):
            chosen.append(case)
            seen.update(case.kernels)
    return chosen


@pytest.mark.parametrize("case", one_for_each_kernel(), ids=str)
def test_kernels_have_no_races(case, tmp_path):
    """Where threads go does not depend on numbers in most kernels; of the others it says so."""
    with interpreted() as session:
        inputs = case.inputs(case.dtypes[0])
        moved = [None if a is None else session.backend.asarray(a, a.dtype.name) for a in inputs]
        kernel_of(session.backend, case.primitive)(*moved, **case.static)
    for launch in {one.kernel.function.__name__: one for one in session.launches}.values():
        if any(isinstance(argument, Table) for argument in launch.arguments):
            continue  # of addresses in memory nothing can be said
        found = said_of(launch, tmp_path)
        if found["result"] != "race_free":
            codes = {one["code"] for one in found["diagnostics"]}
            assert codes == {"control_predicate_not_static"}, found["diagnostics"]


@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_products_on_tensor_cores_have_no_races(dtype, layout, tmp_path):
    x, y = normal(17, 70).astype(dtype), normal(70, 16).astype(dtype)
    _, session = tiled_product(x, y, layout)
    found = said_of(session.launches[0], tmp_path)
    assert found["result"] == "race_free", found["diagnostics"]
