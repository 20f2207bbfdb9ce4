"""The expressions that compare `nkeras.ops` with Keras, in ONNX Runtime."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.core import dtypes, tree
from nkeras.core.tensor import Tensor
from tests.export.one_layer import signature
from tests.export.runtime import TOLERANCE, largest_error, run, session
from tests.ops.tables import INPUTS, KERAS_CASES

# What the runtime does otherwise: integers that overflow, and NaN among the numbers of a maximum.
OTHERWISE = {"ops.prod(small)", "ops.max(nans, axis=1)", "ops.min(nans, axis=1)"}

# What is no graph, or has no operators, says so.
REFUSALS = re.compile("no operators for|Python looks at the values")


class Expression(nkeras.Model):
    def __init__(self, expression: str) -> None:
        super().__init__(name="expression", autocast=False)
        self.expression = expression
        words = re.findall(r"\b[a-z_]\w*\b", expression)
        self.names = [name for name in dict.fromkeys(words) if _is_real(INPUTS.get(name))]

    def call(self, *arrays: Any) -> list[Tensor]:
        names = {"ops": ops, "np": np, **INPUTS, **dict(zip(self.names, arrays, strict=True))}
        results = tree.flatten(eval(self.expression, names))
        return [one for one in results if isinstance(one, Tensor)]


def _is_real(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind != "c"


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # of NumPy, where numbers are not
@pytest.mark.parametrize("name", KERAS_CASES)
def test_op(name: str, tmp_path: Path) -> None:
    with nkeras.use_backend("numpy"):
        for expression in KERAS_CASES[name]:
            model = Expression(expression)
            if model.names and expression not in OTHERWISE:
                _compare(model, tmp_path / "op.onnx")


def _compare(model: Expression, path: Path) -> None:
    arrays = [INPUTS[name] for name in model.names]
    try:
        wanted = model(*arrays)
    except AttributeError:  # it needs NumPy arrays, not tensors
        return
    if not wanted or any(dtypes.is_complex(one.dtype) for one in wanted):
        return
    try:
        model.export(path, verbose=False, input_signature=signature(arrays, fixed=True))
    except ValueError as refusal:
        if REFUSALS.search(str(refusal)):
            return
        raise
    error = largest_error(run(session(path), arrays), wanted)
    assert error <= TOLERANCE, model.expression
