"""Models with calls of operations: read again, and read by Keras and back."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.core import tree
from nkeras.core.graph import KerasTensor
from nkeras.models.operations import _BY_FUNCTION  # pyright: ignore[reportPrivateUsage]
from tests.harness import oracle
from tests.ops.tables import INPUTS, KERAS_CASES

# Their results depend on values, or on shapes alone: such a call is not in a graph.
NOT_IN_GRAPHS = """array bincount nonzero ndim size arange full unique select empty_like ones_like
zeros_like full_like histogram""".split()
OTHER_EXPRESSIONS = {
    "stop_gradient": "ops.stop_gradient(x)",
    "conv_transpose": "ops.conv_transpose(image, kernel[:, :, :, :4], strides=2)",
    "unravel_index": "ops.unravel_index(j, (3, 4))",
}

IN_KERAS = """
def own(expression):  # whether Keras reads what it writes of the same call
    made = {
        name: keras.Input(batch_shape=array.shape, dtype=array.dtype.name, name=name)
        for name, array in inputs.items()
        if name in expression
    }
    used = [one for name, one in made.items() if name in compile(expression, "", "eval").co_names]
    try:
        model = keras.Model(used, eval(expression, {**globals(), **inputs, **made}))
        keras.models.model_from_json(model.to_json())
    except Exception:
        return "Keras reads not even its own"
    return "Keras reads its own"

def answer(text, expression):
    keras.utils.clear_session(free_memory=False)
    try:
        return keras.models.model_from_json(text).to_json()
    except Exception as error:
        return f"{own(expression)}: {expression} {error}"

result = [answer(*each) for each in asked]
"""


def expression_of(name: str) -> str:
    if name in OTHER_EXPRESSIONS:
        return OTHER_EXPRESSIONS[name]
    return (KERAS_CASES.get(name) or KERAS_CASES[f"image.{name}"])[0]


def model_of(expression: str) -> tuple[Any, list[np.ndarray]]:
    """The expression as a functional model, and its inputs."""
    used = [node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)]
    names = list(dict.fromkeys(name for name in used if name in INPUTS))
    arrays = [np.asarray(INPUTS[name]) for name in names]
    inputs = [
        nkeras.Input(batch_shape=array.shape, dtype=array.dtype.name, name=name)
        for name, array in zip(names, arrays, strict=True)
    ]
    symbols = {**INPUTS, **dict(zip(names, inputs, strict=True)), "ops": ops, "np": np}
    outputs = [
        one for one in tree.flatten(eval(expression, symbols)) if isinstance(one, KerasTensor)
    ]
    return nkeras.Model(inputs, outputs), arrays


def outputs_of(model: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    given = arrays if len(arrays) > 1 else arrays[0]
    return [np.asarray(one) for one in tree.flatten(model(given))]


def assert_same(model: Any, other: Any, arrays: list[np.ndarray], expression: str) -> None:
    for before, after in zip(outputs_of(model, arrays), outputs_of(other, arrays), strict=True):
        np.testing.assert_array_equal(after, before, err_msg=expression)


NAMES = [name for name in _BY_FUNCTION if name not in NOT_IN_GRAPHS]


@pytest.fixture(autouse=True)
def _numpy() -> Iterator[None]:
    """What is written and read does not depend on kernels, and these need no compiler."""
    with nkeras.use_backend("numpy"):
        yield


@pytest.mark.parametrize("name", NAMES)
def test_operation(name: str) -> None:
    model, arrays = model_of(expression_of(name))
    assert (
        f'"module": "keras.src.ops.{_BY_FUNCTION[name].module.split(".")[-1]}"' in model.to_json()
    )
    assert_same(model, nkeras.models.model_from_json(model.to_json()), arrays, name)


@oracle.requires_keras
def test_keras() -> None:
    made = [model_of(expression_of(name)) for name in NAMES]
    asked = [
        (model.to_json(), expression_of(name)) for name, (model, _) in zip(NAMES, made, strict=True)
    ]
    answers = oracle.run(IN_KERAS, asked=asked, inputs=INPUTS)
    read = 0
    for name, (model, arrays), answer in zip(NAMES, made, answers, strict=True):
        if not answer.startswith("Keras reads not even its own"):
            assert answer.startswith("{"), answer
            assert_same(model, nkeras.models.model_from_json(answer), arrays, name)
            read += 1
    assert read > 0.9 * len(NAMES)


def test_arguments_that_are_named_freely() -> None:
    x = nkeras.Input((4,))
    y = ops.pad(ops.rearrange(x, "b (h c) -> b h c", c=2), ((0, 0), (1, 1), (0, 1)), "constant", 9)
    model = nkeras.Model(x, y)
    array = np.arange(8.0, dtype="float32").reshape(2, 4)
    assert_same(model, nkeras.models.model_from_json(model.to_json()), [array], "rearrange")


def test_a_file_cannot_name_what_is_no_operation() -> None:
    x = nkeras.Input((2,))
    config = json.loads(nkeras.Model(x, ops.exp(x)).to_json())
    for module, name in (
        ("nkeras.ops", "custom_gradient"),
        ("nkeras.ops", "__builtins__"),
        ("keras.src.ops.numpy", "Eval"),
    ):
        config["config"]["layers"][1] |= {"module": module, "class_name": name}
        with pytest.raises(ValueError, match="no operation"):
            nkeras.models.model_from_json(json.dumps(config))
