"""What a page of a model knows: boxes with recorded values, layouts, results of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nkeras.core import tree
from nkeras.core.errors import cut_text, short
from nkeras.core.typing import Structure
from nkeras.inspect.activations import activations, gradients
from nkeras.inspect.arrays import Arrays
from nkeras.inspect.content import card_size, content_of
from nkeras.inspect.costs import Cost, costs
from nkeras.inspect.labels import kind_of
from nkeras.inspect.layered import Point
from nkeras.inspect.leaves import Leaf, leaves_of
from nkeras.inspect.moments import Moment, by_leaf, moment_of, numeric, room_for
from nkeras.inspect.outline import Box, outline
from nkeras.inspect.placing import Direction, Placement, Rectangle, place
from nkeras.inspect.placing import Path as BoxPath
from nkeras.inspect.recording import fitted, range_of

if TYPE_CHECKING:
    from nkeras.models.model import Model

_DIRECTIONS: tuple[Direction, ...] = ("TB", "LR")
_MOST_SAMPLES = 64
_AT_ONCE = 16_000_000  # numbers that layers give before a part of the samples is done
_MOST_BESIDE = 0.5  # of the room for values, for weights and scores of earlier moments


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

        Large models get a few samples at a time, so that not all values are in memory at once.

        Raises:
            ValueError: the samples do not fit the model.
        """
        sizes = self._sizes
        room = room_for(sizes, self.count, len(self.moments) + 1, self.megabytes * 1e6)
        moment = moment_of(
            self.model,
            self.samples,
            self.leaves,
            {number for number, _ in self.outputs},
            room,
            self._at_once,
            title,
        )
        moment.norms = self._norms()
        self.moments.append(moment)
        earlier = self.moments[:-1]
        if sum(one.bytes_beside for one in earlier) > _MOST_BESIDE * self.megabytes * 1e6:
            for one in earlier:
                one.forget_weights()
                one.scores = {}

    @property
    def _at_once(self) -> int:
        """How many samples the model gets: all of them, where it takes no other number."""
        inputs = [leaf.box.outputs for leaf in self.leaves if not leaf.sources]
        if not all(outputs and outputs[0][0][:1] == (None,) for outputs in inputs):
            return self.count
        return min(max(_AT_ONCE // max(sum(self._sizes), 1), 1), self.count)

    @cached_property
    def _sizes(self) -> list[int]:
        """How many numbers each leaf gives for a sample; where nobody says, the model runs."""
        shapes = [
            leaf.box.outputs[0][0][1:] if leaf.box.outputs else (None,) for leaf in self.leaves
        ]
        if any(None in shape for shape in shapes):
            found = self.values_of(self.samples)
            shapes = [() if array is None else array.shape[1:] for array in found]
        return [math.prod(size or 0 for size in shape) for shape in shapes]

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
        found = {
            key: numeric(next(iter(tree.flatten(value)), None))
            for key, value in activations(self.model, samples).items()
        }
        return by_leaf(self.leaves, found, given)

    def page(self, is_served: bool = False) -> tuple[dict[str, Any], Arrays]:
        """What the page knows, and its arrays.

        Args:
            is_served: whether a server answers the page.
        """
        arrays = Arrays()
        last = self.moments[-1]
        measured = _costs(self.model)
        boxes = [_facts(leaf, measured) for leaf in self.leaves]
        for number, (box, leaf) in enumerate(zip(boxes, self.leaves, strict=True)):
            kept = last.values[number]
            if kept is not None:
                box["content"] = content_of(kept.values.shape[1:], not leaf.sources)
            if not leaf.sources and kept is not None:
                box["range"] = range_of(kept)
            live = last.live[number]
            if live is not None:
                box["live"] = {name: value for name, value in live.items() if name != "weights"}
            box["moments"] = []
        for number, moment in enumerate(self.moments):
            for box, facts in zip(boxes, self.described(moment, number, arrays), strict=True):
                box["moments"].append(facts)
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
            "isLive": not last.reason,
            "reason": last.reason,
            "isServed": is_served,
        }
        return page, arrays

    def described(self, moment: Moment, number: int, arrays: Arrays) -> list[dict[str, Any]]:
        """What a page knows of each layer at a moment, and its arrays."""
        found: list[dict[str, Any]] = []
        for leaf, kept in enumerate(moment.values):
            facts: dict[str, Any] = {"norm": moment.norms.get(leaf)}
            last = self.moments[-1].values[leaf]
            if kept is not None and last is not None:
                facts["values"] = arrays.place(fitted(kept, last), number)
            if leaf in moment.scores:
                facts["scores"] = arrays.add(moment.scores[leaf])
            facts["weights"] = {name: arrays.add(w) for name, w in moment.weights(leaf).items()}
            facts["spreads"] = [spread._asdict() for spread in moment.spreads[leaf]]
            found.append({k: value for k, value in facts.items() if value not in (None, {}, [])})
        return found

    def _layouts(self, boxes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        by_path = {leaf.path: number for number, leaf in enumerate(self.leaves)}
        numbers = {id(leaf.box): number for number, leaf in enumerate(self.leaves)}

        def size(box: Box) -> Point:
            return _size(box, numbers, boxes)

        placed = [place(self.outline, size, direction) for direction in _DIRECTIONS]
        return [_layout(one, by_path) for one in placed]


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
