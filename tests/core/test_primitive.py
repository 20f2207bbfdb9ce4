"""Primitives: dispatch, decomposition, saved values, errors; ops and elementwise operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nkeras import ops
from nkeras.backend.registry import use_backend
from nkeras.core.errors import BackendError
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import PRIMITIVES, Primitive, op, primitive, to_tensor
from nkeras.core.spec import Spec
from nkeras.core.tape import GradientTape
from nkeras.core.tensor import Tensor


@pytest.fixture
def registered() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


def make_scaled() -> Primitive:
    @primitive()
    def scaled_for_test(x: Any, *, factor: float) -> Spec:
        if len(x.shape) != 1:
            raise ValueError(f"scaled_for_test: a vector is needed, not {x.shape}")
        return Spec(x.shape, x.dtype)

    @scaled_for_test.decomposition
    def _(x: Any, factor: float) -> Any:
        return x * factor

    @scaled_for_test.vjp("x")
    def _(grad_y: Any, factor: float) -> Any:
        return scaled_for_test(grad_y, factor=factor)

    return scaled_for_test


@pytest.mark.usefixtures("registered")
def test_a_decomposition_serves_backends_without_the_kernel() -> None:
    scaled = make_scaled()
    x = np.array([1.0, 2.0], "float32")
    for backend in ("numpy", "numba_cpu"):
        with use_backend(backend):
            np.testing.assert_array_equal(scaled(x, factor=3.0), 3 * x)


@pytest.mark.usefixtures("registered")
def test_a_rule_gets_what_it_names() -> None:
    scaled = make_scaled()
    x = ops.convert_to_tensor([1.0, 2.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = scaled(scaled(x, factor=3.0), factor=2.0)
    np.testing.assert_array_equal(tape.gradient(y, x), [6.0, 6.0])


@pytest.mark.usefixtures("registered")
def test_the_shape_rule_checks_both_kinds_of_arguments() -> None:
    scaled = make_scaled()
    assert scaled(KerasTensor((None,)), factor=1.0).shape == (None,)
    for bad in (np.ones((2, 2), "float32"), KerasTensor((None, 2))):
        with pytest.raises(ValueError, match="a vector is needed"):
            scaled(bad, factor=1.0)


@pytest.mark.usefixtures("registered")
def test_names_are_unique_and_missing_kernels_are_named() -> None:
    @primitive()
    def lonely_for_test(x: Any) -> Spec:
        return Spec(x.shape, x.dtype)

    with pytest.raises(BackendError, match="no kernel 'lonely_for_test'"):
        lonely_for_test(np.ones(2, "float32"))
    with pytest.raises(ValueError, match="already"):
        Primitive(lonely_for_test.shape_rule)
    with pytest.raises(ValueError, match="no argument 'z'"):
        lonely_for_test.vjp("z")(lambda grad_y: grad_y)


@pytest.mark.usefixtures("registered")
def test_a_missing_gradient_is_an_error_not_a_zero() -> None:
    @primitive()
    def rough_for_test(x: Any) -> Spec:
        return Spec(x.shape, x.dtype)

    rough_for_test.decomposition(lambda x: Tensor(x.data, x.backend))
    x = ops.convert_to_tensor([1.0])
    with GradientTape() as tape:
        tape.watch(x)
        with pytest.raises(NotImplementedError, match="rough_for_test"):
            rough_for_test(x)


def test_elementwise_operations_take_names_and_defaults() -> None:
    x = np.array([-1.0, 2.0], "float32")
    np.testing.assert_allclose(ops.leaky_relu(x), [-0.2, 2.0], rtol=1e-6)
    np.testing.assert_allclose(ops.leaky_relu(x=x, negative_slope=0.5), [-0.5, 2.0])
    with pytest.raises(TypeError):
        ops.leaky_relu(x, slope=0.5)
    with pytest.raises(ValueError, match="broadcast"):
        ops.add(np.ones(2, "float32"), np.ones(3, "float32"))


def test_backends_do_not_mix_silently() -> None:
    with use_backend("numpy"):
        x = ops.ones((2,))
    with use_backend("numba_cpu"), pytest.raises(BackendError, match=r"numpy.*numba_cpu"):
        ops.exp(x)


def test_inputs_of_all_kinds_are_accepted() -> None:
    want = [2.0, 3.0]
    base = np.array([1.0, 9.0, 2.0, 9.0], "float32")
    readonly = base.copy()
    readonly.setflags(write=False)
    for x in ([1.0, 2.0], base[::2], readonly[::2], base.astype(">f4")[::2], to_tensor([1.0, 2.0])):
        np.testing.assert_array_equal(ops.add(x, 1.0), want)
    assert ops.add(np.int64(3), 1).dtype == "int64"
    with pytest.raises(ValueError, match="dtype"):
        ops.add(np.array(["text"]), 1.0)


def test_an_op_on_symbolic_tensors_is_one_node() -> None:
    @op
    def twice_plus(x: Any, y: Any) -> Any:
        return ops.concatenate([x, y], axis=-1) * 2.0

    x, y = KerasTensor((None, 2)), KerasTensor((None, 3))
    z = twice_plus(x, y)
    assert z.shape == (None, 5)
    assert z.node is not None
    assert z.node.input_tensors == [x, y]
    assert z.node.operation is twice_plus
