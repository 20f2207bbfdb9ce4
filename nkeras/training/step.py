"""One step of training, of evaluation and of prediction: what subclasses override."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nkeras.callbacks.callback_list import LazyLogs
from nkeras.core import observer, tree
from nkeras.core.compile_ahead import compile_ahead
from nkeras.core.errors import short, warn
from nkeras.core.stateless import StatelessScope, pairs
from nkeras.core.tape import GradientTape
from nkeras.core.tensor import Tensor, from_numpy
from nkeras.core.typing import Logs, Structure, TensorLike
from nkeras.layers import calling
from nkeras.metrics.adding import add_to
from nkeras.ops.reduction import sum as sum_
from nkeras.replay.cache import PlanCache
from nkeras.training import plans
from nkeras.training.compilation import Compilation
from nkeras.training.compile_metrics import CompileMetrics
from nkeras.training.data import to_tensors, unpack_x_y_sample_weight
from nkeras.training.outline import filled, outlined

if TYPE_CHECKING:
    from nkeras.metrics import Metric


class MetricsOfCompile:
    """What `update_state` of `model.compiled_metrics` updates.

    Args:
        metrics: those of `compile`; None where there are none.
    """

    def __init__(self, metrics: CompileMetrics | None) -> None:
        self._metrics = metrics

    def update_state(
        self, y: Structure, y_pred: Structure, sample_weight: Structure = None
    ) -> None:
        """Update the metrics of `compile` with a batch.

        Args:
            y: targets.
            y_pred: the model's outputs.
            sample_weight: weights of samples or None.
        """
        warn("`model.compiled_metrics` is deprecated. Use `model.compute_metrics(x, y, y_pred)`.")
        if self._metrics is not None:
            self._metrics.update_state(y, y_pred, sample_weight)


_MANY = 10_000  # what is larger is not looked into, see `_outline`


class Steps(Compilation):
    """The part of a model that knows what happens to one batch."""

    def train_step(self, data: Structure) -> Logs:
        """Compute the loss of a batch, its gradients, and update weights and metrics.

        Override it for training of your own kind, with `nkeras.GradientTape`. As in Keras, what it
        does beside operations on tensors, such as printing, may happen in the first steps only,
        unless `compile` is told `run_eagerly=True`.

        Args:
            data: batch of tensors: x, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

        Returns:
            Dict from name to result, such as `{"loss": ..., "accuracy": ...}`.

        Source: https://keras.io/guides/custom_train_step_in_tensorflow/
        """
        return self.compute_metrics(*self._update_weights(data))

    def test_step(self, data: Structure) -> Logs:
        """Compute the loss of a batch and update the metrics.

        Args:
            data: as in `train_step`.

        Returns:
            As `train_step`.
        """
        return self.compute_metrics(*self._evaluate_loss(data))

    def predict_step(self, data: Structure) -> Structure:
        """The model's outputs for a batch.

        Args:
            data: as in `train_step`.

        Returns:
            Tensor or structure of tensors.
        """
        x, _, _ = unpack_x_y_sample_weight(data)
        return self._forward(x, training=False)

    def _forward(self, x: Structure, training: bool) -> Structure:
        if calling.signature_of(type(self).call).has_training:
            return self(x, training=training)
        return self(x)

    def _update_weights(self, data: Structure) -> tuple[Structure, Structure, Structure, Structure]:
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self._forward(x, training=True)
            loss = self._loss_of(x, y, y_pred, sample_weight, training=True)
            scaled = loss if self.optimizer is None else self.optimizer.scale_loss(loss)
        compiled = self._compiled
        variables = None if compiled is None else compiled.variables
        if variables is None:
            variables = self.trainable_variables
        if self.optimizer is None:
            raise ValueError(
                "compile(): argument `optimizer` is None; training needs an optimizer."
            )
        if variables:
            self.optimizer.apply(tape.gradient(scaled, variables), variables)
        else:
            warn("The model does not have any trainable weights.")
        self._track_loss(loss, x)
        return x, y, y_pred, sample_weight

    def _evaluate_loss(self, data: Structure) -> tuple[Structure, Structure, Structure, Structure]:
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._forward(x, training=False)
        loss = self._loss_of(x, y, y_pred, sample_weight, training=False)
        self._track_loss(loss, x)
        return x, y, y_pred, sample_weight

    def _loss_of(
        self,
        x: Structure,
        y: Structure,
        y_pred: Structure,
        sample_weight: Structure,
        training: bool,
    ) -> Structure:
        if calling.signature_of(type(self).compute_loss).has_training:
            return self.compute_loss(x, y, y_pred, sample_weight, training=training)
        return self.compute_loss(x, y, y_pred, sample_weight)

    def _track_loss(self, loss: Tensor, x: Structure) -> None:
        first = next(leaf for leaf in tree.flatten(x) if leaf is not None)
        samples = float(first.shape[0])
        tracker = self._assert_compile_called("train_step").loss_tracker
        # As update_state(loss, sample_weight=samples), which takes four times as many operations.
        add_to((tracker.total, loss), (tracker.count, 1.0), by=samples)

    def compute_loss(
        self,
        x: Structure = None,
        y: Structure = None,
        y_pred: Structure = None,
        sample_weight: Structure = None,
        training: bool = True,
    ) -> Structure:
        """The total loss: that of `compile`, and what layers added with `add_loss`.

        Args:
            x: inputs; not used here, for subclasses.
            y: targets.
            y_pred: the model's outputs.
            sample_weight: weights of samples or None.
            training: whether it is for training; not used here, for subclasses.

        Returns:
            Scalar tensor.

        Raises:
            ValueError: there is no loss.
        """
        compiled = self._compiled
        losses = []
        if compiled is not None and compiled.loss is not None:
            loss = compiled.loss(y, y_pred, sample_weight)
            if loss is not None:
                losses.append(loss)
        losses += [sum_(loss) for loss in self.losses]
        if not losses:
            raise ValueError(
                "No loss to compute. Provide a `loss` argument in `compile()`, or add one with "
                "`add_loss()` in a layer."
            )
        total = losses[0]
        for further in losses[1:]:
            total = total + further
        return total

    def stateless_compute_loss(
        self,
        trainable_variables: Sequence[TensorLike],
        non_trainable_variables: Sequence[TensorLike],
        metrics_variables: Sequence[TensorLike],
        x: Structure = None,
        y: Structure = None,
        y_pred: Structure = None,
        sample_weight: Structure = None,
        training: bool = True,
    ) -> tuple[Structure, tuple[Sequence[TensorLike], list[Tensor], list[Tensor]]]:
        """What `compute_loss` gives for given values of the variables, which stay as they are.

        Args:
            trainable_variables: values, in the order of `model.trainable_variables`.
            non_trainable_variables: values, in the order of `model.non_trainable_variables`.
            metrics_variables: values, in the order of `model.metrics_variables`.
            x: inputs.
            y: targets.
            y_pred: the model's outputs.
            sample_weight: weights of samples or None.
            training: whether it is for training.

        Returns:
            `(loss, (trainable_variables, non_trainable_variables, metrics_variables))`.

        Raises:
            ValueError: there is no loss, or the number of values is another one.

        Source: https://keras.io/guides/custom_train_step_in_jax/
        """
        owner = f"{type(self).__name__}.stateless_compute_loss"
        others, metrics = self.non_trainable_variables, self.metrics_variables
        given = [
            *pairs(self.trainable_variables, trainable_variables, "trainable_variables", owner),
            *pairs(others, non_trainable_variables, "non_trainable_variables", owner),
            *pairs(metrics, metrics_variables, "metrics_variables", owner),
        ]
        with StatelessScope(given) as scope:
            loss = self._loss_of(x, y, y_pred, sample_weight, training)
        return loss, (trainable_variables, scope.values(others), scope.values(metrics))

    def compute_metrics(
        self, x: Structure, y: Structure, y_pred: Structure, sample_weight: Structure = None
    ) -> Logs:
        """Update the metrics of `compile` with a batch.

        Args:
            x: inputs; not used here, for subclasses.
            y: targets.
            y_pred: the model's outputs.
            sample_weight: weights of samples or None.

        Returns:
            Dict of all results.
        """
        self._update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _update_metrics(self, y: Structure, y_pred: Structure, sample_weight: Structure) -> None:
        compiled = self._compiled
        if compiled is not None and compiled.metrics is not None:
            compiled.metrics.update_state(y, y_pred, sample_weight)

    def compiled_loss(
        self,
        y: Structure,
        y_pred: Structure,
        sample_weight: Structure = None,
        regularization_losses: Structure = None,
    ) -> Structure:
        """The total loss, which the loss tracker takes too: for `train_step` of Keras 2.

        Args:
            y: targets.
            y_pred: the model's outputs.
            sample_weight: weights of samples or None.
            regularization_losses: not used: what layers added is part of the loss.

        Returns:
            Scalar tensor.
        """
        warn("`model.compiled_loss` is deprecated. Use `model.compute_loss(x, y, y_pred)`.")
        loss = self._loss_of(None, y, y_pred, sample_weight, training=True)
        self._track_loss(loss, y_pred)
        return loss

    @property
    def compiled_metrics(self) -> MetricsOfCompile:
        """The metrics of `compile` together: for `train_step` of Keras 2."""
        return MetricsOfCompile(None if self._compiled is None else self._compiled.metrics)

    def get_metrics_result(self) -> dict[str, Structure]:
        """The results of all metrics by name, scalar tensors."""
        results: dict[str, Structure] = {}
        for metric in self.metrics:
            result = metric.result()
            if isinstance(result, dict):
                results.update(result)
            else:
                results[metric.name] = result
        return results

    @property
    def metrics(self) -> list[Metric]:
        """Loss tracker, metrics of `compile`, losses of the outputs, metrics of the layers."""
        found = [] if self._compiled is None else self._compiled.all_metrics()
        found += self._metrics
        for layer in self._flatten_layers(include_self=False):
            if not isinstance(layer, Steps):  # what a nested model was compiled with does not count
                found += layer._metrics
        unique = {id(metric): metric for metric in found}
        return list(unique.values())

    @property
    def metrics_names(self) -> list[str]:
        """Their names."""
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Let all metrics begin anew."""
        for metric in self.metrics:
            metric.reset_state()

    def _run_step(self, kind: str, batch: Structure) -> Logs:
        """`train_step` or `test_step`; results of the built-in ones wait until somebody looks."""
        name = f"{kind}_step"
        if self._overrides(name, "compute_metrics"):
            step = getattr(self, name)
            return self._run_planned(
                kind, batch, lambda data: _flat(self._watched(step, data)), _logs
            )
        self._run_planned(kind, batch, self._train if kind == "train" else self._test, _nothing)
        return LazyLogs(self.get_metrics_result)

    def _train(self, data: Structure) -> None:
        _, y, y_pred, sample_weight = self._watched(self._update_weights, data)
        self._update_metrics(y, y_pred, sample_weight)

    def _test(self, data: Structure) -> None:
        _, y, y_pred, sample_weight = self._watched(self._evaluate_loss, data)
        self._update_metrics(y, y_pred, sample_weight)

    def _predict(self, data: Structure) -> Structure:
        return self._watched(self.predict_step, data)

    def _watched(self, step: Callable[[Structure], Structure], data: Structure) -> Structure:
        """A step; one that counts in a list or dict of a layer is not planned."""
        recorder = observer.active()
        if recorder is None:
            return step(data)
        recorder.guard.meet([self, self._compiled, *self._flatten_layers()])
        before = self._outline()
        found = step(data)
        if self._outline() != before:
            recorder.fail("a step changes what an attribute of a layer holds")
        return found

    def _outline(self) -> Structure:
        return [_outline(vars(layer)) for layer in self._flatten_layers()]

    def _run_planned(
        self,
        kind: str,
        batch: Structure,
        step: Callable[[Structure], Structure],
        deliver: Callable[[Structure], None],
    ) -> Structure:
        """Run a step by the model's plans, see `nkeras.training.plans`; not where they are off."""
        if not self._may_be_planned():
            with compile_ahead():
                return deliver(step(to_tensors(batch)))
        return plans.run(self._own_plans(), kind, batch, step, deliver)

    def _may_be_planned(self) -> bool:
        return not self.run_eagerly and self.jit_compile is not False

    def _own_plans(self) -> PlanCache:
        found = self.__dict__.get("_plans")
        if found is None:
            found = self.__dict__["_plans"] = PlanCache()
        return found

    def _call_planned(
        self, inputs: Structure, kwargs: dict[str, object], call: Callable[..., Structure]
    ) -> Structure:
        """`call(inputs, **kwargs)` by the model's plans, unless it runs code of the user's."""
        tensors: list[Tensor] = []
        outline = outlined(inputs, tensors)
        cached = self._own_plans()
        if not tensors or not plans.can_plan() or cached.is_in_step() or calling.has_mask(tensors):
            return call(inputs, **kwargs)
        training = kwargs.get("training")

        def step(tensors: list[Tensor]) -> Structure:
            found = call(filled(outline, iter(tensors)), **kwargs)
            recorder = observer.active()
            if recorder is not None:
                if recorder.guard.met_users_code():
                    recorder.fail("a call runs code of the user's, which may do more than compute")
                if calling.has_mask(found):
                    recorder.fail("the result of a call carries a mask")
            return found

        self._clear_losses()
        return cached.call(("call", training, outline), tensors, step)

    def _overrides(self, *names: str) -> bool:
        own, cls = self.__dict__, type(self)
        for name in names:
            if name in own or getattr(cls, name) is not getattr(Steps, name):
                return True
        return False

    def _results(self, logs: object) -> Logs:
        """The metrics' results, unless a step of the user's returned something else."""
        if isinstance(logs, LazyLogs):
            return self.get_metrics_result()
        if not isinstance(logs, Mapping):
            raise TypeError(
                f"{type(self).__name__}: train_step() and test_step() must return a dict of "
                f"results. Received: {short(logs)} (of type {type(logs).__name__})"
            )
        results = self.get_metrics_result()
        if set(logs) != set(results):
            return logs
        if self._compiled is not None:
            tracker = self._compiled.loss_tracker
            if tracker in self.metrics and not float(tracker.count):
                return logs  # a step of the user's own that has a "loss" but does not track it
        return results

    def _in_order(self, logs: Logs) -> Structure:
        """Results in the order of `metrics`, others behind by name; a single one alone."""
        names: list[str] = []
        for metric in self.metrics:
            if isinstance(metric, CompileMetrics):
                names += [inner.name for inner in metric.metrics]
            else:
                names.append(metric.name)
        ordered = [logs[name] for name in names if name in logs]
        ordered += [logs[name] for name in sorted(logs) if name not in names]
        return ordered[0] if len(ordered) == 1 else ordered


