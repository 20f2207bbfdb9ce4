"""One moment of a model: what its layers give for some samples, and what their weights are."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nkeras.core import tree
from nkeras.core.errors import cut_text
from nkeras.core.typing import Structure
from nkeras.inspect.activations import Recorder, tensors_of
from nkeras.inspect.attention import asked_for, scores_of
from nkeras.inspect.leaves import Leaf
from nkeras.inspect.live import Live, NotLive, live_of
from nkeras.inspect.recording import Kept, joined, limit_of, rounded, thinned

if TYPE_CHECKING:
    from nkeras.models.model import Model

Values = list[np.ndarray | None]

_EXACT = 1_500_000  # numbers, up to which values are kept as they are
_SMALL = 128  # numbers of a sample that are never rounded, as those of outputs are not
_BYTES_OF_FLOAT = 4
_LIVE_WEIGHTS = 4_000_000  # numbers, above which the page computes nothing itself
_COUNTED = 50_000  # numbers of a weight that are counted
_BARS = 24
_MOST_SPREADS = 40  # of a layer


class Room(NamedTuple):
    """How much is kept of each layer.

    Attributes:
        limit: about how many numbers of a sample.
        rounds: whether they are rounded.
    """

    limit: int
    rounds: bool


class Spread(NamedTuple):
    """What a weight is like.

    Attributes:
        name: its path without the layer's name.
        shape: its shape.
        norm: the root of the sum of squares.
        low: the least finite number.
        high: the largest finite one.
        counts: of numbers in equal parts between them.
    """

    name: str
    shape: list[int]
    norm: float
    low: float
    high: float
    counts: list[int]


@dataclass
class Moment:
    """What a model was like at one moment; lists are in the order of the leaves.

    Attributes:
        title: such as `"epoch 3"`; empty for the only one.
        values: what the layers gave; None where nobody recorded it.
        scores: of layers of attention, by the number of the leaf.
        norms: of the loss' gradients with the outputs, by the number of the leaf.
        live: how a page computes the layers, with weights; None where it cannot.
        reason: why it does not compute all of them; empty if it does.
        spreads: of the layers' weights.
    """

    title: str
    values: list[Kept | None]
    scores: dict[int, np.ndarray]
    norms: dict[int, float]
    live: list[Live | None]
    reason: str
    spreads: list[list[Spread]]

    def weights(self, leaf: int) -> dict[str, np.ndarray]:
        """With which the page computes a layer; none where it cannot."""
        return (self.live[leaf] or {}).get("weights", {})

    def forget_weights(self) -> None:
        """Keep how the layers are computed, and no weights."""
        self.live = [None if one is None else one | {"weights": {}} for one in self.live]

    @property
    def bytes_beside(self) -> int:
        """What weights and scores take."""
        weights = [one for leaf in range(len(self.live)) for one in self.weights(leaf).values()]
        return sum(array.nbytes for array in (*weights, *self.scores.values()))


def room_for(sizes: Sequence[int], count: int, moments: int, budget: float) -> Room:
    """How much of each layer there is room for.

    Args:
        sizes: how many numbers each layer gives for a sample.
        count: of samples.
        moments: how many share the room.
        budget: bytes.
    """
    share = int(budget / count / moments)
    is_exact = sum(sizes) * count * moments <= _EXACT and sum(sizes) * _BYTES_OF_FLOAT <= share
    return Room(limit_of(sizes, share // _BYTES_OF_FLOAT if is_exact else share), not is_exact)


def moment_of(
    model: Model,
    samples: Structure,
    leaves: Sequence[Leaf],
    outputs: Container[int],
    room: Room,
    at_once: int,
    title: str,
) -> Moment:
    """Run a model and keep what its layers give; norms of gradients are left out.

    Args:
        model: a built model.
        samples: inputs with a batch axis.
        leaves: of the model.
        outputs: the numbers of those that give its outputs, which are never rounded.
        room: how much is kept of each.
        at_once: how many samples the model gets.
        title: of the moment.
    """
    count = max(len(one) for one in tree.flatten(samples) if np.ndim(one))
    parts = [
        _part(model, _some(samples, begin, at_once), leaves, room)
        for begin in range(0, count, at_once)
    ]
    values: list[Kept | None] = []
    for number, found in enumerate(zip(*(values for values, _ in parts), strict=True)):
        known = [kept for kept in found if kept is not None]
        kept = joined(known) if len(known) == len(found) else None
        is_small = kept is not None and kept.values[0].size <= _SMALL
        is_exact = not room.rounds or number in outputs or is_small
        values.append(kept if kept is None or is_exact else rounded(kept))
    scores = {number: np.concatenate([part[number] for _, part in parts]) for number in parts[0][1]}
    live, reason = _live(leaves, values)
    spreads = [_spreads(leaf) for leaf in leaves]
    moment = Moment(title, values, scores, {}, live, reason, spreads)
    if reason:
        moment.forget_weights()
    return moment


def _some(samples: Structure, begin: int, count: int) -> Structure:
    def part(one: Any) -> Any:
        return one[begin : begin + count] if np.ndim(one) else one

    return tree.map_structure(part, samples)


def _part(
    model: Model, samples: Structure, leaves: Sequence[Leaf], room: Room
) -> tuple[list[Kept | None], dict[int, np.ndarray]]:
    """What is kept of the layers' outputs for a part of the samples, and scores of attention."""
    asked = asked_for(leaves)
    keeper = _Keeper(model, room.limit, {leaves[number].key for number in asked})
    with keeper.observing():
        model(tensors_of(samples), training=False)
    given = [np.asarray(leaf) for leaf in tree.flatten(samples)]
    kept = [
        thinned(array, room.limit) if isinstance(array, np.ndarray) else array
        for array in by_leaf(leaves, keeper.kept, given)
    ]
    if not asked:
        return kept, {}
    return kept, scores_of(leaves, by_leaf(leaves, keeper.whole, given))


