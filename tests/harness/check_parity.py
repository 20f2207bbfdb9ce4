"""A layer of nkeras against the same layer in Keras: numbers, gradients, shapes, config, weights.

answers = ask(cases)            # one call of the Keras process for many cases
compare(case, answers[i])
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

import nkeras
from nkeras.core import tree
from nkeras.core.graph import get_mask, set_mask
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from tests.harness import oracle

IN_KERAS = """
import inspect
import json

alive = []

def passed(case, arrays):
    made = [ops.convert_to_tensor(one) for one in arrays]
    for tensor, mask in zip(made, case["masks"] or []):
        alive.append(ops.convert_to_tensor(mask))  # Keras holds masks weakly
        keras.src.backend.set_keras_mask(tensor, alive[-1])
    if case["arguments"]:
        named = {}
        for name, value in zip(case["arguments"], made):
            if name.endswith("*"):
                named.setdefault(name[:-1], []).append(value)
            else:
                named[name] = value
        return (), {**named, **case["call"]}
    return (made[0] if len(made) == 1 else made,), dict(case["call"])

def symbol(value):
    return keras.KerasTensor(value.shape, value.dtype) if hasattr(value, "shape") else value

def made(value):  # a layer in an argument is given by its configuration
    if isinstance(value, dict) and {"class_name", "config"} <= set(value):
        return keras.layers.deserialize(value)
    return [made(one) for one in value] if isinstance(value, list) else value

def answer(case):
    keras.utils.clear_session(free_memory=False)
    options = {name: made(value) for name, value in case["options"].items()}
    layer = getattr(keras.layers, case["layer"])(**options)
    shapes = [(None, *one.shape[1:]) for one in case["arrays"]]
    shapes = shapes if len(shapes) > 1 else shapes[0]
    if case["by_call"]:
        arguments, named = passed(case, case["arrays"])
        symbols = keras.tree.map_structure(symbol, (arguments, named))
        layer(*symbols[0], **symbols[1])  # builds it, and computes nothing
    else:
        layer.build(shapes)
    layer.set_weights(case["weights"])
    for one in layer._flatten_layers():
        if hasattr(one, "finalize_state"):  # what was learned from data is copied from weights
            one.finalize_state()
    others = [v.value for v in layer.non_trainable_variables]

    def call(trained, arrays, training):
        arguments, named = passed(case, arrays)
        if case["training"]:
            named["training"] = training
        masks = case["masks"] and [ops.convert_to_tensor(mask) for mask in case["masks"]]
        of_first = case["arguments"][:1] in ((), ("sequences",))  # other layers take several masks
        parameters = inspect.signature(layer.call).parameters
        if masks and of_first and "mask" in parameters:
            named["mask"] = masks if len(masks) > 1 and not case["arguments"] else masks[0]
        for name, mask in zip(case["arguments"], masks or []):  # only `__call__` looks for them
            if f"{name}_mask" in parameters:
                named[f"{name}_mask"] = mask
        y, state = layer.stateless_call(trained, others, *arguments, **named)
        if not layer.supports_masking:
            return y, state, None
        own = keras.src.backend.get_keras_mask(keras.tree.flatten(y)[0])
        if own is None and masks and "query_mask" in parameters:
            own = layer.compute_mask(named["query"], masks[0])
        if case["arguments"] and of_first and masks:
            return y, state, layer.compute_mask(None, masks[0])
        if case["arguments"] or own is not None:
            return y, state, own
        masks = masks or [None for _ in arrays]
        return y, state, layer.compute_mask(arguments[0], masks if len(masks) > 1 else masks[0])

    def loss(trained, arrays):
        y, state, _ = call(trained, arrays, True)
        flat = zip(keras.tree.flatten(y), case["upstream"])
        return sum(ops.sum(one * weights) for one, weights in flat), (y, state)

    @jax.jit  # one compilation for a case is much faster than one for each op
    def compute(trained, arrays):
        inference = call(trained, arrays, False)
        if case["random"]:
            return inference, None
        if not case["floats"]:
            by_weights, rest = jax.grad(loss, has_aux=True)(trained, arrays)
            return inference, ((by_weights, []), rest)
        return inference, jax.grad(loss, (0, 1), has_aux=True)(trained, arrays)

    trained = [v.value for v in layer.trainable_variables]
    inference, training = compute(trained, case["arrays"])
    if layer.activity_regularizer is not None or "activity_regularizer" in options:
        arguments, named = passed(case, case["arrays"])
        layer(*arguments, **named)
    found = {
        "config": json.loads(json.dumps(keras.saving.serialize_keras_object(layer.get_config()))),
        "weights": [(v.path, tuple(v.shape), v.trainable) for v in layer.weights],
        "output": inference[0],
        "losses": [float(one) for one in layer.losses],
        "mask": inference[2],
        "shape": None if case["arguments"] else layer.compute_output_shape(shapes),
    }
    if training is None:
        return found
    (by_weights, by_inputs), (y, state) = training
    return found | {"by_weights": by_weights, "by_inputs": by_inputs, "trained": y, "state": state}

