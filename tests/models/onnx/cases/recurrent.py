"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.models.onnx.case import Case, const, floats

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def cases() -> Iterator[Case]:
    x, units = floats(5, 2, 3), 4
    for name, gates in GATES.items():
        for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
            weights = (
                const(floats(count, gates * units, 3, low=-0.6, high=0.6)),
                const(floats(count, gates * units, units, low=-0.6, high=0.6)),
                const(floats(count, 2 * gates * units)),
            )
            given = {"hidden_size": units, "direction": direction}
            outputs = 3 if name == "LSTM" else 2
            yield Case(name, (x, *weights), given, outputs=outputs, open_axes=(1,), tolerance=1e-5)
            if direction == "forward":
                yield Case(name, (x, *weights[:2]), given, open_axes=(1,), tolerance=1e-5)
                states = [np.tanh(floats(1, 2, units))] * (2 if name == "LSTM" else 1)
                inputs = (x, *weights, None, *states)
                yield Case(name, inputs, given, outputs=outputs, open_axes=(1,), tolerance=1e-5)
                if name == "GRU":
                    after = given | {"linear_before_reset": 1}
                    yield Case(name, (x, *weights), after, outputs=2, tolerance=1e-5)
                if name == "RNN":
                    relu = given | {"activations": ["Relu"]}
                    yield Case(name, (x, *weights), relu, outputs=2, tolerance=1e-5)
