"""The document of a page: the files of page/, what the page knows, and its arrays."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from nkeras.core.errors import is_a
from nkeras.inspect.arrays import Arrays

_SCRIPTS = (
    *(
        "data",
        "forward",
        "colors",
        "units",
        "view",
        "space",
        "weights",
        "panel",
        "training",
        "serve",
    ),
    *("inputs", "main"),
)
_SHOW = "<script>model.show()</script>"  # the first sample, before the others have come


def page_html(page: Mapping[str, Any], arrays: Arrays) -> str:
    """The document of a page."""
    folder = files("nkeras.inspect") / "page"

    def read(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    data = json.dumps(plain(page), allow_nan=False, separators=(",", ":"))
    parts = {
        "TITLE": escape(f"{page['name']} ({page['class']})"),
        "CONNECT": "connect-src 'self'; " if page["isServed"] else "",
        "STYLE": read("page.css"),
        "DATA": data.replace("<", "\\u003c"),  # no text may end the element
        "ARRAYS": "\n".join(
            f'<script type="text/plain" id="{name}">{text}</script>{_SHOW if number == 0 else ""}'
            for number, (name, text) in enumerate(arrays.texts())
        ),
        "SCRIPT": "\n".join(read(f"{name}.js") for name in _SCRIPTS),
    }
    return re.sub("%([A-Z]+)%", lambda found: parts[found[1]], read("page.html"))


def plain(value: Any) -> Any:
    """A value as JSON's, which has no infinities and no halves of characters."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if is_a(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
