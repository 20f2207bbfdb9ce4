"""What a page of a model knows: boxes with recorded values, layouts, results of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nkeras.core import tree
from nkeras.core.errors import cut_text, short
from nkeras.core.typing import Structure
from nkeras.inspect.activations import activations, gradients
from nkeras.inspect.attention import scores_of
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

_DIRECTIONS: tuple[Direction, ...] = ("TB", "LR")
_MOST_SAMPLES = 64
_LIVE_WEIGHTS = 4_000_000  # numbers, above which the page computes nothing itself
_EXACT = 1_500_000  # numbers, up to which values are kept as they are
_SMALL = 128  # numbers of a sample that are never rounded, as those of outputs are not
_BYTES_OF_FLOAT = 4


@dataclass
class Moment:
    """What the layers gave at one moment, in the order of the leaves.

    Attributes:
        title: such as `"epoch 3"`; empty for the only one.
        values: arrays with a batch axis; None where nobody recorded one.
        scores: of layers of attention, by the number of the leaf.
        norms: of the loss' gradients with the outputs, by the number of the leaf.
    """

    title: str
    values: list[np.ndarray | None]
    scores: dict[int, np.ndarray]
    norms: dict[int, float]


@dataclass
class Watched:
    """A model and samples, and what its layers gave for them.

    Attributes:
        model: a built model.
        samples: inputs with a batch axis.
        labels: names of the classes, or None.
        targets: indices of the samples' true classes, or None.
        megabytes: about how much the values take in a page.
        moments: recorded by `record`.
        history: results of training by name, a list of numbers each.
    """

    model: Model
    samples: Structure
    labels: Sequence[str] | None = None
    targets: Sequence[int] | np.ndarray | None = None
    megabytes: float = 24.0
    moments: list[Moment] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look at the model, and check the samples.

        Raises:
            ValueError: the model is not built, or the samples are too many or not alike.
        """
        self.count = _count(self.samples)
        self.outline = outline(self.model)
        self.leaves, self.outputs = leaves_of(self.outline)

    def record(self, title: str = "") -> None:
        """Run the model and keep what its layers give.

        Raises:
            ValueError: the samples do not fit the model.
        """
        values = self.values_of(self.samples)
        scores = scores_of(self.leaves, values)
        self.moments.append(Moment(title, values, scores, self._norms()))

    def _norms(self) -> dict[int, float]:
        """Norms of gradients, where the loss takes the targets as they are."""
        if self.targets is None or not self.model.compiled:
            return {}
        try:
            found = gradients(self.model, self.samples, np.asarray(self.targets)).outputs
        except (ValueError, TypeError):  # such as a loss that wants vectors instead of indices
            return {}
        by_key = {
            key: float(np.linalg.norm(tree.flatten(gradient)[0].astype(np.float64)))
            for key, gradient in found.items()
            if tree.flatten(gradient) and tree.flatten(gradient)[0] is not None
        }
        keys = {leaf.key: number for number, leaf in enumerate(self.leaves)}
        return {keys[key]: norm for key, norm in by_key.items() if key in keys}

    def values_of(self, samples: Structure) -> list[np.ndarray | None]:
        """What the leaves give for samples."""
        given = [np.asarray(leaf) for leaf in tree.flatten(samples)]
        return _recorded(self.leaves, activations(self.model, samples), given)

    def page(self, is_served: bool = False) -> tuple[dict[str, Any], Arrays]:
        """What the page knows, and its arrays.

        Args:
            is_served: whether a server answers the page.
        """
        last = self.moments[-1].values
        sizes = [int(np.prod(array.shape[1:])) for array in last if array is not None]
        budget = int(self.megabytes * 1e6 / self.count / len(self.moments))
        total = sum(sizes) * self.count * len(self.moments)
        is_exact = total <= _EXACT and sum(sizes) * _BYTES_OF_FLOAT <= budget
        limit = limit_of(sizes, budget // _BYTES_OF_FLOAT if is_exact else budget)
        arrays = Arrays(rounds=not is_exact)
        live, reason = _live(self.leaves, last)
        measured = _costs(self.model)
        outputs = {number for number, _ in self.outputs}
        boxes = [_facts(leaf, measured) for leaf in self.leaves]
        for number, (box, leaf, one) in enumerate(zip(boxes, self.leaves, live, strict=True)):
            if last[number] is not None:
                kept = [thinned(values, limit) for values in self._all(number)]
                exact = number in outputs or kept[-1].values[0].size <= _SMALL
                box["moments"] = [_described(one, arrays, exact) for one in kept]
                box["norms"] = [moment.norms.get(number) for moment in self.moments]
                box["content"] = content_of(kept[-1].values.shape[1:], not leaf.sources)
            if number in self.moments[-1].scores:
                box["scores"] = arrays.add(self.moments[-1].scores[number])
            if one is not None:
                box["live"] = {name: value for name, value in one.items() if name != "weights"}
                weights = {} if reason else one.get("weights", {})
                box["live"]["weights"] = {n: arrays.add(w, exact=True) for n, w in weights.items()}
        page = {
            "name": self.model.name,
            "class": type(self.model).__name__,
            "backend": _backend(),
            "boxes": boxes,
            "layouts": self._layouts(boxes),
            "inputs": [number for number, leaf in enumerate(self.leaves) if not leaf.sources],
            "outputs": self.outputs,
            "samples": self.count,
            "labels": None if self.labels is None else [cut_text(str(one)) for one in self.labels],
            "targets": None if self.targets is None else [int(target) for target in self.targets],
            "moments": [cut_text(moment.title) for moment in self.moments],
            "history": self.history,
            "isLive": not reason,
            "reason": reason,
            "isServed": is_served,
        }
        return page, arrays

    def _all(self, number: int) -> list[np.ndarray]:
        """What one leaf gave at each moment."""
        found = [moment.values[number] for moment in self.moments]
        return [values for values in found if values is not None]

    def _layouts(self, boxes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        by_path = {leaf.path: number for number, leaf in enumerate(self.leaves)}
        numbers = {id(leaf.box): number for number, leaf in enumerate(self.leaves)}

        def size(box: Box) -> Point:
            return _size(box, numbers, boxes)

        placed = [place(self.outline, size, direction) for direction in _DIRECTIONS]
        return [_layout(one, by_path) for one in placed]


def _described(kept: Kept, arrays: Arrays, exact: bool) -> dict[str, Any]:
    return arrays.add(kept.values, exact) | {"step": kept.step}


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


def _facts(leaf: Leaf, measured: Mapping[str, Cost]) -> dict[str, Any]:
    box, cost = leaf.box, measured.get(leaf.key)
    return {
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


def _size(
    box: Box, numbers: Mapping[int, int], boxes: Sequence[Mapping[str, Any]]
) -> tuple[float, float]:
    title = f"{box.name} ({box.class_name})"
    number = numbers.get(id(box))
    content = None if number is None else boxes[number].get("content")
    if content is None:
        return min(6.4 * len(title), 220.0) + 12.0, 26.0
    return card_size(content, title)
