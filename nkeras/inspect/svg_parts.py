"""Words and numbers in SVG."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML


def text(x: float, y: float, content: str, kind: str = "") -> str:
    """Words at a place; `kind` is a class of the style sheet."""
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{number(x)}" y="{number(y)}"{attribute}>{clean(content)}</text>'


def line(path: str, kind: str) -> str:
    """A path; `kind` is a class of the style sheet."""
    return f'<path class="{kind}" d="{path}"/>'


def number(value: float) -> str:
    """A number with the digits that a picture needs."""
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.6g}"


def clean(content: str) -> str:
    """Any text as XML's: escaped, and what XML cannot hold replaced."""
    return escape(_FORBIDDEN.sub("\ufffd", content))