result = [answer(case) for case in cases]
"""


def weights_for(layer: Any) -> list[np.ndarray]:
    """Positive numbers, other than any initializer's, in the shapes of a built layer's weights."""
    random = np.random.default_rng(11)
    return [random.uniform(0.4, 1.6, v.shape).astype("float32") for v in layer.weights]


def make(case: Any, **options: Any) -> Any:
    """The layer of a case."""
    given = {name: _layers_in(value) for name, value in case.options.items()}
    return getattr(nkeras.layers, case.layer)(**given, **options)


def _layers_in(value: Any) -> Any:
    if isinstance(value, dict) and {"class_name", "config"} <= set(value):
        return deserialize_keras_object(value)
    return [_layers_in(one) for one in value] if isinstance(value, list) else value


def inputs_of(case: Any, dtype: str = "float32") -> list[Any]:
    """The input tensors with their masks."""
    made = [
        nkeras.ops.convert_to_tensor(array.astype(dtype) if case.below is None else array)
        for array in case.arrays()
    ]
    for tensor, mask in zip(made, case.masks() or [], strict=False):
        set_mask(tensor, nkeras.ops.convert_to_tensor(mask))
    return made


def call(case: Any, layer: Any, inputs: list[Any], **named: Any) -> Any:
    """The layer's outputs for these inputs."""
    arguments, given = case.passed(inputs)
    return layer(*arguments, **(given | named))


def has_training(layer: Any) -> bool:
    """Whether `call` has a `training` argument of its own."""
    return "training" in type(layer).call.__annotations__


def ask(cases: Sequence[Any]) -> list[Any]:
    """Keras' answers for the cases."""
    questions = []
    with nkeras.use_backend("numpy"):
        for case in cases:
            layer = make(case)
            outputs = call(case, layer, inputs_of(case))
            questions.append(
                {
                    "layer": case.layer,
                    "options": case.options,
                    "arrays": case.arrays(),
                    "masks": case.masks(),
                    "random": case.random,
                    "call": case.call,
                    "arguments": case.arguments,
                    "by_call": bool(case.arguments),
                    "floats": case.below is None,
                    "training": has_training(layer) and case.layer != "Dense",
                    "weights": weights_for(layer),
                    "upstream": [_upstream(y.shape) for y in tree.flatten(outputs)],
                }
            )
    answers = []
    for start in range(0, len(questions), 24):  # the oracle has a time limit for each call
        answers += oracle.run(IN_KERAS, cases=questions[start : start + 24])
    return answers


