"""Letters as strokes, drawn into images: a font of our own, so that no package is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

Point: TypeAlias = tuple[float, float]

UNIT = 3.5
"""Pixels between two lines of the grid, at a scale of 1: capitals are 21 pixels high."""
ADVANCE = 5.5
"""From the beginning of a letter to that of the next, in units."""
BASELINE = 6

# Lines through points of a grid: "0642" goes from x 0, y 6 to x 4, y 2; capitals stand on y 6.
_STROKES = {
    " ": "",
    "A": "0602204246 0444",
    "B": "0006 003041423303 3344453606",
    "C": "4130100105163645",
    "D": "00204244260600",
    "E": "40000646 0333",
    "F": "400006 0333",
    "G": "41301001051636454323",
    "H": "0006 4046 0343",
    "I": "1030 2026 1636",
    "J": "4045361605",
    "K": "0006 4004 1346",
    "L": "000646",
    "M": "0600234046",
    "N": "06004640",
    "O": "103041453616050110",
    "P": "06003041423303",
    "Q": "103041453616050110 2446",
    "R": "06003041423303 2346",
    "S": "413010010213334445361605",
    "T": "0040 2026",
    "U": "000516364540",
    "V": "002640",
    "W": "0016233640",
    "X": "0046 4006",
    "Y": "002340 2326",
    "Z": "00400646",
    "a": "4246 4332120305163645",
    "b": "0006 0312324345361605",
    "c": "4332120305163645",
    "d": "4046 4332120305163645",
    "e": "04444332120305163645",
    "f": "40302126 1232",
    "g": "4247381807 4332120305163645",
    "h": "0006 0312324346",
    "i": "2226 2020",
    "j": "32372818 3030",
    "k": "0006 4205 1446",
    "l": "202536",
    "m": "0206 03122326 23324346",
    "n": "0206 0312324346",
    "o": "123243453616050312",
    "p": "0208 0312324345361605",
    "q": "4248 4332120305163645",
    "r": "0206 03123243",
    "s": "43321203143445361605",
    "t": "20253646 1242",
    "u": "0205163645 4246",
    "v": "022642",
    "w": "0216243642",
    "x": "0246 4206",
    "y": "0226 4218",
    "z": "02420646",
    "0": "103041453616050110 1531",
    "1": "112026 1636",
    "2": "01103041420646",
    "3": "01103041423323 334445361605",
    "4": "36300444",
    "5": "400003334445361605",
    "6": "4130100105163645443303",
    "7": "004016",
    "8": "103041423313020110 1304051636454433",
    "9": "0516364541301001021343",
    ".": "2626",
    ",": "2617",
    ":": "2323 2626",
    ";": "2323 2617",
    "!": "2024 2626",
    "?": "01103041422324 2626",
    "'": "2021",
    '"': "1011 3031",
    "`": "1021",
    "(": "30121436",
    ")": "10323416",
    "[": "30101636",
    "]": "10303616",
    "{": "30212213242536",
    "}": "10212233242516",
    "<": "400346",
    ">": "004306",
    "=": "0242 0444",
    "+": "2125 0343",
    "-": "0343",
    "_": "0747",
    "/": "4006",
    "\\": "0046",
    "|": "2027",
    "*": "2125 0244 0442",
    "%": "4006 1010 3636",
    "#": "1016 3036 0242 0444",
    "@": "343212144441301001051646",
    "&": "460201102031320405162644",
    "^": "122032",
    "~": "04133443",
    "$": "413010010213334445361605 2026",
}
_UNKNOWN = "0040460600"


def write(
    image: np.ndarray,
    text: str,
    origin: tuple[int, int],
    color: Sequence[int],
    scale: float,
    thickness: int,
) -> None:
    """Write a line of text into an image `(height, width, channels)`.

    Args:
        image: array that is drawn into.
        text: characters of ASCII; a box stands for any other.
        origin: column and row of the left end of the line that the letters stand on.
        color: one number for each channel.
        scale: 1 for capitals of 21 pixels.
        thickness: of the strokes, in pixels.
    """
    unit = UNIT * scale
    left, baseline = origin
    for number, letter in enumerate(text):
        for start, end in _segments(_STROKES.get(letter, _UNKNOWN)):
            points = [
                (left + unit * (number * ADVANCE + x), baseline + unit * (y - BASELINE))
                for x, y in (start, end)
            ]
            is_dot = start == end
            draw_line(image, points[0], points[1], color, thickness + is_dot)


def draw_line(
    image: np.ndarray, start: Point, end: Point, color: Sequence[int], thickness: int
) -> None:
    """Draw a straight line with round ends; what lies outside of the image is left out."""
    half = max(thickness, 1) / 2
    (x0, y0), (x1, y1) = start, end
    height, width = image.shape[:2]
    left, right = _clipped(min(x0, x1) - half, max(x0, x1) + half, width)
    top, bottom = _clipped(min(y0, y1) - half, max(y0, y1) + half, height)
    if left >= right or top >= bottom:
        return
    x, y = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
    squared = (x1 - x0) ** 2 + (y1 - y0) ** 2
    along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / (squared or 1.0)
    along = np.clip(along, 0.0, 1.0)
    distance = np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
    image[top:bottom, left:right][distance <= half + 0.05] = color


def _segments(strokes: str) -> Iterator[tuple[Point, Point]]:
    for stroke in strokes.split():
        points = [(int(stroke[i]), int(stroke[i + 1])) for i in range(0, len(stroke), 2)]
        yield from pairwise(points)


def _clipped(low: float, high: float, size: int) -> tuple[int, int]:
    return max(int(np.floor(low)), 0), min(int(np.ceil(high)) + 1, size)
