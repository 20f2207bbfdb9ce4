"""Tensor and Variable as Python objects: operators, conversions, formatting, containers."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops


def tensor(value: Any) -> Any:
    return ops.convert_to_tensor(np.asarray(value, "float32"))


@pytest.mark.parametrize("make", [tensor, nkeras.Variable], ids=["tensor", "variable"])
def test_strangers_are_unequal_and_nothing_else(make: Callable[[Any], Any]) -> None:
    x = make(np.ones(2, "float32"))
    for stranger in (None, "a", object()):
        assert (x == stranger) is False
        assert (x != stranger) is True
        with pytest.raises(TypeError, match="unsupported operand"):
            x + stranger
        with pytest.raises(TypeError):  # of a str: that a tensor is no index
            stranger * x
        with pytest.raises(TypeError, match="not supported between"):
            x < stranger  # noqa: B015
    assert None not in [x]
    assert x in ["a", None, x]


def test_the_other_operand_may_know_better() -> None:
    class Other:
        def __radd__(self, left: Any) -> str:
            return "mine"

    assert tensor([1.0]) + Other() == "mine"


@pytest.mark.parametrize("operation", [operator.add, operator.mul, operator.sub, operator.truediv])
@pytest.mark.parametrize("scale", [2.0, np.float64(2.0), np.float32(2.0)], ids=["py", "f64", "f32"])
def test_numbers_do_not_widen_tensors(operation: Any, scale: Any) -> None:
    for dtype in ("bfloat16", "float16", "float32"):
        x = ops.cast(tensor([1.0, 4.0]), dtype)
        if not isinstance(scale, np.float32) or dtype == "float32":
            assert operation(x, scale).dtype == dtype
            assert operation(scale, x).dtype == dtype
    assert operation(tensor([1.0]), np.ones(1)).dtype == "float64"  # an array keeps its dtype


@pytest.mark.parametrize(
    "make", [tensor, nkeras.Variable, nkeras.KerasTensor], ids=["tensor", "variable", "symbolic"]
)
def test_elements_cannot_be_assigned(make: Callable[[Any], Any]) -> None:
    x = make(np.ones(2, "int32"))
    with pytest.raises(TypeError, match=r"ops.slice_update\(x, start_indices, updates\)") as caught:
        x[list(range(1000))] = 1
    assert len(str(caught.value)) <= 400


def test_unary_operators_and_round() -> None:
    x = tensor([-1.26, 2.5])
    np.testing.assert_array_equal(+x, x)
    np.testing.assert_array_equal(round(x), [-1.0, 2.0])
    np.testing.assert_allclose(round(x, 1), [-1.3, 2.5], rtol=1e-6)
    assert (+nkeras.KerasTensor((None, 2))).shape == (None, 2)
    assert round(nkeras.KerasTensor((None, 2))).shape == (None, 2)


def test_formats_are_those_of_the_number() -> None:
    for make in (tensor, nkeras.Variable):
        assert f"{make(2.5):.3f}" == "2.500"
        with pytest.raises(ValueError, match="size 1"):
            f"{make([1.0, 2.0]):.3f}"
    assert "shape=(2,)" in f"{tensor([1.0, 2.0])}"


def test_variables_count_as_numbers_and_sequences() -> None:
    assert [10, 20, 30][nkeras.Variable(1)] == 20
    assert len(nkeras.Variable([1.0, 2.0, 3.0])) == 3
    with pytest.raises(TypeError, match="index"):
        [10][nkeras.Variable(0.0)]


def test_copies_pickles_and_ranges() -> None:
    x = ops.cast(tensor([[1.0, 2.0]]), "bfloat16")
    for other in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.dtype == "bfloat16"
        np.testing.assert_array_equal(ops.cast(other, "float32"), [[1.0, 2.0]])
    assert ops.convert_to_tensor(range(3)).dtype == ops.convert_to_tensor([0, 1, 2]).dtype
    np.testing.assert_array_equal(np.from_dlpack(tensor([1.0, 2.0])), [1.0, 2.0])


def test_variables_are_filled_by_the_name_of_an_initializer() -> None:
    ones = nkeras.Variable("ones", shape=(2, 3), dtype="float16")
    assert ones.dtype == "float16"
    assert np.array_equal(ones.numpy(), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"identifier: 'onse'. Did you mean 'one"):
        nkeras.Variable("onse", shape=(2,))
    with pytest.raises(ValueError, match="`shape` is needed"):
        nkeras.Variable("ones")
    with pytest.raises(ValueError, match=r"without None. Received: \(None, 3\)"):
        nkeras.Variable("ones", shape=(None, 3))
