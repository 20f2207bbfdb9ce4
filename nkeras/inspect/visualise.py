"""A page that shows a model at work: one file, which needs a browser and nothing else."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nkeras.core import tree
from nkeras.core.errors import cut_text, is_a, short
from nkeras.core.files import replacing
from nkeras.core.typing import Structure
from nkeras.inspect.activations import activations
from nkeras.inspect.content import card_size, content_of
from nkeras.inspect.costs import Cost, costs
from nkeras.inspect.labels import kind_of
from nkeras.inspect.layered import Point
from nkeras.inspect.leaves import Leaf, leaves_of
from nkeras.inspect.live import Live, NotLive, live_of
from nkeras.inspect.outline import Box, outline
from nkeras.inspect.placing import Direction, Placement, Rectangle, place
from nkeras.inspect.placing import Path as BoxPath
from nkeras.inspect.recording import Arrays, Kept, limit_of, thinned

if TYPE_CHECKING:
    from nkeras.models.model import Model

_SCRIPTS = ("data", "forward", "colors", "units", "view", "space", "panel", "inputs", "main")
_DIRECTIONS: tuple[Direction, ...] = ("TB", "LR")
_MOST_SAMPLES = 64
_LIVE_WEIGHTS = 4_000_000  # numbers, above which the page computes nothing itself
_EXACT = 1_500_000  # numbers, up to which values are kept as they are


class Page:
    """A page that was written; notebooks show it.

    Attributes:
        path: of the file, or None.
        html: the page.
    """

    def __init__(self, html: str, path: Path | None) -> None:
        self.html = html
        self.path = path

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

    Returns:
        A `Page` with the path that was written; notebooks show it.

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
    found = outline(model)
    count = _count(samples)
    values = activations(model, samples)
    leaves, outputs = leaves_of(found)
    inputs = [np.asarray(leaf) for leaf in tree.flatten(samples)]
    recorded = _recorded(leaves, values, inputs)
    sizes = [int(np.prod(array.shape[1:])) for array in recorded if array is not None]
    budget = int(megabytes * 1e6 / count)
    is_exact = sum(sizes) * count <= _EXACT and sum(sizes) * 4 <= budget
    limit = limit_of(sizes, budget // 4 if is_exact else budget)
    kept = [None if array is None else thinned(array, limit) for array in recorded]
    arrays = Arrays(rounds=not is_exact)
    live, reason = _live(leaves, recorded)
    keeps_weights = not reason
    measured = _costs(model)
    boxes = [
        _box(leaf, keep, arrays, one, measured, keeps_weights)
        for leaf, keep, one in zip(leaves, kept, live, strict=True)
    ]
    by_path = {leaf.path: number for number, leaf in enumerate(leaves)}
    numbers = {id(leaf.box): number for number, leaf in enumerate(leaves)}

    def size(box: Box) -> Point:
        return _size(box, numbers, boxes)

    page = {
        "name": model.name,
        "class": type(model).__name__,
        "backend": _backend(),
        "boxes": boxes,
        "layouts": [_layout(place(found, size, direction), by_path) for direction in _DIRECTIONS],
        "inputs": [number for number, leaf in enumerate(leaves) if not leaf.sources],
        "outputs": outputs,
        "samples": count,
        "labels": None if labels is None else [cut_text(str(label)) for label in labels],
        "targets": None if targets is None else [int(target) for target in targets],
        "isLive": not reason,
        "reason": reason,
        "isRounded": not is_exact,
    }
    html = _html(page, arrays)
    written = None if path is None else Path(path)
    if written is not None:
        with replacing(written, "w") as file:
            file.write(html)
    return Page(html, written)


def _layout(placed: Placement, by_path: Mapping[BoxPath, int]) -> dict[str, Any]:
    """Where boxes, frames and edges are; the boxes in the order of the leaves."""
    cards = {by_path[path]: rectangle for path, (_, rectangle) in placed.cards.items()}
    return {
        "size": [round(placed.width, 1), round(placed.height, 1)],
        "places": [_sides(cards[number]) for number in range(len(cards))],
        "frames": [
            {"name": cut_text(box.name), "class": box.class_name, "place": _sides(rectangle)}
            for box, rectangle in placed.frames.values()
        ],
        "edges": [[[round(x, 1), round(y, 1)] for x, y in points] for _, _, points in placed.edges],
    }


def _sides(rectangle: Rectangle) -> list[float]:
    found = (rectangle.x, rectangle.y, rectangle.width, rectangle.height)
    return [round(float(value), 1) for value in found]


def _backend() -> str:
    from nkeras.backend import registry

    backend = registry.active()
    return f"{backend.name} ({backend.device})"


def _count(samples: Structure) -> int:
    arrays = tree.flatten(samples)
    lengths = {len(array) for array in arrays if np.ndim(array)}
    if not arrays or len(lengths) != 1 or not 1 <= next(iter(lengths)) <= _MOST_SAMPLES:
        shapes = [np.shape(array) for array in arrays]
        raise ValueError(
            f"visualise: argument `samples` must have from 1 to {_MOST_SAMPLES} samples along the "
            f"first axis of each array. Received: shapes {short(shapes)}"
        )
    return next(iter(lengths))


def _recorded(
    leaves: Sequence[Leaf], values: Mapping[str, Any], inputs: Sequence[np.ndarray]
) -> list[np.ndarray | None]:
    """The first tensor of each leaf; None where nobody recorded it."""
    found: list[np.ndarray | None] = []
    given = iter(inputs)
    for leaf in leaves:
        if not leaf.sources and leaf.box.class_name == "InputLayer":
            array = next(given, None)
        elif leaf.key in values:
            array = next(iter(tree.flatten(values[leaf.key])), None)
        else:  # an input of a nested model
            array = found[leaf.sources[0][0]] if leaf.sources else None
        is_numeric = isinstance(array, np.ndarray) and array.dtype.kind not in "OSUc"
        found.append(array.astype(np.float32) if array is not None and is_numeric else None)
    return found


def _live(
    leaves: Sequence[Leaf], recorded: Sequence[np.ndarray | None]
) -> tuple[list[Live | None], str]:
    """How the page computes each layer, where it can, and why it does not compute all of them."""
    found: list[Live | None] = []
    reasons: list[str] = []
    count = 0
    for leaf, array in zip(leaves, recorded, strict=True):
        try:
            given = [recorded[source] for source, _ in leaf.sources]
            shapes = [one.shape[1:] for one in given if one is not None]
            if array is None or len(shapes) < len(given) or len(leaf.box.outputs) != 1:
                raise NotLive("it has several outputs, or some that were not recorded")
            live = live_of(leaf.box.operation, shapes, array.shape[1:])
            found.append(live | {"result": list(array.shape[1:])})
            count += sum(weight.size for weight in live.get("weights", {}).values())
        except NotLive as reason:
            found.append(None)
            reasons.append(f"{cut_text(leaf.key)}: {cut_text(str(reason))}.")
    if not reasons and count > _LIVE_WEIGHTS:
        reasons.append(f"The model has {count:,} weights, more than {_LIVE_WEIGHTS:,}.")
    return found, reasons[0] if reasons else ""


def _costs(model: Model) -> dict[str, Cost]:
    try:
        return costs(model)
    except ValueError:  # the shapes of its inputs are not known
        return {}


def _box(
    leaf: Leaf,
    kept: Kept | None,
    arrays: Arrays,
    live: Live | None,
    measured: Mapping[str, Cost],
    keeps_weights: bool,
) -> dict[str, Any]:
    box = leaf.box
    cost = measured.get(leaf.key)
    found: dict[str, Any] = {
        "name": cut_text(box.name),
        "key": cut_text(leaf.key),
        "class": box.class_name,
        "kind": kind_of(box.class_name),
        "activation": box.activation,
        "shape": None if not box.outputs else list(box.outputs[0][0]),
        "parameters": box.parameters,
        "trainable": box.trainable,
        "call": list(box.call),
        "sources": [source for source, _ in leaf.sources],
        "cost": None if cost is None else [cost.flops, cost.bytes, round(cost.microseconds, 1)],
    }
    if kept is not None:
        found["values"] = arrays.add(kept.values) | {"step": kept.step}
        found["content"] = content_of(kept.values.shape[1:], not leaf.sources)
    if live is not None:
        weights = live.get("weights", {}) if keeps_weights else {}
        found["live"] = {name: value for name, value in live.items() if name != "weights"}
        found["live"]["weights"] = {n: arrays.add(w, exact=True) for n, w in weights.items()}
    return found


def _size(
    box: Box, numbers: Mapping[int, int], boxes: Sequence[Mapping[str, Any]]
) -> tuple[float, float]:
    title = f"{box.name} ({box.class_name})"
    number = numbers.get(id(box))
    content = None if number is None else boxes[number].get("content")
    if content is None:
        return min(6.4 * len(title), 220.0) + 12.0, 26.0
    return card_size(content, title)


def _html(page: Mapping[str, Any], arrays: Arrays) -> str:
    folder = files("nkeras.inspect") / "page"

    def read(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    data = json.dumps(_plain(page), allow_nan=False, separators=(",", ":"))
    parts = {
        "TITLE": escape(f"{page['name']} ({page['class']})"),
        "STYLE": read("page.css"),
        "DATA": data.replace("<", "\\u003c"),  # no text may end the element
        "ARRAYS": "\n".join(
            f'<script type="text/plain" id="a{number}">{text}</script>'
            for number, text in enumerate(arrays.texts)
        ),
        "SCRIPT": "\n".join(read(f"{name}.js") for name in _SCRIPTS),
    }
    return re.sub("%([A-Z]+)%", lambda found: parts[found[1]], read("page.html"))


def _plain(value: Any) -> Any:
    """JSON has no infinities and no halves of characters."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if is_a(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
