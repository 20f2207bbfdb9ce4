"""The loss of a compiled model: one loss for each output, their weights and their sum."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nkeras import losses, metrics
from nkeras.core import tape, tree
from nkeras.core.errors import short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LossesLike, LossLike, LossWeights, Structure
from nkeras.training.outputs import (
    flatten_like,
    kind_of_classes,
    name_of,
    names_of,
    weights_like,
)
from nkeras.training.targets import check_targets, is_checked

if TYPE_CHECKING:
    from nkeras.metrics import Metric


def get_loss(identifier: LossLike, y_true: Structure, y_pred: Structure) -> Structure:
    """A Loss from a name, function, config or Loss; `"crossentropy"` is chosen by the shapes."""
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        found = losses.get(f"{kind_of_classes(y_true, y_pred)}_crossentropy")
    else:
        found = losses.get(identifier)
    if isinstance(found, losses.Loss):
        return found
    name = identifier if isinstance(identifier, str) else name_of(found)
    return losses.LossFunctionWrapper(found, name=name)


class _Part(NamedTuple):
    output: int  # index of the output in flat order
    loss: Callable[..., Tensor]
    weight: float | None
    name: str


class CompileLoss:
    """The weighted sum of the losses of all outputs.

    Args:
        loss: name, function or Loss for all outputs, or a list, dict or structure of them.
        loss_weights: None, a number, or numbers in the structure of `loss`.
        output_names: the model's names of its outputs.

    Raises:
        ValueError: `loss_weights` is something else.
    """

    def __init__(
        self,
        loss: LossesLike,
        loss_weights: LossWeights = None,
        output_names: list[str] | None = None,
    ) -> None:
        if loss_weights is not None and not isinstance(
            loss_weights, (list, tuple, dict, int, float)
        ):
            raise ValueError(
                "compile(): argument `loss_weights` must be a number (one output) or a list, tuple "
                f"or dict (several outputs). Received: loss_weights={short(loss_weights)}"
            )
        self.name = "compile_loss"
        self.output_names = output_names
        self.metrics: list[Metric] = []
        self.built = False
        self._loss = loss
        self._loss_weights = loss_weights
        self._parts: list[_Part] = []
        self._checked: list[_Part] = []  # whose targets can be checked
        self._outputs: Structure = None  # the structure of the outputs

    def build(self, y_true: Structure, y_pred: Structure) -> None:
        """Find the loss of each output.

        Raises:
            ValueError, KeyError: the losses do not fit the outputs.
        """
        loss, weights = self._by_position(y_pred)
        _check_weights(loss, weights)
        names = names_of(y_pred, self.output_names)
        placed = list(_spread(loss, weights, y_pred, 0, ()))
        targets = self._targets(y_true, y_pred, [output for output, *_ in placed])
        outputs = tree.flatten(y_pred)
        for output, identifier, weight, path in placed:
            found = get_loss(identifier, targets[output], outputs[output])
            name = _part_name(path, names[output], found)
            self._parts.append(_Part(output, found, weight, name))
        self._checked = [part for part in self._parts if is_checked(part.loss)]
        self._outputs = tree.map_structure(lambda _: None, y_pred)
        self.check_targets(y_true)
        if len(self._parts) > 1:
            self.metrics = [metrics.Mean(name=f"{part.name}_loss") for part in self._parts]
        self.built = True

    def check_targets(self, y_true: Structure) -> None:
        """Refuse or warn of targets that their loss cannot mean, once the losses are known."""
        if self._checked:
            wanted = [part.output for part in self._parts]
            targets = self._targets(y_true, self._outputs, wanted)
            for part in self._checked:
                check_targets(part.loss, targets[part.output], part.name)

    def _by_position(self, y_pred: Structure) -> tuple[Structure, Structure]:
        """Losses given by name in the order of outputs that are no dict."""
        loss, weights, names = self._loss, self._loss_weights, self.output_names
        if isinstance(loss, (list, tuple)) and isinstance(weights, dict):
            return loss, _in_order(weights, names_of(y_pred, names))
        if not isinstance(loss, dict) or isinstance(y_pred, dict):
            return loss, weights
        if not names and len(loss) == 1 and not tree.is_nested(y_pred):
            names = list(loss)
        if not names or set(names) != set(loss):
            raise ValueError(
                f"compile(): argument `loss` is a dict with the keys {short(list(loss))}, but the "
                f"model's outputs are named {short(names)}."
            )
        if isinstance(weights, dict):
            weights = _in_order(weights, names)
        return [loss[name] for name in names], weights

    def _targets(self, y_true: Structure, y_pred: Structure, wanted: list[int]) -> list[Structure]:
        if y_true is None:
            raise ValueError(
                "The model was compiled with a loss, which needs targets: argument `y` is None, or "
                "the batches have no targets."
            )
        targets = flatten_like(y_true, y_pred, self.output_names, "y_true", wanted)
        missing = [i for i in wanted if targets[i] is None]
        if missing:
            names = names_of(y_pred, self.output_names)
            raise ValueError(
                "Argument `y` misses the targets of outputs that have a loss: "
                f"{short([names[i] or i for i in missing])}. The model's outputs are named "
                f"{short(names)}."
            )
        return targets

    def __call__(
        self, y_true: Structure, y_pred: Structure, sample_weight: Structure = None
    ) -> Structure:
        """The total loss, a scalar tensor; the parts are kept in `metrics`."""
        if not self.built:
            self.build(y_true, y_pred)
        outputs = tree.flatten(y_pred)
        targets = self._targets(y_true, y_pred, [part.output for part in self._parts])
        weights = weights_like(sample_weight, y_pred, self.output_names)
        total = None
        for position, part in enumerate(self._parts):
            i = part.output
            value = part.loss(targets[i], outputs[i], weights[i])
            if self.metrics:
                with tape.paused():
                    self.metrics[position].update_state(value, sample_weight=outputs[i].shape[0])
            if part.weight is not None:
                value = value * part.weight
            total = value if total is None else total + value
        return total


def _part_name(path: tuple[Hashable, ...], output_name: str | None, loss: losses.Loss) -> str:
    if path and not isinstance(path[-1], int):
        return "/".join(map(str, path))
    return "/".join([*map(str, path[:-1]), output_name or loss.name])


def _in_order(weights: Mapping[Any, float], names: Iterable[str | None]) -> list[float]:
    """Weights given by name, in the order of the outputs."""
    if set(weights) != set(names):
        raise ValueError(
            f"compile(): argument `loss_weights` has the keys {short(list(weights))}, but the "
            f"model's outputs are named {short(names)}."
        )
    return [weights[name] for name in names]


def _check_weights(loss: LossesLike, weights: LossWeights) -> None:
    if weights is None:
        return
    if len(tree.flatten(loss)) != len(tree.flatten(weights)):
        raise ValueError(
            f"`loss_weights` must match the number of losses, got {len(tree.flatten(loss))} losses "
            f"and {len(tree.flatten(weights))} weights."
        )


def _spread(
    loss: Structure, weights: Structure, y_pred: Structure, start: int, path: tuple[Hashable, ...]
) -> Iterator[tuple[int, Structure, Structure, tuple[Structure, ...]]]:
    """(output, loss, weight, path) for each output below `y_pred` that has a loss."""
    leaves = tree.flatten_with_path(y_pred)
    if loss is None:
        return
    if not tree.is_nested(loss):
        weight = tree.flatten(weights)[0]
        for i, (inner, _) in enumerate(leaves):
            yield start + i, loss, weight, path + inner
    elif isinstance(loss, dict):
        keys = list(loss)
        for key in keys:
            if not isinstance(y_pred, dict) or key not in y_pred:
                named = short(list(y_pred)) if isinstance(y_pred, dict) else "no names"
                raise KeyError(
                    f"The path {short((*path, key))} in the `loss` argument can't be found in the "
                    f"model's output, which has {named}."
                )
            part = _weight_at(weights, key, sorted(keys).index(key))
            before = next(i for i, (inner, _) in enumerate(leaves) if inner[0] == key)
            yield from _spread(loss[key], part, y_pred[key], start + before, (*path, key))
    elif len(loss) == len(leaves) and not any(tree.is_nested(element) for element in loss):
        for i, (inner, _) in enumerate(leaves):
            if loss[i] is not None:
                yield start + i, loss[i], _weight_at(weights, i, i), path + inner
    elif isinstance(y_pred, (list, tuple)) and len(loss) == len(y_pred):
        before = 0
        for i, element in enumerate(loss):
            yield from _spread(
                element, _weight_at(weights, i, i), y_pred[i], start + before, (*path, i)
            )
            before += len(tree.flatten(y_pred[i]))
    else:
        raise ValueError(
            f"compile(): argument `loss` has {len(loss)} entries, but the model has {len(leaves)} "
            f"outputs. Received: loss={short(loss)}"
        )


def _weight_at(weights: Structure, key: Hashable, position: int) -> Structure:
    if isinstance(weights, dict):
        if key not in weights:
            raise ValueError(
                f"compile(): argument `loss_weights` has the keys {short(list(weights))}, but no "
                f"weight of the loss {short(key)}."
            )
        return weights[key]
    return weights[position] if isinstance(weights, (list, tuple)) else weights
