"""Calls of the primitives of Fourier transforms."""

from __future__ import annotations

from tests.ops.cases import Case, floats

_Z = (floats(2, 3, 4) + 1j * floats(2, 3, 4)).astype("complex64")

CASES: dict[str, list[Case]] = {
    "fft": [
        Case((_Z,), {"axes": axes, "inverse": inverse})
        for axes, inverse in (((2,), False), ((1, 2), True))
    ],
    "rfft": [Case((floats(2, 5),), {"size": size}) for size in (3, 4, 5, 8)],
    "irfft": [Case((_Z,), {"size": size}) for size in (3, 6, 7, 10)],
}