class _Keeper(Recorder):
    """Keeps little of what layers give, at once."""

    def __init__(self, model: Model, limit: int, whole: set[str]) -> None:
        super().__init__(model, lambda name: True)
        self.kept: dict[str, Kept] = {}
        self.whole: dict[str, np.ndarray] = {}
        self._limit = limit
        self._wanted_whole = whole

    def keep(self, name: str, outputs: Structure) -> None:
        """A layer or an op has given its outputs."""
        array = numeric(next(iter(tree.flatten(outputs)), None))
        if array is None:
            return
        self.kept[name] = thinned(array, self._limit)
        if name in self._wanted_whole:
            self.whole[name] = array


def numeric(value: Any) -> np.ndarray | None:
    """A tensor or an array as float32; None for texts, complex numbers and what is none."""
    array = value.numpy() if hasattr(value, "numpy") else value
    if not isinstance(array, np.ndarray) or array.dtype.kind in "OSUc":
        return None
    return np.asarray(array, np.float32)


def by_leaf(
    leaves: Sequence[Leaf], found: Mapping[str, Any], inputs: Sequence[np.ndarray]
) -> list[Any]:
    """What was found of each leaf, where an input is as it was given; None where nothing was."""
    ordered: list[Any] = []
    given = iter(inputs)
    for leaf in leaves:
        if not leaf.sources and leaf.box.class_name == "InputLayer":
            ordered.append(numeric(next(given, None)))
        elif leaf.key in found:
            ordered.append(found[leaf.key])
        else:  # an input of a nested model
            ordered.append(ordered[leaf.sources[0][0]] if leaf.sources else None)
    return ordered


def _live(leaves: Sequence[Leaf], kept: Sequence[Kept | None]) -> tuple[list[Live | None], str]:
    """How the page computes each layer, where it can, and why it does not compute all of them."""
    found: list[Live | None] = []
    reasons: list[str] = []
    count = 0
    for leaf, one in zip(leaves, kept, strict=True):
        try:
            given = [kept[source] for source, _ in leaf.sources]
            shapes = [source.shape for source in given if source is not None]
            if one is None or len(shapes) < len(given) or len(leaf.box.outputs) != 1:
                raise NotLive("it has several outputs, or some that were not recorded")
            live = live_of(leaf.box.operation, shapes, one.shape)
            found.append(live | {"result": list(one.shape)})
            count += sum(weight.size for weight in live.get("weights", {}).values())
        except NotLive as reason:
            found.append(None)
            reasons.append(f"{cut_text(leaf.key)}: {cut_text(str(reason))}.")
    if not reasons and count > _LIVE_WEIGHTS:
        reasons.append(f"The model has {count:,} weights, more than {_LIVE_WEIGHTS:,}.")
    return found, reasons[0] if reasons else ""


def _spreads(leaf: Leaf) -> list[Spread]:
    weights = getattr(leaf.box.operation, "weights", ())[:_MOST_SPREADS]
    around = f"{getattr(leaf.box.operation, 'name', '')}/"
    return [
        spread_of(weight.path.rpartition(around)[2], np.asarray(weight.numpy()))
        for weight in weights
    ]


def spread_of(name: str, weight: np.ndarray) -> Spread:
    """What a weight is like.

    Example:
        >>> spread_of("bias", np.array([0.0, 3.0, 4.0])).norm
        5.0
    """
    flat = np.asarray(weight, np.float32).ravel()
    norm = float(np.sqrt(np.dot(flat, flat)))
    finite = flat[np.isfinite(flat)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    some = finite[:: max(finite.size // _COUNTED, 1)].astype(np.float64)
    bars = np.minimum((some - low) / (high - low or 1.0) * _BARS, _BARS - 1).astype(int)
    counts = np.bincount(bars, minlength=_BARS).tolist()
    return Spread(cut_text(name), list(weight.shape), norm, low, high, counts)
