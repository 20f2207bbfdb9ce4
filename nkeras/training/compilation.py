"""`compile`: optimizer, losses and metrics of a model, and their configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nkeras import metrics as metrics_module
from nkeras import optimizers
from nkeras.core import tree
from nkeras.core.errors import is_a, refuse, warn
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from nkeras.core.tracebacks import entry
from nkeras.core.typing import (
    Config,
    LossesLike,
    LossWeights,
    MetricsLike,
    OptimizerLike,
    Structure,
)
from nkeras.core.variable import Variable
from nkeras.training.compile_loss import CompileLoss
from nkeras.training.compile_metrics import CompileMetrics

if TYPE_CHECKING:
    from nkeras.layers.base import Layer
    from nkeras.metrics import Mean


@dataclass
class Compiled:
    """What `compile` made. One object, so that layers do not track the metrics as their own."""

    loss: CompileLoss | None
    metrics: CompileMetrics | None
    loss_tracker: Mean
    arguments: Config
    variables: list[Variable] | None = (
        None  # those that an epoch of `fit` trains: found once, not each step
    )

    def __getstate__(self) -> Config:
        """A copy made in the middle of an epoch is not in one."""
        return {**vars(self), "variables": None}

    def all_metrics(self) -> list[Structure]:
        """Loss tracker, metrics, losses of the outputs."""
        found: list[Any] = [self.loss_tracker]
        if self.metrics is not None:
            found.append(self.metrics)
        if self.loss is not None:
            found += self.loss.metrics
        return found


class Compilation(Layer if TYPE_CHECKING else object):  # models are layers
    """The part of a model that knows `compile`."""

    # Class attributes instead of an __init__: subclasses may set attributes in any order.
    optimizer: Any = None
    loss: LossesLike = None
    steps_per_execution: int = 1
    run_eagerly: bool = False
    jit_compile: bool | str = "auto"
    stop_training: bool = False
    _compiled: Compiled | None = None

    @entry
    def compile(
        self,
        optimizer: OptimizerLike = "rmsprop",
        loss: LossesLike = None,
        loss_weights: LossWeights = None,
        metrics: MetricsLike = None,
        weighted_metrics: MetricsLike = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose how the model is trained.

        Args:
            optimizer: name or Optimizer.
            loss: name, function `(y_true, y_pred)` or Loss; for several outputs a list by position
                or a dict by output name. `"crossentropy"` is chosen by the shapes.
            loss_weights: numbers by which the losses of several outputs are multiplied.
            metrics: list of names, functions or Metrics; for several outputs a list of lists or a
                dict. `"accuracy"` and `"crossentropy"` are chosen by the shapes.
            weighted_metrics: metrics that sample and class weights apply to.
            run_eagerly: run each step as it comes; no step is recorded and replayed.
            steps_per_execution: number of steps between two calls of callbacks.
            jit_compile: `"auto"`, True or False; False is as `run_eagerly`. Kernels are always
                compiled.
            auto_scale_loss: under the policy `mixed_float16`, scale the loss so that small
                gradients do not vanish.

        Raises:
            ValueError: an argument is of the wrong kind, or names something unknown.

        Example:
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
            >>> model.compile("sgd", "mse", metrics=["mae"])

        Source: https://keras.io/api/models/model_training_apis/
        """
        if jit_compile not in ("auto", True, False):
            refuse("jit_compile", jit_compile, '"auto", True or False', "compile()")
        if not is_a(steps_per_execution, (int, np.integer)) or steps_per_execution < 1:
            refuse("steps_per_execution", steps_per_execution, "a positive integer", "compile()")
        arguments: Config = {
            "optimizer": optimizers.get(optimizer),
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": int(steps_per_execution),
            "jit_compile": jit_compile,
        }
        names = getattr(self, "output_names", None)
        has_metrics = metrics is not None or weighted_metrics is not None
        compiled = Compiled(
            CompileLoss(loss, loss_weights, names) if loss is not None else None,
            CompileMetrics(metrics, weighted_metrics, names) if has_metrics else None,
            metrics_module.Mean(name="loss"),
            arguments,
        )
        self.optimizer = self._scaled(arguments["optimizer"], auto_scale_loss)
        self.loss = loss
        self.steps_per_execution = int(steps_per_execution)
        self.run_eagerly = bool(run_eagerly)
        self.jit_compile = jit_compile
        self.stop_training = False
        self._compiled = compiled
        self.__dict__.pop("_plans", None)

    def _scaled(self, optimizer: OptimizerLike, auto_scale_loss: bool) -> Structure:
        policy = getattr(self, "dtype_policy", None)
        if not auto_scale_loss or policy is None or policy.name != "mixed_float16":
            return optimizer
        scaling = getattr(optimizers, "LossScaleOptimizer", None)
        if scaling is None:
            raise ValueError(
                "compile(): argument `auto_scale_loss` must be False for the policy mixed_float16: "
                "nkeras cannot scale losses yet. The policy mixed_bfloat16 does not need it."
            )
        if optimizer is None or isinstance(optimizer, scaling):
            return optimizer
        return scaling(optimizer, name="loss_scale_optimizer")

    @property
    def compiled(self) -> bool:
        """Whether `compile` has been called."""
        return self._compiled is not None

    def _assert_compile_called(self, method: str) -> Compiled:
        if self._compiled is None:
            raise ValueError(f"You must call `compile()` before calling `{method}()`.")
        return self._compiled

    def get_compile_config(self) -> Config:
        """The arguments of `compile` as a dict for JSON; empty before `compile`."""
        if self._compiled is None:
            return {}
        return {
            name: serialize_keras_object(value) for name, value in self._compiled.arguments.items()
        }

    def compile_like(self, other: Compilation) -> None:
        """Call `compile` with the arguments of another model, where that was compiled.

        Args:
            other: the model. Its optimizer, losses and metrics are made anew, functions are shared.
        """
        if other._compiled is None:
            return
        self.compile(**tree.map_structure(_anew, other._compiled.arguments))
        if self.optimizer is not None and getattr(self, "built", False):
            self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config: Config) -> None:
        """Call `compile` with what `get_compile_config` returned.

        Args:
            config: the dict.
        """
        if type(self).compile is not Compilation.compile:
            warn(
                "`compile()` was not called as part of model loading because the model's "
                "`compile()` method is custom. Such models should also override "
                "`get_compile_config()` and `compile_from_config(config)`; or call `compile()` "
                "after loading.",
            )
            return
        self.compile(**deserialize_keras_object(config))
        if self.optimizer is not None and getattr(self, "built", False):
            self.optimizer.build(self.trainable_variables)


def _anew(thing: Any) -> Any:
    """Another optimizer, loss or metric of the same configuration; names and functions stay."""
    if isinstance(thing, type) or not hasattr(thing, "get_config"):
        return thing
    return type(thing).from_config(thing.get_config())
