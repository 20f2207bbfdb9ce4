"""Pictures as SVG that notebooks show."""

from __future__ import annotations

import os
from pathlib import Path

from nkeras.core.errors import short
from nkeras.core.files import replacing


class Picture:
    """A picture; notebooks show it.

    Attributes:
        svg: the picture as SVG.
        path: of the file that was written, or None.
    """

    def __init__(self, svg: str, path: Path | None = None) -> None:
        self.svg = svg
        self.path = path

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Picture {'in memory' if self.path is None else str(self.path)!r}>"


def picture_of(svg: str, path: str | os.PathLike[str] | None, owner: str) -> Picture:
    """A picture, written to a file where a path is given.

    Raises:
        ValueError: the path does not end in `.svg`.
        OSError: the file cannot be written; an old one is as before.
    """
    if path is None:
        return Picture(svg)
    target = Path(path)
    if target.suffix != ".svg":
        raise ValueError(
            f"{owner}: argument `path` must end in .svg. Received: path={short(str(path))}"
        )
    with replacing(target, "w") as file:
        file.write(svg)
    return Picture(svg, target)
