"""Calls of the primitives of locally connected layers."""

from __future__ import annotations

from tests.ops.cases import Case, floats

_TWO = {"window": (2, 1), "strides": (1, 2)}
_ONE = {"window": (3,), "strides": (2,)}
_THREE = {"window": (1, 2, 2), "strides": (1, 1, 2)}

CASES = {
    "locally_connected": [
        Case(
            (floats(2, 3, 4, 2), floats(4, 4, 3), floats(2, 2, 3)), {**_TWO, "activation": "linear"}
        ),
        Case((floats(2, 5, 1), floats(2, 3, 2), None), {**_ONE, "activation": "linear"}),
        Case((floats(1, 2, 3, 3, 1), floats(4, 4, 2), None), {**_THREE, "activation": "linear"}),
    ],
    "locally_connected_grad_input": [
        Case((floats(2, 2, 2, 3), floats(4, 4, 3)), {**_TWO, "input_shape": (2, 3, 4, 2)}),
        Case((floats(2, 2, 2), floats(2, 3, 2)), {**_ONE, "input_shape": (2, 5, 1)}),
    ],
    "locally_connected_grad_kernel": [
        Case((floats(2, 3, 4, 2), floats(2, 2, 2, 3)), _TWO),
        Case((floats(2, 5, 1), floats(2, 2, 2)), _ONE),
    ],
}
