"""Cross-entropies of binary and one-hot targets, plain and focal.

From logits they are fused and stable; probabilities are clipped to `[epsilon, 1 - epsilon]`.

Source: https://keras.io/api/losses/probabilistic_losses/
"""

from __future__ import annotations

from typing import Any

from nkeras.core import config
from nkeras.core.errors import refuse, warn
from nkeras.core.primitive import op, to_tensor
from nkeras.core.spec import normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.losses.loss import NamedLoss
from nkeras.losses.weighting import aligned
from nkeras.ops import crossentropy
from nkeras.ops.activation import sigmoid
from nkeras.ops.elementwise import clip, log, negative, power
from nkeras.ops.normalization import softmax
from nkeras.ops.reduction import mean
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.shape import broadcast_to, reshape


def clipped(probabilities: TensorLike) -> Tensor:
    """Probabilities kept `epsilon` away from 0 and 1, so that logarithms are finite."""
    return clip(probabilities, config.epsilon(), 1.0 - config.epsilon())


def normalized(probabilities: TensorLike, axis: int) -> Tensor:
    """Probabilities divided by their sum along the axis, then clipped."""
    return clipped(probabilities / sum_(probabilities, axis=axis, keepdims=True))


def check_axis(axis: object, owner: str) -> None:
    """Raise a ValueError unless the axis is an int."""
    if isinstance(axis, bool) or not isinstance(axis, int):
        refuse("axis", axis, "an int", owner)


def _check_smoothing(label_smoothing: float, owner: str) -> None:
    if not 0.0 <= label_smoothing <= 1.0:
        refuse("label_smoothing", label_smoothing, "in [0, 1]", owner)


