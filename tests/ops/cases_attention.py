"""Calls of the attention primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.cases import Case, floats

_PLAIN: dict[str, Any] = {
    "scale": 0.5,
    "is_causal": False,
    "soft_cap": None,
    "rate": 0.0,
    "seed": (0, 0),
}
_MASK = np.array([[True, True, False], [False, True, True]]).reshape(1, 1, 2, 3)
_ARRAYS = floats(2, 2, 4, 3), floats(2, 3, 2, 3), floats(2, 3, 2, 2)
_CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((*_ARRAYS, None, None), _PLAIN | {"is_causal": True}),
    ((*_ARRAYS, floats(1, 4, 2, 3), _MASK), _PLAIN | {"soft_cap": 1.5}),
    ((*_ARRAYS, floats(2, 1, 1, 3), None), _PLAIN | {"rate": 0.4, "seed": (3, 4)}),
]
# As if they were any numbers: gradients are functions of each of them.
_SAVED = floats(2, 2, 4, 2), floats(2, 4, 2, low=1.0)
CASES = {
    "attention": [Case(arrays, static) for arrays, static in _CALLS],
    "attention_grad": [
        Case((floats(2, 2, 4, 2), None if number else floats(2, 4, 2), *arrays, *_SAVED), static)
        for number, (arrays, static) in enumerate(_CALLS)
    ],
    "attention_grad_bias": [
        Case((floats(2, 2, 4, 2), floats(2, 4, 2), *arrays, *_SAVED), static)
        for arrays, static in _CALLS[1:]
    ],
}
