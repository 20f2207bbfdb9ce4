"""The metrics of a compiled model, for each of its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from nkeras import metrics as metrics_module
from nkeras.core import tree
from nkeras.core.errors import short
from nkeras.core.typing import MetricLike, MetricsLike, Structure
from nkeras.training.outputs import (
    flatten_like,
    kind_of_classes,
    name_of,
    names_of,
    weights_like,
)

if TYPE_CHECKING:
    from nkeras.core.variable import Variable
    from nkeras.metrics import Metric

_ACCURACIES = {
    "binary": metrics_module.BinaryAccuracy,
    "categorical": metrics_module.CategoricalAccuracy,
    "sparse_categorical": metrics_module.SparseCategoricalAccuracy,
}


def get_metric(identifier: MetricLike, y_true: Structure, y_pred: Structure) -> Structure:
    """A Metric from a name, function, config or Metric; `"accuracy"` and `"crossentropy"` by shape.

    Raises:
        ValueError: there is none of that name.
    """
    if identifier is None:
        raise ValueError("compile(): expected a metric, received None.")
    lowered = identifier.lower() if isinstance(identifier, str) else None
    if lowered in ("accuracy", "acc"):
        found: Structure = _ACCURACIES[kind_of_classes(y_true, y_pred)](name=str(identifier))
    elif lowered in ("crossentropy", "ce"):
        found = metrics_module.get(f"{kind_of_classes(y_true, y_pred)}_crossentropy")
    else:
        found = metrics_module.get(identifier)
    name = identifier if isinstance(identifier, str) else name_of(found)
    if not isinstance(found, metrics_module.Metric):
        found = metrics_module.MeanMetricWrapper(found, name=name)
    found.name = name
    return found


class _OutputMetric(NamedTuple):
    output: int  # index of the output in flat order
    metric: Metric
    prefix: str | None
    weighted: bool


class CompileMetrics:
    """All metrics of `compile`, as one metric whose result is a dict.

    Args:
        metrics: list or dict of metrics that do not see sample weights.
        weighted_metrics: list or dict of metrics that do.
        output_names: the model's names of its outputs.

    Raises:
        ValueError: one of them is something else.
    """

    def __init__(
        self,
        metrics: MetricsLike,
        weighted_metrics: MetricsLike,
        output_names: list[str] | None = None,
    ) -> None:
        for argument, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if value and not isinstance(value, (list, tuple, dict)):
                raise ValueError(
                    f"compile(): argument `{argument}` must be a list, tuple, or dict. "
                    f"Received: {argument}={short(value)} (of type {type(value).__name__})"
                )
        self.name = "compile_metrics"
        self.output_names = output_names
        self.built = False
        self._given = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        self._parts: list[_OutputMetric] = []

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, once they are known."""
        return [part.metric for part in self._parts]

    @property
    def variables(self) -> list[Variable]:
        """Their variables."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def build(self, y_true: Structure, y_pred: Structure) -> None:
        """Find the metrics of each output."""
        names = names_of(y_pred, self.output_names)
        outputs = tree.flatten(y_pred)
        targets = flatten_like(
            y_true, y_pred, self.output_names, "y_true", list(range(len(outputs)))
        )
        for argument, given in self._given.items():
            if not given:
                continue
            for output, identifier in self._spread(argument, given, y_pred, names):
                try:
                    metric = get_metric(identifier, targets[output], outputs[output])
                except ValueError as error:
                    raise ValueError(f"{error}\nReceived: {argument}={short(given)}") from error
                prefix = names[output] if len(outputs) > 1 else None
                weighted = argument == "weighted_metrics"
                self._parts.append(_OutputMetric(output, metric, prefix, weighted))
        self.built = True

    def _spread(
        self, argument: str, given: Structure, y_pred: Structure, names: list[str | None]
    ) -> Iterator[tuple[int, Structure]]:
        """(output, metric) for all metrics, in the order of the outputs."""
        outputs = len(names)
        if outputs == 1:
            yield from (
                (0, identifier) for identifier in tree.flatten(given) if identifier is not None
            )
            return
        model_names = self.output_names if self.output_names is not None else names
        by_output: dict[int, Structure]
        if isinstance(given, (list, tuple)) and len(given) == outputs:
            by_output = dict(enumerate(given))
        elif isinstance(given, dict) and set(given) <= set(names):
            by_output = {names.index(key): given[key] for key in names if key in given}
        elif (
            isinstance(given, dict)
            and len(model_names) == outputs
            and set(given) <= set(model_names)
        ):
            by_output = {model_names.index(key): value for key, value in given.items()}
        else:
            by_output = self._nested(argument, given, y_pred)
        for output in sorted(by_output):
            yield from (
                (output, identifier)
                for identifier in tree.flatten(by_output[output])
                if identifier is not None
            )

    def _nested(self, argument: str, given: Structure, y_pred: Structure) -> dict[int, Structure]:
        """Metrics in the structure of nested outputs."""
        found: dict[int, Structure] = {}
        for output, (path, _) in enumerate(tree.flatten_with_path(y_pred)):
            metric = given
            try:
                for key in path:
                    metric = metric[key]
            except (KeyError, IndexError, TypeError):
                raise ValueError(
                    f"Invalid `{argument}`: it should be a dict or a list that matches the model's "
                    f"outputs {short(self.output_names or [], 60)} or have their structure "
                    f"{short(tree.map_structure(lambda _: 'X', y_pred), 60)}. Received: "
                    f"{argument}={short(given)}"
                ) from None
            found[output] = metric
        if isinstance(given, dict) and isinstance(y_pred, dict):
            unknown = [key for key in given if key not in y_pred]
            if unknown:
                raise ValueError(
                    f"compile(): argument `{argument}` has the keys {short(unknown)}, but the "
                    f"model's outputs are named {short(list(y_pred))}."
                )
        return found

    def update_state(
        self, y_true: Structure, y_pred: Structure, sample_weight: Structure = None
    ) -> None:
        """Take in a batch."""
        if not self.built:
            self.build(y_true, y_pred)
        outputs = tree.flatten(y_pred)
        wanted = sorted({part.output for part in self._parts})
        targets = flatten_like(y_true, y_pred, self.output_names, "y_true", wanted)
        weights = weights_like(sample_weight, y_pred, self.output_names)
        for output, metric, _, weighted in self._parts:
            if weighted:
                metric.update_state(targets[output], outputs[output], weights[output])
            else:
                metric.update_state(targets[output], outputs[output])

    def reset_state(self) -> None:
        """Begin anew."""
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Structure]:
        """The results by name; a name that comes twice gets `weighted_` before or `_1` behind it.

        Raises:
            ValueError: no batch has been seen yet.
        """
        if not self.built:
            raise ValueError("Cannot get result() since the metric has not yet been built.")
        results: dict[str, Structure] = {}
        repeats: dict[str, int] = {}
        for _, metric, prefix, weighted in self._parts:
            name = f"{prefix}_{metric.name}" if prefix else metric.name
            if weighted and name in repeats:
                name = f"weighted_{metric.name}"
                name = f"{prefix}_{name}" if prefix else name
            count = repeats.get(name, 0)
            repeats[name] = count + 1
            results[f"{name}_{count}" if count else name] = metric.result()
        return results
