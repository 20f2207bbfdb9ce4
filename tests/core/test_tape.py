"""GradientTape: watching, nesting, persistence, jacobians, memory."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from nkeras import ops
from nkeras.core.tape import GradientTape
from nkeras.core.variable import Variable


def tensor(value: Any) -> Any:
    return ops.convert_to_tensor(np.asarray(value, "float32"))


def test_gradient_of_a_watched_tensor() -> None:
    x = tensor([1.0, 2.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x * 3.0
    np.testing.assert_allclose(tape.gradient(y, x), [6.0, 12.0])


def test_what_is_not_watched_has_no_gradient() -> None:
    x, z = tensor(1.0), tensor(2.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = x * z
    assert tape.gradient(y, [x, z])[1] is None


def test_unconnected_gradients_may_be_zeros() -> None:
    x, z = tensor([1.0]), tensor([2.0, 3.0])
    with GradientTape() as tape:
        tape.watch([x, z])
        y = x * 2.0
    grads = tape.gradient(y, {"x": x, "z": z}, unconnected_gradients="zero")
    np.testing.assert_array_equal(grads["z"], [0.0, 0.0])


def test_only_persistent_tapes_are_asked_twice() -> None:
    x = tensor(3.0)
    with GradientTape() as once:
        once.watch(x)
        y = x * x
    once.gradient(y, x)
    with pytest.raises(RuntimeError, match="persistent"):
        once.gradient(y, x)
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = y * x
    assert float(tape.gradient(y, x)) == 6.0
    assert float(tape.gradient(z, x)) == 27.0


def test_nested_tapes_give_higher_derivatives() -> None:
    x = tensor(2.0)
    with GradientTape() as outer:
        outer.watch(x)
        with GradientTape() as inner:
            inner.watch(x)
            y = x * x * x
        first = inner.gradient(y, x)
    assert float(first) == 12.0
    assert float(outer.gradient(first, x)) == 12.0


def test_variables_are_watched_when_read() -> None:
    trained, fixed = Variable([1.0, 2.0]), Variable([3.0, 4.0], trainable=False)
    with GradientTape() as tape:
        y = trained * fixed
    assert tape.watched_variables() == [trained]
    np.testing.assert_allclose(tape.gradient(y, trained), [3.0, 4.0])
    with GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(fixed)
        y = trained * fixed
    grads = tape.gradient(y, [trained, fixed])
    assert grads[0] is None
    np.testing.assert_allclose(grads[1], [1.0, 2.0])


def test_recording_can_be_stopped() -> None:
    x = tensor(2.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
        with tape.stop_recording():
            z = x * 5.0
        total = y + z
    assert float(tape.gradient(total, x)) == 4.0


def test_stop_gradient_is_a_constant() -> None:
    x = tensor(2.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = x * ops.stop_gradient(x)
    assert float(tape.gradient(y, x)) == 2.0


def test_output_gradients_weigh_the_targets() -> None:
    x = tensor([1.0, 2.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = x * 3.0
    np.testing.assert_allclose(tape.gradient(y, x, tensor([10.0, 1.0])), [30.0, 3.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = x * 3.0
    with pytest.raises(ValueError, match="shape"):
        tape.gradient(y, x, tensor([1.0]))


def test_jacobian() -> None:
    x = tensor([1.0, 2.0, 3.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = ops.stack([x[0] * x[1], x[2] * x[2]])
    np.testing.assert_allclose(tape.jacobian(y, x), [[2.0, 1.0, 0.0], [0.0, 0.0, 6.0]])


def test_custom_gradient_replaces_the_derivative() -> None:
    @ops.custom_gradient
    def doubled(x: Any) -> Any:
        return x * 2.0, lambda upstream: upstream * 7.0

    x = tensor([1.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = doubled(x) * 3.0
    np.testing.assert_allclose(tape.gradient(y, x), [21.0])


def test_custom_gradients_take_tensors_by_position() -> None:
    @ops.custom_gradient
    def scaled(x, factor=2.0):
        return x * factor, lambda upstream: upstream * factor

    assert float(scaled(ops.ones(()), factor=3.0)) == 3.0
    with pytest.raises(TypeError, match="'x' of scaled by position"):
        scaled(x=ops.ones(()))


def test_custom_gradients_are_checked() -> None:
    @ops.custom_gradient
    def wide(x: Any) -> Any:
        """Documented."""
        return x * 1.0, lambda upstream: ops.ones((3,))

    @ops.custom_gradient
    def forgotten(x: Any) -> Any:
        return x

    assert (wide.__name__, wide.__doc__) == ("wide", "Documented.")
    x = tensor([1.0, 2.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = wide(x)
    with pytest.raises(ValueError, match=r"wide returned a gradient of shape \(3,\)"):
        tape.gradient(y, x)
    with pytest.raises(TypeError, match="forgotten must return its outputs and a gradient"):
        forgotten(x)


def test_integers_cannot_be_watched() -> None:
    with GradientTape() as tape, pytest.raises(ValueError, match="floating"):
        tape.watch(ops.convert_to_tensor([1, 2]))


def test_what_was_saved_is_freed() -> None:
    x = tensor(np.ones(4))
    with GradientTape() as tape:
        tape.watch(x)
        middle = ops.exp(x)
        saved = weakref.ref(middle)
        y = ops.sum(middle * middle)
        del middle
    tape.gradient(y, x)
    gc.collect()
    assert saved() is None