def _targets(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """A single number spread to all predictions."""
    return y_true if y_true.shape == y_pred.shape else broadcast_to(y_true, y_pred.shape)


def _binary(
    y_true: TensorLike, y_pred: TensorLike, label_smoothing: float, owner: str
) -> tuple[Tensor, Tensor]:
    _check_smoothing(label_smoothing, owner)
    y_true, y_pred = aligned(y_true, y_pred, owner)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return _targets(y_true, y_pred), y_pred


@op
def binary_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Mean of `-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred)` along an axis.

    Args:
        y_true: targets in [0, 1], `(batch, ..., outputs)`.
        y_pred: probabilities or logits of the same shape.
        from_logits: whether `y_pred` are logits.
        label_smoothing: in [0, 1]; pulls targets towards 0.5.
        axis: axis of the mean.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> import nkeras
        >>> nkeras.losses.binary_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).numpy().round(4)
        array([0.6931], dtype=float32)
    """
    y_true, y_pred = _binary(y_true, y_pred, label_smoothing, "binary_crossentropy")
    return mean(crossentropy.binary_crossentropy(y_true, y_pred, from_logits), axis=axis)


@op
def binary_focal_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross-entropy in which well classified examples weigh less.

    Each term is multiplied by `(1 - p)**gamma`, where p is the probability given to the true class.
    (Lin et al., Focal loss for dense object detection, https://arxiv.org/abs/1708.02002)

    Args:
        y_true: targets in [0, 1], `(batch, ..., outputs)`.
        y_pred: probabilities or logits of the same shape.
        apply_class_balancing: whether class 1 weighs `alpha` and class 0 `1 - alpha`.
        alpha: weight of class 1.
        gamma: focusing exponent.
        from_logits: whether `y_pred` are logits.
        label_smoothing: in [0, 1]; pulls targets towards 0.5.
        axis: axis of the mean.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = _binary(y_true, y_pred, label_smoothing, "binary_focal_crossentropy")
    if from_logits:
        y_pred = sigmoid(y_pred)
    chance = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    loss = power(1.0 - chance, gamma) * crossentropy.binary_crossentropy(y_true, y_pred)
    if apply_class_balancing:
        loss = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * loss
    return mean(loss, axis=axis)


def _categorical(
    y_true: TensorLike, y_pred: TensorLike, label_smoothing: float, axis: int, owner: str
) -> tuple[Tensor, Tensor]:
    check_axis(axis, owner)
    _check_smoothing(label_smoothing, owner)
    y_pred = to_tensor(y_pred)
    if not y_pred.shape:
        raise ValueError(f"{owner}: `y_pred` must have at least rank 1. Received a scalar.")
    y_true, y_pred = aligned(y_true, y_pred, owner)
    classes = y_pred.shape[normalize_axis(axis, len(y_pred.shape), owner)]
    if classes == 1:
        warn(
            f"{owner}: y_pred has the shape {y_pred.shape}, a single class, whose probability is "
            "always 1. For two classes use 'binary_crossentropy'.",
            SyntaxWarning,
        )
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / classes
    return _targets(y_true, y_pred), y_pred


@op
def categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """`-sum(y_true * log(y_pred))` over classes.

    Args:
        y_true: one-hot targets or probabilities `(batch, ..., classes)`.
        y_pred: probabilities or logits of the same shape; probabilities are divided by their sum.
        from_logits: whether `y_pred` are logits.
        label_smoothing: in [0, 1]; pulls targets towards `1 / classes`, also where the classes are
            not the last axis (Keras 3.15 divides by the size of the last one).
        axis: axis of the classes.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: the shapes differ, or `axis` is no int.

    Example:
        >>> import nkeras
        >>> loss = nkeras.losses.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
        >>> loss.numpy().round(4)
        array([0.6931], dtype=float32)
    """
    y_true, y_pred = _categorical(y_true, y_pred, label_smoothing, axis, "categorical_crossentropy")
    return crossentropy.categorical_crossentropy(y_true, y_pred, from_logits, axis)


@op
def categorical_focal_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Categorical cross-entropy in which well classified examples weigh less.

    Each term is multiplied by `alpha * (1 - y_pred)**gamma`.
    (Lin et al., Focal loss for dense object detection, https://arxiv.org/abs/1708.02002)

    Args:
        y_true: one-hot targets or probabilities `(batch, ..., classes)`.
        y_pred: probabilities or logits of the same shape.
        alpha: weight, a number or one for each class.
        gamma: focusing exponent.
        from_logits: whether `y_pred` are logits.
        label_smoothing: in [0, 1]; pulls targets towards `1 / classes`, also where the classes are
            not the last axis (Keras 3.15 divides by the size of the last one).
        axis: axis of the classes.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: the shapes differ, or `axis` is no int.
    """
    y_true, y_pred = _categorical(
        y_true, y_pred, label_smoothing, axis, "categorical_focal_crossentropy"
    )
    chance = normalized(softmax(y_pred, axis=axis) if from_logits else y_pred, axis)
    factor = to_tensor(alpha, y_pred.dtype)
    if len(factor.shape) == 1 and factor.shape[0] > 1:
        along = [1] * len(y_pred.shape)
        along[axis] = factor.shape[0]
        factor = reshape(factor, tuple(along))
    weight = power(1.0 - chance, gamma) * factor
    return negative(sum_(weight * y_true * log(chance), axis=axis))


class BinaryCrossentropy(NamedLoss, fn=binary_crossentropy):
    """Cross-entropy of binary targets: see `nkeras.losses.binary_crossentropy`.

    Example:
        >>> import nkeras
        >>> loss = nkeras.losses.BinaryCrossentropy(from_logits=True)
        >>> round(float(loss([[1.0], [0.0]], [[0.0], [0.0]])), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        _check_smoothing(label_smoothing, "BinaryCrossentropy")
        super().__init__(reduction, name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class BinaryFocalCrossentropy(NamedLoss, fn=binary_focal_crossentropy):
    """Focal loss of binary targets: see `nkeras.losses.binary_focal_crossentropy`."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        _check_smoothing(label_smoothing, "BinaryFocalCrossentropy")
        super().__init__(reduction, name, dtype)
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class CategoricalCrossentropy(NamedLoss, fn=categorical_crossentropy):
    """Cross-entropy of one-hot targets: see `nkeras.losses.categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        _check_smoothing(label_smoothing, "CategoricalCrossentropy")
        super().__init__(reduction, name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class CategoricalFocalCrossentropy(NamedLoss, fn=categorical_focal_crossentropy):
    """Focal loss of one-hot targets: see `nkeras.losses.categorical_focal_crossentropy`."""

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        _check_smoothing(label_smoothing, "CategoricalFocalCrossentropy")
        super().__init__(reduction, name, dtype)
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis
