"""LSTM, GRU and RNN: Keras' layers, with gates in another order and time first."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nkeras import layers, ops
from nkeras.core.errors import short
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import Known, Value

_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}
"""Where Keras' gates stand among ONNX' (LSTM: input, output, forget, cell)."""
_MAKERS: dict[str, Any] = {"LSTM": layers.LSTM, "GRU": layers.GRU, "RNN": layers.SimpleRNN}
_USUAL = {
    "LSTM": ["sigmoid", "tanh", "tanh"],
    "GRU": ["sigmoid", "tanh"],
    "RNN": ["tanh"],
}
_ACTIVATIONS = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "softsign": "softsign",
    "softplus": "softplus",
}


class _Sizes(NamedTuple):
    directions: list[str]
    units: int


@operator("LSTM", "GRU", "RNN")
def _recurrent(call: Call) -> list[Value]:
    x = call.traced(0)
    kind = call.operator
    if x.rank != 3 or call.has(4) or call.has(7):
        call.fail("it is read without lengths of sequences and peepholes, on three axes.")
    directions, units = _checked(call)
    batch_first = call.flag("layout", False)
    tensor = x.first if batch_first else ops.transpose(x.first, (1, 0, 2))
    states = [_state(call, place) for place in ((5, 6) if kind == "LSTM" else (5,))]
    outputs: list[Any] = []
    last: list[list[Any]] = []
    for number, direction in enumerate(directions):
        backwards = direction == "reverse"
        arguments, weights = _weights(call, number, units, len(directions))
        arguments |= {"return_sequences": True, "return_state": True, "go_backwards": backwards}
        arguments |= _activations(call, number)
        start = [_of_direction(state, number, batch_first) for state in states if state is not None]
        if start and len(start) < len(states):
            call.fail("it has one of the two initial states; both or none are read.")
        layer = _MAKERS[kind](
            units, name=call.layer_name(f"_{direction}"), dtype=x.dtype, **arguments
        )
        y, *end = layer(tensor, initial_state=start) if start else layer(tensor)
        layer.set_weights(weights)
        outputs.append(ops.flip(y, 1) if backwards else y)
        last.append(end)
    axis = 2 if batch_first else 1
    steps = [y if batch_first else ops.transpose(y, (1, 0, 2)) for y in outputs]
    whole = ops.stack(steps, axis=axis)
    batch = x.sizes[0 if batch_first else 1]
    length = x.sizes[1 if batch_first else 0]
    count = len(directions)
    sizes = (batch, length, count, units) if batch_first else (length, count, batch, units)
    ends = [
        ops.stack(list(states), axis=1 if batch_first else 0) for states in zip(*last, strict=True)
    ]
    end_sizes = (batch, count, units) if batch_first else (count, batch, units)
    return [call.made(whole, sizes), *(call.made(end, end_sizes) for end in ends)]


def _checked(call: Call) -> _Sizes:
    kernel, recurrent = call.weight(1, 3), call.weight(2, 3)
    units, gates = recurrent.shape[2], len(_GATES[call.operator])
    words = {"forward": ["forward"], "reverse": ["reverse"]}
    words["bidirectional"] = ["forward", "reverse"]
    directions = words.get(call.text("direction", "forward"))
    features = call.traced(0).sizes[2]
    if (
        directions is None
        or not units
        or kernel.shape != (len(directions), gates * units, features)
        or recurrent.shape != (len(directions), gates * units, units)
        or call.integer("hidden_size", units) != units
    ):
        call.fail(
            f"weights of shapes {short(kernel.shape)} and {short(recurrent.shape)} do not fit its "
            "input and direction."
        )
    if "clip" in call.node.attributes or call.flag("input_forget", False):
        call.fail("`clip` and `input_forget` are not read.")
    if call.has(3) and call.array(3).shape != (len(directions), 2 * gates * units):
        call.fail(f"its bias has the shape {short(call.array(3).shape)}.")
    return _Sizes(directions, units)


def _weights(
    call: Call, number: int, units: int, count: int
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Arguments and weights of one direction's layer."""
    order = _GATES[call.operator]

    def arranged(rows: np.ndarray) -> np.ndarray:
        return np.concatenate([rows[gate * units : (gate + 1) * units] for gate in order])

    kernel, recurrent = (arranged(call.array(place)[number]).T for place in (1, 2))
    arguments: dict[str, Any] = {"use_bias": call.has(3)}
    weights = [kernel, recurrent]
    resets_after = call.flag("linear_before_reset", False)
    if call.operator == "GRU":
        arguments["reset_after"] = resets_after
    if call.has(3):
        half = len(order) * units
        bias = call.array(3)[number]
        parts = [arranged(bias[:half]), arranged(bias[half:])]
        is_pair = call.operator == "GRU" and resets_after
        weights.append(np.stack(parts) if is_pair else parts[0] + parts[1])
    return arguments, [np.ascontiguousarray(weight) for weight in weights]


def _activations(call: Call, number: int) -> dict[str, str]:
    usual = _USUAL[call.operator]
    given: Any = call.node.attributes.get("activations")
    if given is None:
        return {}
    names = [str(name).lower() for name in given][number * len(usual) :][: len(usual)]
    if len(names) != len(usual) or any(name not in _ACTIVATIONS for name in names):
        call.fail(f"the activations {short(given)} are not read.")
    if len(set(names[1:])) > 1 or any(
        name in call.node.attributes for name in ("activation_alpha", "activation_beta")
    ):
        call.fail("Keras has one activation for candidates and outputs, without parameters.")
    if call.operator == "RNN":
        return {"activation": _ACTIVATIONS[names[0]]}
    return {"recurrent_activation": names[0], "activation": _ACTIVATIONS[names[1]]}


def _state(call: Call, place: int) -> Any:
    """An initial state, or None where it is zeros."""
    if not call.has(place):
        return None
    value = call.value(place)
    if isinstance(value, Known) and not value.is_open and not value.array.any():
        return None
    return call.tensor(place)


def _of_direction(state: Any, number: int, batch_first: bool) -> Any:
    return state[:, number] if batch_first else state[number]
