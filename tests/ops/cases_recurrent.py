"""Calls of the recurrent primitives.

Their gradients take what they have given, so a derivative of a gradient is one of both: it is
checked as the second derivative of the primitive itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import nkeras
from nkeras.ops.gru import gru
from nkeras.ops.lstm import lstm
from nkeras.ops.simple_rnn import simple_rnn
from tests.ops.cases import Case, floats

_SIZES = 2, 3, 2, 3  # batch, time, features, units
_MASK = np.array([[True, False, True], [False, True, True]])
_PRIMITIVES = {one.name: one for one in (lstm, gru, simple_rnn)}
_GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}


def arrays(
    cell: str, kernel: bool, bias: bool, mask: bool, reset_after: bool = True
) -> tuple[Any, ...]:
    """The arrays of a call, but dropout."""
    batch, time, features, units = _SIZES
    columns = _GATES[cell] * units
    states = [floats(batch, units) for _ in range(2 if cell == "lstm" else 1)]
    shape = (2, columns) if cell == "gru" and reset_after else (columns,)
    return (
        floats(batch, time, features if kernel else columns),
        *states,
        floats(features, columns) if kernel else None,
        floats(units, columns),
        floats(*shape) if bias else None,
        _MASK if mask else None,
    )


def _grad_case(cell: str, given: tuple[Any, ...], static: dict[str, Any], by_x: bool) -> Case:
    with nkeras.use_backend("numpy"):
        results = _PRIMITIVES[cell](*given, None, **static)
    made = [np.asarray(one) for one in results]
    count = 3 if cell == "lstm" else 2
    saved = [made[0], *made[count:]]
    upstream = [floats(*one.shape) if by_x else None for one in made[:count]]
    values = static | {"by_x": by_x}
    return Case((*upstream, *given[:-1], *saved, given[-1], None), values, False)


def _cases(cell: str) -> dict[str, list[Case]]:
    forward, backward = [], []
    for reset_after in (True, False) if cell == "gru" else (True,):
        for number, options in enumerate(
            ((True, True, False), (False, False, True), (True, True, True))
        ):
            given = arrays(cell, *options, reset_after)
            static: dict[str, Any] = {"reverse": number != 0}
            if cell == "gru":
                static["reset_after"] = reset_after
            forward.append(Case((*given, None), static))
            backward.append(_grad_case(cell, given, static, number != 1))
    return {cell: forward, f"{cell}_grad": backward}


CASES = {name: cases for cell in _GATES for name, cases in _cases(cell).items()}
