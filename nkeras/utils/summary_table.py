"""The table that `summary()` prints."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

from nkeras.core.errors import short

_ALIGNMENTS = ("left", "right", "center")


def summary_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    alignments: Sequence[str],
    line_length: int = 88,
    positions: Sequence[float] = (0.45, 0.80, 1.0),
) -> str:
    """Draw a table with a heavy head and light lines, as Keras 3's `summary()` does.

    Text wraps between words; a word longer than its column ends in an ellipsis.

    Args:
        headers: the column names.
        rows: one sequence of cells per row, as long as `headers`.
        alignments: "left", "right" or "center" for each column.
        line_length: width of the table in characters.
        positions: where each column ends, as a fraction of `line_length`, ascending.

    Returns:
        The lines of the table, joined by newlines, without a last newline.

    Example:
        >>> print(summary_table(["Layer", "Param #"], [["dense", "110"]], ["left", "right"], 24,
        ...                     [0.6, 1.0]))
        ┏━━━━━━━━━━━━┳━━━━━━━━━┓
        ┃ Layer      ┃ Param # ┃
        ┡━━━━━━━━━━━━╇━━━━━━━━━┩
        │ dense      │     110 │
        └────────────┴─────────┘
    """
    _check(headers, rows, alignments, positions)
    widths = _column_widths(line_length, positions)

    def line(left: str, fill: str, cross: str, right: str) -> str:
        return left + cross.join(fill * (width + 2) for width in widths) + right

    lines = [line("┏", "━", "┳", "┓"), *_row(headers, alignments, widths, "┃", bottom=True)]
    lines.append(line("┡", "━", "╇", "┩"))
    for index, row in enumerate(rows):
        if index:
            lines.append(line("├", "─", "┼", "┤"))
        lines += _row(row, alignments, widths, "│")
    lines.append(line("└", "─", "┴", "┘"))
    return "\n".join(lines)


def _check(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    alignments: Sequence[str],
    positions: Sequence[float],
) -> None:
    columns = len(headers)
    for name, value in (("alignments", alignments), ("positions", positions)):
        if len(value) != columns:
            raise ValueError(
                f"summary_table: `{name}` needs one entry for each of the {columns} "
                f"columns. Received: {name}={short(value)}"
            )
    for alignment in alignments:
        if alignment not in _ALIGNMENTS:
            raise ValueError(
                f"summary_table: `alignments` takes {', '.join(map(repr, _ALIGNMENTS))}. "
                f"Received: {short(alignment)}"
            )
    for row in rows:
        if len(row) != columns:
            raise ValueError(
                f"summary_table: `rows` needs {columns} cells in each row. Received: {short(row)}"
            )


def _column_widths(line_length: int, positions: Sequence[float]) -> list[int]:
    """Share out the line, borders and margins included; returns the width of each text."""
    ends = [int(position * line_length) for position in positions]
    widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if min(widths) < 4:
        raise ValueError(
            "summary_table: `line_length` leaves a column less than 4 characters. "
            f"Received: line_length={short(line_length)}, positions={short(positions)}"
        )
    widths = [width + 2 for width in widths]
    # Borders and margins come on top of the shares: every column gives the same, or gets in
    # proportion to its width where `positions` end early.
    spare = line_length - (len(widths) + 1) - sum(widths)
    for index, width in enumerate(widths):
        if spare < 0:
            share = -min(width, round(-spare / (len(widths) - index)))
        else:
            share = math.ceil(spare * width / sum(widths[index:]))
        widths[index] = width + share
        spare -= share
    return [max(width - 2, 1) for width in widths]


def _row(
    cells: Sequence[str],
    alignments: Sequence[str],
    widths: Sequence[int],
    border: str,
    bottom: bool = False,
) -> list[str]:
    columns = [_wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(len(column) for column in columns)
    for column in columns:
        blank = [""] * (height - len(column))
        column[:] = blank + column if bottom else column + blank
    lines = []
    for index in range(height):
        texts = [
            _align(column[index], alignment, width)
            for column, alignment, width in zip(columns, alignments, widths, strict=True)
        ]
        lines.append(f"{border} " + f" {border} ".join(texts) + f" {border}")
    return lines


def _wrap(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n"):
        current = ""
        for word in re.findall(r"\s*\S+\s*", paragraph):
            if current and _cells(current + word.rstrip()) > width:
                lines.append(current)
                current = word
            else:
                current += word
        lines.append(current)
    return [_shorten(line.rstrip(), width) for line in lines]


def _shorten(text: str, width: int) -> str:
    if _cells(text) <= width:
        return text
    while _cells(text) > width - 1:
        text = text[:-1]
    return text + "…"


def _align(text: str, alignment: str, width: int) -> str:
    space = width - _cells(text)
    left = {"left": 0, "right": space, "center": space // 2}[alignment]
    return " " * left + text + " " * (space - left)


def _cells(text: str) -> int:
    """Return the width in a terminal: East Asian wide characters take two cells."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)
