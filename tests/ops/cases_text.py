"""Calls of primitives for text, in the form of `CASES`."""

from __future__ import annotations

import numpy as np

from tests.ops.cases import Case

WORDS = np.array([["earth", "wind"], ["and", "Größe ß"], ["", b"\xff"]], object)

CASES: dict[str, list[Case]] = {
    "reshape_text": [Case((WORDS,), {"shape": (2, 3)}, gradient=False)],
}