def _upstream(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(13).uniform(-1.0, 1.0, shape).astype("float32")


# Arguments that are not in the configurations of Keras, by layer.
FORGOTTEN_BY_KERAS = {"RandomGrayscale": ("seed",)}


def compare(case: Any, answer: dict[str, Any]) -> None:
    """Assert that nkeras gives what Keras gave."""
    nkeras.core.naming.reset()
    layer = make(case)
    inputs = inputs_of(case)
    call(case, layer, inputs)
    layer.set_weights(weights_for(layer))
    named = {"training": False} if has_training(layer) else {}
    outputs = call(case, layer, inputs, **named)
    found, expected = _config(layer), _all_rounded(answer["config"])
    for argument in FORGOTTEN_BY_KERAS.get(case.layer, ()):
        found.pop(argument, None)
    assert not (keys := differing(found, expected)), f"config of {case} differs in {keys}"
    described = [(v.path, tuple(v.shape), v.trainable) for v in layer.weights]
    assert described == [tuple(weight) for weight in answer["weights"]]
    _all_close(outputs, answer["output"])
    mask, expected = (tree.flatten(one)[0] for one in (_masks(outputs), [answer["mask"]]))
    assert (mask is None) == (expected is None), (mask, expected)
    if mask is not None:
        np.testing.assert_array_equal(mask.numpy(), expected)
    np.testing.assert_allclose([float(loss) for loss in layer.losses], answer["losses"], rtol=1e-5)
    if not case.arguments:
        shapes = [(None, *array.shape[1:]) for array in case.arrays()]
        shape = layer.compute_output_shape(shapes if len(shapes) > 1 else shapes[0])
        assert tree.flatten(shape) == tree.flatten(answer["shape"])
    if not case.random:
        _compare_training(case, layer, inputs, answer)


def _masks(outputs: Any) -> list[Any]:
    return [get_mask(one) for one in tree.flatten(outputs)]


def _compare_training(case: Any, layer: Any, inputs: list[Any], answer: dict[str, Any]) -> None:
    sources = inputs if case.below is None else []
    named = {"training": True} if has_training(layer) else {}
    with nkeras.GradientTape() as tape:
        for source in sources:
            tape.watch(source)
        outputs = call(case, layer, inputs, **named)
        loss = sum(nkeras.ops.sum(one * _upstream(one.shape)) for one in tree.flatten(outputs))
    variables = layer.trainable_variables
    grads = tape.gradient(loss, [*sources, *variables])
    _all_close(outputs, answer["trained"])
    for grad, expected in zip(grads, [*answer["by_inputs"], *answer["by_weights"]], strict=True):
        _close(np.zeros(expected.shape) if grad is None else grad, expected)
    for variable, expected in zip(layer.non_trainable_variables, answer["state"], strict=True):
        if any(variable is weight for weight in layer.weights):
            _close(variable, expected)


def _all_close(found: Any, expected: Any) -> None:
    for one, other in zip(tree.flatten(found), tree.flatten(expected), strict=True):
        _close(one, other)


def _close(found: Any, expected: Any) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    # Where large numbers cancel, a small one is as wrong as they are.
    largest = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5 * largest)


def differing(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Which keys of two configs differ, and how."""
    keys = [key for key in {**expected, **found} if found.get(key, "-") != expected.get(key, "-")]
    return [f"{key}: {found.get(key, '-')!r}, not {expected.get(key, '-')!r}" for key in keys]


def _config(layer: Any) -> Any:
    return _all_rounded(json.loads(json.dumps(serialize_keras_object(layer.get_config()))))


def _all_rounded(config: dict[str, Any]) -> dict[str, Any]:
    """A config with rounded numbers, in layers inside too, and without shapes to build them with.

    nkeras builds those layers with the case's shape, Keras with an unknown batch size.
    """
    return {key: _rounded(value) for key, value in config.items()}


def _rounded(value: Any) -> Any:
    """Keras keeps the factors of regularizers in float32."""
    if isinstance(value, dict):
        return _all_rounded({key: item for key, item in value.items() if key != "build_config"})
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value
