"""Distiller: a student that is trained by targets and by a teacher.

Source: https://keras.io/api/distillation/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nkeras import losses, ops
from nkeras.core import tree
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LossesLike, Masks, MetricsLike, OptimizerLike, Structure
from nkeras.distillation.losses import DistillationLoss
from nkeras.metrics import Mean
from nkeras.models.model import Model

_LAST = "final_output"


class Distiller(Model):
    """Trains a student model by its own loss and by the outputs of a teacher, which stays as it is.

    The loss is `student_loss_weight * loss + (1 - student_loss_weight) * distillation`, where the
    last is the weighted sum of `distillation_losses`.

    Args:
        teacher: a trained model.
        student: the model to train; its inputs and outputs are like those of the teacher.
        distillation_losses: a `LogitsDistillation`, `FeatureDistillation`, your own, or a list.
        distillation_loss_weights: a weight for each; 1 for None.
        student_loss_weight: from 0 to 1.
        name: name.
        **kwargs: as `Model`.

    Raises:
        ValueError: the models do not fit each other or a loss, or a weight is out of range.

    Example:
        >>> import numpy as np
        >>> import nkeras
        >>> x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
        >>> teacher = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
        >>> student = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
        >>> loss = nkeras.distillation.LogitsDistillation(temperature=3.0)
        >>> distiller = nkeras.distillation.Distiller(teacher, student, loss)
        >>> distiller.compile("sgd", "mse")
        >>> sorted(distiller.fit(x, teacher.predict(x, verbose=0), verbose=0).history)
        ['distillation_loss', 'loss', 'student_loss', 'total_loss']

    Source: https://keras.io/api/distillation/
    """

    def __init__(
        self,
        teacher: Model,
        student: Model,
        distillation_losses: DistillationLoss | Sequence[DistillationLoss],
        distillation_loss_weights: Sequence[float] | None = None,
        student_loss_weight: float = 0.5,
        name: str = "distiller",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        for argument, model in (("teacher", teacher), ("student", student)):
            if not is_a(model, Model):
                refuse(argument, model, "a model", "Distiller")
        for kind in ("inputs", "outputs"):
            _check_alike(getattr(teacher, kind, None), getattr(student, kind, None), kind[:-1])
        if not is_a(student_loss_weight, (int, float)) or not 0 <= student_loss_weight <= 1:
            refuse("student_loss_weight", student_loss_weight, "in [0, 1]", "Distiller")
        is_list = isinstance(distillation_losses, (list, tuple))
        self.distillation_losses: list[Any] = (
            list(distillation_losses) if is_list else [distillation_losses]
        )
        for loss in self.distillation_losses:
            if not hasattr(loss, "compute_loss"):
                refuse("distillation_losses", loss, "a DistillationLoss or a list", "Distiller")
        given = distillation_loss_weights if is_list else None
        count = len(self.distillation_losses)
        self.distillation_loss_weights = [1.0] * count if given is None else list(given)
        if len(self.distillation_loss_weights) != count:
            raise ValueError(
                f"Distiller: argument `distillation_loss_weights` must have {count} numbers, one "
                f"for each loss. Received: {short(distillation_loss_weights)}"
            )
        for loss in self.distillation_losses:
            loss.validate_model_compatibility(teacher, student)
        self.teacher = teacher
        self.student = student
        self.student_loss_weight = student_loss_weight
        self._teacher_features = _feature_model(
            teacher, [loss.teacher_layer_name for loss in self.distillation_losses]
        )
        self._student_features = _feature_model(
            student, [loss.student_layer_name for loss in self.distillation_losses]
        )
        self.teacher.trainable = False
        self.student_loss_tracker = Mean(name="student_loss")
        self.distillation_loss_tracker = Mean(name="distillation_loss")
        self.total_loss_tracker = Mean(name="total_loss")
        self._student_loss: Structure = None

    def compile(  # pyright: ignore[reportIncompatibleMethodOverride]  it is that of Keras
        self,
        optimizer: OptimizerLike = "adam",
        loss: LossesLike = None,
        metrics: MetricsLike = None,
        **kwargs: Any,
    ) -> None:
        """As that of a model; the loss is that of the student against the targets.

        Args:
            optimizer: optimizer, by object or name.
            loss: loss by name, object or function, or a structure of them like that of the outputs.
            metrics: None, or a list of metrics.
            **kwargs: as for `Model.compile`.

        Raises:
            ValueError: there is no loss, or `metrics` is no list.
        """
        if loss is None:
            refuse("loss", loss, "a loss", "Distiller.compile()")
        if metrics is not None and not isinstance(metrics, (list, tuple)):
            refuse("metrics", metrics, "a list or None", "Distiller.compile()")
        self._student_loss = tree.map_structure(
            lambda one: losses.get(one) if isinstance(one, (str, dict)) else one, loss
        )
        super().compile(optimizer=optimizer, loss=None, metrics=metrics, **kwargs)

    def call(self, inputs: Any, training: bool | None = None, mask: Masks = None) -> Any:
        """The outputs of the student."""
        masks = {} if mask is None else {"mask": mask}
        return self.student(inputs, training=training, **masks)

    def compute_loss(
        self,
        x: Structure = None,
        y: Structure = None,
        y_pred: Structure = None,
        sample_weight: Structure = None,
        training: bool = True,
    ) -> Tensor:
        """The weighted sum of both losses.

        Args:
            x: inputs.
            y: targets, or None.
            y_pred: outputs of the student; computed from `x` for None.
            sample_weight: None; Keras takes weights and uses none.
            training: whether it is for training.

        Returns:
            Scalar tensor.

        Raises:
            ValueError: there are weights of samples.
        """
        if sample_weight is not None:
            refuse("sample_weight", sample_weight, "None (nor `class_weight`)", "Distiller")
        y_pred = self(x, training=training) if y_pred is None else y_pred
        student_loss = ops.zeros(())
        if self.student_loss_weight > 0 and y is not None:
            found = tree.map_structure(
                lambda loss, true, predicted: ops.mean(loss(true, predicted)),
                self._student_loss,
                y,
                y_pred,
            )
            student_loss = ops.sum(ops.stack(tree.flatten(found)))
        distillation_loss = ops.zeros(())
        if self.student_loss_weight < 1:
            distillation_loss = self._distillation_loss(x, y_pred)
        weight = float(self.student_loss_weight)
        total_loss = student_loss * weight + distillation_loss * (1.0 - weight)
        self.student_loss_tracker.update_state(student_loss)
        self.distillation_loss_tracker.update_state(distillation_loss)
        self.total_loss_tracker.update_state(total_loss)
        return total_loss

    def _distillation_loss(self, x: Structure, y_pred: Structure) -> Tensor:
        if self._teacher_features is None:
            teacher = {_LAST: self.teacher(x, training=False)}
        else:
            teacher = self._teacher_features(x, training=False)
        student = {_LAST: y_pred}
        if self._student_features is not None:
            student = {**self._student_features(x, training=True), _LAST: y_pred}
        total = ops.zeros(())
        pairs = zip(self.distillation_losses, self.distillation_loss_weights, strict=True)
        for loss, weight in pairs:
            outputs = (
                teacher[loss.teacher_layer_name or _LAST],
                student[loss.student_layer_name or _LAST],
            )
            loss.validate_outputs(*outputs)
            value = loss.compute_loss(*outputs)
            if value.shape != ():
                raise ValueError(
                    f"Distiller: {type(loss).__name__}.compute_loss() must return a scalar. "
                    f"Received shape: {value.shape}"
                )
            total = total + value * float(weight)
        return total


def _check_alike(teacher: Any, student: Any, kind: str) -> None:
    """Raise a ValueError where the symbolic tensors of two models differ."""
    if teacher is None or student is None:
        return
    pairs = list(zip(tree.flatten(teacher), tree.flatten(student), strict=False))
    described = [(tuple(a.shape), tuple(b.shape), a.dtype, b.dtype) for a, b in pairs]
    for shape, other, dtype, other_dtype in described:
        fits = len(shape) == len(other) and all(
            one is None or its is None or one == its for one, its in zip(shape, other, strict=True)
        )
        if not fits or dtype != other_dtype:
            raise ValueError(
                f"Distiller: teacher and student must have the same {kind}s. Teacher: {shape} "
                f"{dtype}, student: {other} {other_dtype}"
            )
    if len(tree.flatten(teacher)) != len(tree.flatten(student)):
        raise ValueError(
            f"Distiller: teacher and student must have the same {kind}s. Teacher: "
            f"{len(tree.flatten(teacher))}, student: {len(tree.flatten(student))}"
        )


def _feature_model(model: Model, names: Sequence[str | None]) -> Model | None:
    """A model that also gives the outputs of these layers; None where there are none."""
    wanted = {name: model.get_layer(name=name).output for name in names if name is not None}
    if not wanted:
        return None
    outputs = {_LAST: model.outputs[0] if len(model.outputs) == 1 else model.outputs, **wanted}
    return Model(model.inputs, outputs, name=f"{model.name}_multi_feature_extractor")