def _nothing(found: Structure) -> None:
    """What a step whose results are metrics delivers."""


def _outline(value: Structure) -> Structure:
    """What shows whether Python has changed a structure: its numbers, and which objects it has."""
    if isinstance(value, (bool, int, float, str)):
        return repr(value)
    size = len(value) if isinstance(value, (dict, list, tuple, deque, set)) else 0
    if size > _MANY:
        return id(value), size
    if isinstance(value, dict):
        pairs = [pair for pair in value.items() if pair[0] not in ("_own_losses", "_met_by")]
        return [(key, _outline(variable)) for key, variable in pairs]
    if isinstance(value, (list, tuple, deque, set)):
        return [_outline(item) for item in value]
    is_small = isinstance(value, np.ndarray) and value.size <= _MANY
    return value.tobytes() if is_small else id(value)


def _logs(found: Structure) -> Structure:
    """What a step of the user's returned, with tensors that later steps do not overwrite."""
    return tree.map_structure(
        lambda leaf: from_numpy(leaf.copy()) if type(leaf) is np.ndarray else leaf,
        found,
    )


def _flat(logs: Structure) -> Structure:
    """Results without nesting: `{m.name: m.result() for m in self.metrics}` has a dict inside."""
    if not isinstance(logs, Mapping) or not any(isinstance(log, Mapping) for log in logs.values()):
        return logs
    flat: dict[str, Structure] = {}
    for name, value in logs.items():
        flat.update(_flat(value) if isinstance(value, Mapping) else {name: value})
    return flat
