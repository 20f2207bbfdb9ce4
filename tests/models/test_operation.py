"""Operations of one's own, and graphs of operations without a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from tests.harness import oracle


@nkeras.utils.register_keras_serializable("tests")
class Scaled(nkeras.Operation):
    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x: Any, shift: float = 0.0) -> Any:
        return x * self.factor + shift


class Halves(nkeras.Operation):
    """Says itself what it gives."""

    def call(self, x: Any) -> Any:
        return x[:, ::2], x[:, 1::2]

    def compute_output_spec(self, x: Any) -> Any:
        half = (x.shape[0], x.shape[1] // 2)
        return nkeras.KerasTensor(half, x.dtype), nkeras.KerasTensor(half, x.dtype)


def test_an_operation_computes() -> None:
    scaled = Scaled(2.0)
    np.testing.assert_array_equal(scaled(ops.ones(3), shift=1.0), [3.0, 3.0, 3.0])
    assert scaled.name.startswith("scaled")
    assert repr(Scaled(2.0, name="s")) == 'Scaled(2.0, name="s")'
    assert isinstance(nkeras.layers.Dense(1), nkeras.Operation)


def test_an_operation_is_a_node() -> None:
    scaled, x = Scaled(2.0, name="twice"), nkeras.KerasTensor((None, 4), "float16")
    with pytest.raises(AttributeError, match="has never been called on symbolic tensors"):
        scaled.output  # noqa: B018
    y = scaled(x)
    assert (y.shape, y.dtype) == ((None, 4), "float16")
    assert scaled.input is x
    assert scaled.output is y
    left, right = Halves()(y)
    assert left.shape == right.shape == (None, 2)
    assert scaled.compute_output_spec(x).shape == (None, 4)
    assert len(scaled._inbound_nodes) == 1


def test_an_operation_stands_in_a_model() -> None:
    x = nkeras.Input((4,), name="x")
    twice = Scaled(2.0, name="twice")
    left, right = Halves()(twice(x))
    model = nkeras.Model(x, nkeras.layers.Dense(1)(left + twice(right)))
    assert twice in model.operations
    assert twice not in model.layers
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "twice (Scaled)" in "".join(lines)
    data = np.arange(8.0, dtype="float32").reshape(2, 4)
    config = nkeras.Model(x, twice(x)).get_config()
    again = nkeras.Model.from_config(config)
    np.testing.assert_array_equal(again(data), data * 2)
    cloned = nkeras.models.clone_model(model)
    cloned.set_weights(model.get_weights())
    np.testing.assert_array_equal(cloned(data), model(data))


def test_errors_of_operations() -> None:
    with pytest.raises(ValueError, match="Scaled: argument `name` must be a string without '/'"):
        Scaled(1.0, name="a/b")
    with pytest.raises(NotImplementedError, match="Operation has no method `call`"):
        nkeras.Operation()(ops.ones(2))


FUNCTION = """
a, b = keras.KerasTensor((None, 3)), keras.KerasTensor((None, 3))
dense = keras.layers.Dense(2, kernel_initializer="ones")
function = keras.Function({"a": a, "b": b}, [keras.ops.sigmoid(dense(a + b)), a * 2])
result = {
    "values": function({"a": x, "b": y}),
    "shapes": function.compute_output_shape({"a": (5, 3), "b": (5, 3)}),
    "inputs": [tensor.shape for tensor in function.inputs],
    "outputs": [tensor.shape for tensor in function.outputs],
}
"""


@oracle.requires_keras
def test_a_function_is_that_of_keras() -> None:
    x, y = (np.random.default_rng(seed).normal(size=(4, 3)).astype("float32") for seed in (0, 1))
    expected = oracle.run(FUNCTION, x=x, y=y)
    names: dict[str, Any] = {"keras": nkeras, "x": x, "y": y}
    exec(FUNCTION, names)
    found = names["result"]
    for ours, theirs in zip(found["values"], expected["values"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    for name in ("shapes", "inputs", "outputs"):
        assert [tuple(shape) for shape in found[name]] == [tuple(s) for s in expected[name]]


def test_a_function_is_an_operation() -> None:
    a = nkeras.KerasTensor((None, 3))
    twice = nkeras.Function(a, a * 2.0, name="twice")
    model = nkeras.Model(x := nkeras.Input((3,)), twice(twice(x)))
    np.testing.assert_array_equal(model(np.ones((2, 3), "float32")), np.full((2, 3), 4.0))
    with nkeras.GradientTape() as tape:
        value = nkeras.Variable(np.ones((1, 3), "float32"))
        loss = ops.sum(twice(value) ** 2)
    np.testing.assert_array_equal(tape.gradient(loss, value), np.full((1, 3), 8.0))


def test_inner_tensors_may_be_inputs() -> None:
    x = nkeras.Input((3,))
    middle = nkeras.layers.Dense(4)(x)
    tail = nkeras.Function(middle, ops.relu(middle))
    np.testing.assert_array_equal(tail(-np.ones((2, 4), "float32")), np.zeros((2, 4)))


def test_errors_of_functions() -> None:
    a, b = nkeras.KerasTensor((None, 3)), nkeras.KerasTensor((None, 3))
    with pytest.raises(ValueError, match="argument `inputs` cannot be empty"):
        nkeras.Function([], a)
    with pytest.raises(ValueError, match="argument `outputs` cannot be empty"):
        nkeras.Function(a, [])
    with pytest.raises(ValueError, match="is no input of the model"):
        nkeras.Function(a, a + b)
    add_up = nkeras.Function([a, b], a + b)
    with pytest.raises(ValueError, match="was called with another structure"):
        add_up(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"must have the shape \(None, 3\). Received shape: \(2"):
        add_up([np.ones((2, 4)), np.ones((2, 3))])


def test_source_inputs() -> None:
    a, b = nkeras.Input((3,), name="a"), nkeras.Input((3,), name="b")
    x = nkeras.layers.Dense(2)(a)
    y = ops.concatenate([x, x, nkeras.layers.Dense(2)(b)])
    assert nkeras.utils.get_source_inputs(y) == [a, b]
    assert nkeras.utils.get_source_inputs(a) == [a]
