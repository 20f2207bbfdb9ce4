"""Every registered primitive: backends agree, symbolic equals eager, first and second gradients."""

from __future__ import annotations

import numpy as np
import pytest

from nkeras.backend.registry import use_backend
from nkeras.backend.scalar import Scalar
from nkeras.core.elementwise import Elementwise
from nkeras.core.primitive import PRIMITIVES
from tests.harness import check_op as harness
from tests.harness.check_op import check_op
from tests.ops.cases import Case
from tests.ops.cases_elementwise import RANGES, case_of, elementwise_operations, is_of_a_test
from tests.ops.tables import CASES

ELEMENTWISE = elementwise_operations()
_FLAT = [(name, case) for name, cases in CASES.items() for case in cases]


def test_enumeration() -> None:
    """A primitive that nkeras registers and that has no case fails here."""
    own = {name for name, value in PRIMITIVES.items() if not is_of_a_test(value)}
    elementwise = {name for name in own if isinstance(PRIMITIVES[name], Elementwise)}
    assert own - elementwise == set(CASES)
    parents = {name for name in elementwise if "_grad_" not in name}
    assert parents == {one.name for one in ELEMENTWISE}
    assert set(RANGES) <= parents


@pytest.mark.parametrize(("name", "case"), _FLAT, ids=[name for name, _ in _FLAT])
def test_primitive(name: str, case: Case) -> None:
    check_op(
        PRIMITIVES[name],
        *case.arrays,
        gradient=case.gradient,
        second_order=case.second_order,
        **case.static,
    )


@pytest.mark.parametrize("operation", ELEMENTWISE, ids=lambda leaf: leaf.name)
def test_elementwise(operation: Elementwise) -> None:
    case = case_of(operation)
    want = harness.evaluate("numpy", operation, case.arrays, {})
    harness.assert_same(harness.evaluate("numba_cpu", operation, case.arrays, {}), want)
    harness.assert_symbolic(operation, case.arrays, {}, want, batch=False)
    if case.gradient and operation.scalar.result != "bool" and want[0].dtype.kind == "f":
        harness.check_gradient(operation, case.arrays, {})
        harness.check_second_order(operation, case.arrays, {})


@pytest.mark.long
@pytest.mark.parametrize("operation", ELEMENTWISE, ids=lambda leaf: leaf.name)
def test_elementwise_backward(operation: Elementwise) -> None:
    """Compiles each derivative, which takes a while."""
    case = case_of(operation)
    if operation.scalar.result != "bool" and case.arrays[0].dtype.kind == "f":
        harness.check_backward(operation, case.arrays, {}, "numba_cpu")


def _given() -> list[tuple[Elementwise, str]]:
    """Arguments whose derivative was given by hand."""
    return [
        (operation, argument)
        for operation in ELEMENTWISE
        for argument in operation.arguments
        if argument in operation.scalar._gradients
        and operation.scalar._gradients[argument] is not None
        and not operation.scalar._gradients[argument].function.__code__.co_filename.startswith("<")
    ]


@pytest.mark.parametrize(
    ("operation", "argument"),
    _given(),
    ids=[f"{one.name}-{argument}" for one, argument in _given()],
)
def test_given_derivative_is_the_derived_one(operation: Elementwise, argument: str) -> None:
    scalar, given = operation.scalar, operation.scalar.gradient(argument)
    assert given is not None
    values = dict(zip(scalar.parameters, case_of(operation).arrays, strict=True))
    values = {name: to64(value) for name, value in values.items()}
    with use_backend("numpy") as backend:
        values[scalar.output] = backend.elementwise(scalar)(*values.values())
        upstream = np.ones_like(values[scalar.output])
        values[f"grad_{scalar.output}"] = upstream
        got = backend.elementwise(given)(*[values[name] for name in given.parameters])
        derived = Scalar(scalar.function, scalar.result, scalar.conditions).gradient(argument)
        if derived is None:
            want = np.zeros_like(upstream)
        else:
            want = backend.elementwise(derived)(*[values[name] for name in derived.parameters])
    np.testing.assert_allclose(
        np.broadcast_to(got, upstream.shape), np.broadcast_to(want, upstream.shape), 1e-6, 1e-9
    )


def to64(value: np.ndarray) -> np.ndarray:
    return value.astype("float64") if value.dtype.kind == "f" else value
