"""What a stage says: rows, one line of JSON each, and how they look in the table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nkeras.core.errors import cut_text

WRONG = ("WRONG", "FAILED")
"""Verdicts that make the whole check fail."""


UNITS = ("s", "GB/s", "TFLOP/s", "samples/s", "ratio", "error")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: what was looked at.
        numbers: by what they are; the last word of a name may be one of `UNITS`.
        verdict: `ok`, `below` (a bar of speed), `WRONG`, `FAILED`, `absent` (there is no such tool,
            package or part here), or nothing.
        note: in words.
    """

    name: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    verdict: str = ""
    note: str = ""

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    def line(self) -> str:
        """A line of the table."""
        numbers = "  ".join(_number(name, value) for name, value in self.numbers.items())
        parts = [f"{self.verdict:<6}", f"{self.name:<36}", numbers, cut_text(self.note, 150)]
        return " ".join(part for part in parts if part).rstrip()


def row(line: str) -> Row:
    """The row of a line that `as_json` made."""
    fields: dict[str, Any] = json.loads(line)
    return Row(**fields)


def failed(name: str, error: BaseException | str) -> Row:
    """A row for what raised."""
    if isinstance(error, BaseException):
        error = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return Row(name, {}, "FAILED", cut_text(error, 300))


def bar(ratio: float, least: float) -> str:
    """The verdict on a ratio that should be so much at least."""
    return "ok" if ratio >= least else "below"


def _number(name: str, value: float) -> str:
    """`y s` is a time of y, `loss` a number without unit."""
    what, _, unit = name.rpartition(" ")
    if unit not in UNITS:
        return f"{name} {value:.3g}"
    if unit == "s":
        value, unit = _seconds(value)
    elif unit == "error":
        return f"{name} {value:.1e}"
    digits = ".3g" if abs(value) < 1e4 else ".0f"
    unit = "" if unit == "ratio" else unit
    return " ".join(part for part in (what, f"{value:{digits}}", unit) if part)


def _seconds(value: float) -> tuple[float, str]:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if value >= scale:
            return value / scale, unit
    return value * 1e6, "us"
