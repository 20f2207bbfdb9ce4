"""Scalar functions: binding, constants, digests, refused bodies."""

from __future__ import annotations

import numpy as np
import pytest

from nkeras.backend.scalar import SCALARS, Scalar
from nkeras.core.elementwise import Elementwise
from nkeras.core.primitive import PRIMITIVES
from nkeras.ops.elementwise import add

CAPTURED = [1.0]
HALF = 0.5


def halved(x):
    return HALF * x + 2.0


def test_constants_are_narrowed_to_the_dtype() -> None:
    bound = Scalar(halved).bind({}, "float32")
    assert type(bound(np.float32(1.0))) is np.float32
    wide = Scalar(halved).bind({}, "float64")
    assert type(wide(np.float64(1.0))) is np.float64


def test_digests_tell_bodies_constants_and_dtypes_apart() -> None:
    first = Scalar(halved)

    def other(x):
        return HALF * x + 3.0

    assert first.digest("float32") == Scalar(halved).digest("float32")
    assert first.digest("float32") != first.digest("float64")
    assert first.digest("float32") != Scalar(other).digest("float32")


def test_unknown_names_and_closures_are_refused() -> None:
    def uses_list(x):
        return x + CAPTURED

    limit = 3.0

    def captures(x):
        return x + limit

    with pytest.raises(ValueError, match="CAPTURED"):
        Scalar(uses_list)
    with pytest.raises(ValueError, match=r"captures.*limit"):
        Scalar(captures)

    def uses_module(x):
        return np.tanh(x)

    with pytest.raises(ValueError, match="from numpy import tanh"):
        Scalar(uses_module)


def test_derivatives_by_hand_must_name_a_parameter() -> None:
    def by_nothing(grad_y):
        return grad_y

    def halved_grad_x(grad_y, z):
        return grad_y * z

    with pytest.raises(ValueError, match="_grad_"):
        Scalar(halved).derivative(by_nothing)
    with pytest.raises(ValueError, match="unknown parameters"):
        Scalar(halved).derivative(halved_grad_x)


def test_every_operation_belongs_to_the_scalar_of_its_name() -> None:
    for name, operation in PRIMITIVES.items():
        if isinstance(operation, Elementwise) and "_grad_" not in name and name in SCALARS:
            assert operation.scalar is SCALARS[name]
    assert add.scalar is SCALARS["add"]
