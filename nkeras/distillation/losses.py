"""How far the outputs of a student are from those of its teacher.

Source: https://keras.io/api/distillation/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nkeras import losses, ops
from nkeras.core import tree
from nkeras.core.configurable import Configurable
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LossesLike, Structure
from nkeras.tree import assert_same_structure

if TYPE_CHECKING:
    from nkeras.models.model import Model


class DistillationLoss(Configurable):
    """Base class: a subclass defines `compute_loss`.

    Example:
        >>> import nkeras
        >>> class Distance(nkeras.distillation.DistillationLoss):
        ...     def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        ...         return nkeras.ops.mean(nkeras.ops.abs(teacher_outputs - student_outputs))
        >>> float(Distance().compute_loss(nkeras.ops.ones(2), nkeras.ops.zeros(2)))
        1.0

    Source: https://keras.io/api/distillation/
    """

    teacher_layer_name: str | None = None
    student_layer_name: str | None = None

    def compute_loss(
        self, teacher_outputs: Structure, student_outputs: Structure, **kwargs: Any
    ) -> Tensor:
        """A scalar for outputs of both models.

        Args:
            teacher_outputs: tensor or structure of tensors.
            student_outputs: likewise.
            **kwargs: for subclasses.
        """
        raise NotImplementedError(f"{type(self).__name__} must define compute_loss().")

    def validate_outputs(self, teacher_outputs: Structure, student_outputs: Structure) -> None:
        """Raise a ValueError where outputs do not fit each other."""
        assert_same_structure(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher: Model, student: Model) -> None:
        """Raise a ValueError where models do not fit the loss."""


class _OutputLosses(DistillationLoss):
    """A loss, or a structure of them like that of the outputs; None leaves an output out."""

    loss: Structure

    def _set_loss(self, loss: Structure) -> None:
        self.loss = tree.map_structure(
            lambda one: losses.get(one) if isinstance(one, (str, dict)) else one, loss
        )
        if all(one is None for one in tree.flatten(self.loss)):
            raise ValueError(
                f"{type(self).__name__}: argument `loss` must hold at least one loss that is not "
                f"None. Received: {short(loss)}"
            )

    def validate_outputs(self, teacher_outputs: Structure, student_outputs: Structure) -> None:
        """Raise a ValueError where outputs do not fit each other or the losses."""
        super().validate_outputs(teacher_outputs, student_outputs)
        try:
            assert_same_structure(self.loss, teacher_outputs)
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__}: argument `loss` must have the structure of the outputs. "
                f"{error}"
            ) from None

    def _sum_up(
        self, apply: Callable[[Any, Any, Any], Tensor], teacher: Structure, student: Structure
    ) -> Tensor:
        structures = self.loss, teacher, student
        parts = zip(*(tree.flatten(one) for one in structures), strict=True)
        found = [apply(loss, ours, its) for loss, ours, its in parts if loss is not None]
        return sum(found[1:], found[0])


class FeatureDistillation(_OutputLosses):
    """A loss between the outputs of two layers, or of both models.

    Args:
        loss: loss by name, object or function, or a structure of them like that of the outputs;
            None leaves an output out.
        teacher_layer_name: layer of the teacher; its last output for None.
        student_layer_name: layer of the student; its last output for None.

    Raises:
        ValueError: all losses are None.

    Example:
        >>> import nkeras
        >>> loss = nkeras.distillation.FeatureDistillation("mse")
        >>> float(loss.compute_loss(nkeras.ops.ones((2, 3)), nkeras.ops.zeros((2, 3))))
        1.0

    Source: https://keras.io/api/distillation/
    """

    def __init__(
        self,
        loss: LossesLike = "mse",
        teacher_layer_name: str | None = None,
        student_layer_name: str | None = None,
    ) -> None:
        self._set_loss(loss)
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name

    def validate_model_compatibility(self, teacher: Model, student: Model) -> None:
        """Raise a ValueError where a model lacks the layer, or has no symbolic inputs."""
        names = {"teacher": self.teacher_layer_name, "student": self.student_layer_name}
        if any(name is not None for name in names.values()):
            for kind, model in (("teacher", teacher), ("student", student)):
                if getattr(model, "inputs", None) is None:
                    raise ValueError(
                        f"FeatureDistillation: the {kind} {short(model.name)} must be a functional "
                        "or sequential model that knows its input shape, for layers to be found."
                    )
        for kind, model in (("teacher", teacher), ("student", student)):
            if names[kind] is not None:
                try:
                    model.get_layer(name=names[kind])
                except ValueError as error:
                    raise ValueError(f"In {kind} model: {error}") from None

    def compute_loss(
        self, teacher_outputs: Structure, student_outputs: Structure, **kwargs: Any
    ) -> Tensor:
        """The sum of the mean losses of all outputs."""

        def apply(loss: Any, teacher: Any, student: Any) -> Tensor:
            return ops.mean(loss(teacher, student))

        return self._sum_up(apply, teacher_outputs, student_outputs)


class LogitsDistillation(_OutputLosses):
    """A loss between logits that are divided by a temperature.

    The Kullback-Leibler divergence compares the softmax of both, times the temperature squared;
    other losses compare the logits themselves.

    Args:
        temperature: by what logits are divided, above 0; the higher, the softer.
        loss: loss by name, object or function, or a structure of them like that of the outputs;
            None leaves an output out.

    Raises:
        ValueError: the temperature is not above 0, or all losses are None.

    Example:
        >>> import nkeras
        >>> loss = nkeras.distillation.LogitsDistillation(temperature=2.0)
        >>> float(loss.compute_loss(nkeras.ops.ones((1, 2)), nkeras.ops.zeros((1, 2))))
        0.0

    Source: https://keras.io/api/distillation/ (Keras takes the softmax for a `KLDivergence` object,
    but not for the name "kl_divergence"); Hinton et al., 2015, arXiv:1503.02531.
    """

    def __init__(self, temperature: float = 3.0, loss: LossesLike = "kl_divergence") -> None:
        self._set_loss(loss)
        if not is_a(temperature, (int, float)) or not temperature > 0:
            refuse("temperature", temperature, "a number above 0", "LogitsDistillation")
        self.temperature = temperature

    def compute_loss(
        self, teacher_outputs: Structure, student_outputs: Structure, **kwargs: Any
    ) -> Tensor:
        """The sum of the mean losses of all outputs."""
        return self._sum_up(self._of_output, teacher_outputs, student_outputs)

    def _of_output(self, loss: Any, teacher: Tensor, student: Tensor) -> Tensor:
        teacher, student = ops.divide(teacher, self.temperature), student / self.temperature
        if not isinstance(loss, losses.KLDivergence) and loss is not losses.kl_divergence:
            return ops.mean(loss(teacher, student))
        teacher, student = ops.softmax(teacher, axis=-1), ops.softmax(student, axis=-1)
        return ops.mean(loss(teacher, student)) * float(self.temperature**2)
