"""A page that shows a model at work: one file, which needs a browser and nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nkeras.core.files import replacing
from nkeras.core.typing import Structure
from nkeras.inspect.document import page_html
from nkeras.inspect.watched import Watched

if TYPE_CHECKING:
    from nkeras.inspect.server import PageServer
    from nkeras.models.model import Model


class Page:
    """A page that was written; notebooks show it.

    Attributes:
        path: of the file, or None.
        html: the page.
        server: what serves it, or None.
    """

    def __init__(self, html: str, path: Path | None) -> None:
        self.html = html
        self.path = path
        self.server: PageServer | None = None

    @property
    def address(self) -> str | None:
        """Where the page is served, or None."""
        return None if self.server is None else self.server.address

    def close(self) -> None:
        """Serve the page no more."""
        if self.server is not None:
            self.server.close()
            self.server = None

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html)}" style="width:100%;height:640px;border:0" '
            'sandbox="allow-scripts"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<Page {'in memory' if self.path is None else str(self.path)!r}>"


def visualise(
    model: Model,
    samples: Structure,
    path: str | os.PathLike[str] | None = "model.html",
    labels: Sequence[str] | None = None,
    targets: Sequence[int] | np.ndarray | None = None,
    megabytes: float = 24.0,
    serve: bool = False,
) -> Page:
    """Write a page that shows a model at work on some samples.

    The page is one file. It opens from disk and in notebooks, and asks the network for nothing. It
    shows what every layer gives for each sample, as recorded now. Where all layers are among those
    that the page can compute (dense, convolutions, poolings, normalizations, activations and the
    like), it also computes what the model gives for a drawing, an image or other numbers.

    Args:
        model: a built model.
        samples: inputs, arrays with a batch axis: up to 64 samples.
        path: file to write, or None to write none.
        labels: names of the classes, for outputs that are probabilities of classes.
        targets: indices of the samples' true classes.
        megabytes: about how much the recorded values take. Where there are more, they are rounded
            to 256 levels, then places and channels are left out; the page says so.
        serve: whether to serve the page on this machine as well, at an address that is printed,
            until `close`: there, whatever layers it has, the model itself answers for own inputs.

    Returns:
        A `Page` with the path that was written, and the address; notebooks show it.

    Raises:
        ValueError: the model is not built, or the samples do not fit.
        OSError: the file cannot be written; an old one is as before.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((4,)), nkeras.layers.Dense(2)])
        >>> path = os.path.join(tempfile.mkdtemp(), "model.html")
        >>> visualise(model, np.ones((3, 4), "float32"), path).path.name
        'model.html'
    """
    watched = Watched(model, samples, labels, targets, megabytes)
    watched.record()
    page = write_page(watched, path)
    if serve:
        from nkeras.inspect.server import served

        page.server = served(watched)
    return page


def write_page(watched: Watched, path: str | os.PathLike[str] | None) -> Page:
    """The page of what was recorded, written to a file where a path is given.

    Raises:
        OSError: the file cannot be written; an old one is as before.
    """
    html = page_html(*watched.page())
    if path is None:
        return Page(html, None)
    with replacing(path, "w") as file:
        file.write(html)
    return Page(html, Path(path))
