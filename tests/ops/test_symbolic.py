"""Every op on symbolic tensors has the shape and dtype of its eager result."""

from __future__ import annotations

import numpy as np

from nkeras import ops
from nkeras.backend.registry import use_backend
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import has_symbolic
from nkeras.core.tree import flatten
from tests.ops.tables import INPUTS
from tests.ops.tables import KERAS_CASES as CASES

# What needs values or gives no tensor.
_CONCRETE = set(
    "nonzero unique bincount histogram convert_to_numpy is_tensor dtype shape ndim size where "
    "while_loop fori_loop scan map vectorized_map associative_scan digitize take".split()
)
_FLOATING = ("x", "y", "cube", "image", "signal", "p", "square", "row")


def test_symbolic_equals_eager() -> None:
    wrong, met = [], 0
    symbols = {name: KerasTensor(INPUTS[name].shape, "float32") for name in _FLOATING}
    for name, expressions in CASES.items():
        if name in _CONCRETE:
            continue
        expression = expressions[0]
        with use_backend("numpy"):
            eager = flatten(eval(expression, {"ops": ops, "np": np, **INPUTS}))
            symbolic = flatten(eval(expression, {"ops": ops, "np": np, **INPUTS, **symbols}))
        if not has_symbolic(symbolic):
            continue
        met += 1
        want = [(tuple(one.shape), str(one.dtype)) for one in eager]
        got = [(tuple(one.shape), str(one.dtype)) for one in symbolic]
        if got != want:
            wrong.append((expression, got, want))
    assert wrong == []
    assert met > 200, met
