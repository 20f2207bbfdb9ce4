"""Recurrent primitives with dropout of the state, their messages, and their decompositions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.core.primitive import PRIMITIVES
from tests.harness import check_op as harness
from tests.ops.cases_recurrent import arrays

CELLS = [("lstm", True), ("gru", True), ("gru", False), ("simple_rnn", True)]


def _static(cell: str, reset_after: bool) -> dict[str, Any]:
    return {"reverse": True} | ({"reset_after": reset_after} if cell == "gru" else {})


def _dropout(cell: str) -> np.ndarray:
    gates = {"lstm": 4, "gru": 3, "simple_rnn": 1}[cell]
    return (np.arange(gates * 6).reshape(gates, 2, 3) % 3 > 0).astype("float32") * 1.5


@pytest.mark.parametrize(("cell", "reset_after"), CELLS)
def test_dropout_of_the_state(cell: str, reset_after: bool) -> None:
    given = arrays(cell, True, True, True, reset_after)
    holes = _dropout(cell)

    def run(*given: Any) -> Any:
        dropout = nkeras.ops.convert_to_tensor(holes, given[0].dtype)
        return PRIMITIVES[cell](*given, dropout, **_static(cell, reset_after))

    harness.check_op(run, *given)


@pytest.mark.parametrize(("cell", "reset_after"), CELLS)
def test_decompositions_are_the_kernels(cell: str, reset_after: bool) -> None:
    given = [*arrays(cell, True, True, True, reset_after), _dropout(cell)]
    static = _static(cell, reset_after)
    count = 3 if cell == "lstm" else 2
    with nkeras.use_backend("numpy"):
        tensors = [nkeras.ops.convert_to_tensor(array) for array in given]
        results = PRIMITIVES[cell](*tensors, **static)
        decompose = PRIMITIVES[cell].decompose
        assert decompose is not None
        harness.assert_same(
            *([one.numpy() for one in r] for r in (decompose(*tensors, **static), results))
        )
        saved = [results[0], *results[count:]]
        calls = [*results[:count], *tensors[:-2], *saved, *tensors[-2:]]
        grads = PRIMITIVES[f"{cell}_grad"](*calls, **static, by_x=True)
        decompose = PRIMITIVES[f"{cell}_grad"].decompose
        assert decompose is not None
        found = decompose(*calls, **static, by_x=True)
        harness.assert_same([one.numpy() for one in found], [one.numpy() for one in grads])


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_wrong_shapes_are_named(cell: str) -> None:
    given: list[Any] = [*arrays(cell, True, True, False), None]
    static = _static(cell, True)
    with pytest.raises(ValueError, match=f"{cell}: argument `h` must have shape"):
        PRIMITIVES[cell](given[0], np.ones((2, 4), "float32"), *given[2:], **static)
    with pytest.raises(ValueError, match=f"{cell}: x must be"):
        PRIMITIVES[cell](given[0][0], *given[1:], **static)
    with pytest.raises(ValueError, match="must have a step"):
        PRIMITIVES[cell](given[0][:, :0], *given[1:], **static)
