"""Cross-entropies of integer class labels.

Source: https://keras.io/api/losses/probabilistic_losses/#sparsecategoricalcrossentropy-class
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from nkeras.core import config, dtypes, graph
from nkeras.core.errors import short
from nkeras.core.graph import set_mask
from nkeras.core.host import on_host
from nkeras.core.primitive import op, shape_of, to_tensor
from nkeras.core.spec import normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, Structure, TensorLike, TensorsLike
from nkeras.losses.crossentropy import check_axis
from nkeras.losses.loss import NamedLoss
from nkeras.ops.elementwise import (
    greater_equal,
    less,
    logical_and,
    logical_not,
    not_equal,
    power,
    where_,
)
from nkeras.ops.indexing import take_along_axis_
from nkeras.ops.loss import sparse_cross_entropy, sparse_softmax_cross_entropy
from nkeras.ops.shape import cast, expand_dims, reshape, squeeze, transpose


def host_labels(labels: TensorLike) -> np.ndarray | None:
    """The labels where reading them costs nothing: not symbolic, not on a device."""
    if isinstance(labels, graph.KerasTensor):
        return None
    data = labels.data if isinstance(labels, Tensor) else labels
    return data if isinstance(data, np.ndarray) else None


def check_labels(
    labels: Tensor | np.ndarray, classes: int, owner: str, ignore_class: int | None = None
) -> None:
    """Raise a ValueError where a label that the host can see names no class."""
    if host_labels(labels) is None:
        return

    def check(values: np.ndarray) -> None:
        _check_values(values, classes, owner, ignore_class)

    if isinstance(labels, Tensor):
        on_host(check, labels)
    else:
        check(labels)


def _check_values(values: np.ndarray, classes: int, owner: str, ignore_class: int | None) -> None:
    if values.dtype.kind in "SUO":
        raise ValueError(
            f"{owner}: labels must be numbers in [0, {classes - 1}]. Received: an array of text "
            f"or objects (dtype {values.dtype})"
        )
    if values.size == 0 or (values.min() >= 0 and values.max() < classes):
        return
    wrong = ~((values >= 0) & (values < classes))
    if ignore_class is not None:
        wrong &= values != ignore_class
    if wrong.any():
        label = float(values[wrong].ravel()[0])
        raise ValueError(
            f"{owner}: label {label:g} is out of range for {classes} classes; labels must be in "
            f"[0, {classes - 1}]."
        )


def _in_range(labels: Tensor, classes: int) -> tuple[Tensor, Tensor | None]:
    """Labels as int32 in range, and where they were not (None where the host has checked all).

    On a device, reading labels would make every step wait for it: there a label out of range gives
    a loss of NaN instead of an error.
    """
    known = host_labels(labels) is not None or isinstance(labels, graph.KerasTensor)
    labels = cast(labels, "int32")
    if known:
        return labels, None
    valid = logical_and(greater_equal(labels, 0), less(labels, classes))
    return where_(valid, labels, to_tensor(0)), logical_not(valid)


def _nan_where(wrong: Tensor | None, loss: Tensor) -> Tensor:
    return loss if wrong is None else where_(wrong, to_tensor(float("nan"), loss.dtype), loss)


@op
def sparse_categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Tensor:
    """`-log(y_pred[y_true])`: cross-entropy of integer class labels.

    Args:
        y_true: labels in [0, classes), of the shape of `y_pred` without the class axis, or with
            size 1 there.
        y_pred: probabilities or logits `(batch, ..., classes)`; probabilities are divided by their
            sum.
        from_logits: whether `y_pred` are logits.
        ignore_class: a label whose elements have loss 0 and are masked, for example -1 or 255.
        axis: axis of the classes.

    Returns:
        Tensor without the class axis; with `ignore_class` it carries a mask.

    Raises:
        ValueError: the shapes do not fit, or a label is out of range. On a GPU backend a label out
            of range gives NaN instead, because checking would make every step wait.

    Example:
        >>> import nkeras
        >>> loss = nkeras.losses.sparse_categorical_crossentropy([1], [[0.5, 0.5]])
        >>> loss.numpy().round(4)
        array([0.6931], dtype=float32)
    """
    owner = "sparse_categorical_crossentropy"
    check_axis(axis, owner)
    given, y_true, y_pred = y_true, to_tensor(y_true), to_tensor(y_pred)
    rank = len(y_pred.shape)
    if rank < 1:
        raise ValueError(f"{owner}: `y_pred` must have at least rank 1. Received a scalar.")
    axis = normalize_axis(axis, rank, owner)
    kept = (*y_pred.shape[:axis], *y_pred.shape[axis + 1 :])
    if len(y_true.shape) == rank and y_true.shape[axis] == 1:
        y_true = squeeze(y_true, axis)
    if y_true.shape != kept:
        raise ValueError(
            f"{owner}: `y_true` must have the shape of `y_pred` without its class axis "
            f"{short(axis)}: "
            f"{kept}. Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    classes = y_pred.shape[axis]
    check_labels(given if isinstance(given, np.ndarray) else y_true, classes, owner, ignore_class)
    valid = None
    if ignore_class is not None:
        valid = not_equal(y_true, to_tensor(ignore_class, y_pred.dtype))
        y_true = where_(valid, y_true, to_tensor(0, y_true.dtype))
        # Ones, not zeros: a row of zeros has no sum to be divided by.
        y_pred = where_(expand_dims(valid, axis), y_pred, to_tensor(1.0, y_pred.dtype))
    loss = _fused(cast(y_true, "int32"), y_pred, axis, from_logits)
    if valid is not None:
        loss = where_(valid, loss, to_tensor(0.0, loss.dtype))
        set_mask(loss, valid)
    return loss


def _fused(labels: Tensor, y_pred: Tensor, axis: int, from_logits: bool) -> Tensor:
    """One fused primitive over rows of classes."""
    rank = len(y_pred.shape)
    if axis != rank - 1:
        y_pred = transpose(y_pred, [*(i for i in range(rank) if i != axis), axis])
    rows = math.prod(labels.shape)
    shape, flat = labels.shape, labels
    if rank != 2:
        y_pred, flat = reshape(y_pred, (rows, y_pred.shape[-1])), reshape(labels, (rows,))
    if from_logits:
        loss = sparse_softmax_cross_entropy(y_pred, flat)[0]
    else:
        loss = sparse_cross_entropy(y_pred, flat, epsilon=config.epsilon())
    return loss if rank == 2 else reshape(loss, shape)


@op
def categorical_generalized_cross_entropy(
    y_true: TensorLike, y_pred: TensorLike, q: float
) -> Tensor:
    """`(1 - p**q) / q` where p is the probability of the label: robust to wrong labels.

    (Zhang and Sabuncu, https://arxiv.org/abs/1805.07836)

    Args:
        y_true: labels `(batch, ...)`.
        y_pred: probabilities `(batch, ..., classes)`.
        q: in (0, 1); near 0 it is the cross-entropy, near 1 the mean absolute error.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes do not fit, or a label is out of range (NaN on a GPU backend).
    """
    owner = "categorical_generalized_cross_entropy"
    given, y_true, y_pred = y_true, to_tensor(y_true), to_tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1:] == (1,):
        y_true = squeeze(y_true, -1)
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(
            f"{owner}: `y_true` must have the shape of `y_pred` without its last axis. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    check_labels(given if isinstance(given, np.ndarray) else y_true, y_pred.shape[-1], owner)
    labels, wrong = _in_range(y_true, y_pred.shape[-1])
    last = len(y_pred.shape) - 1
    chance = squeeze(take_along_axis_(y_pred, expand_dims(labels, last), axis=last), last)
    return _nan_where(wrong, (1.0 - power(chance, q)) / q)


class SparseCategoricalCrossentropy(NamedLoss, fn=sparse_categorical_crossentropy):
    """Cross-entropy of integer labels: see `nkeras.losses.sparse_categorical_crossentropy`.

    Example:
        >>> import nkeras
        >>> loss = nkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> round(float(loss([0, 1], [[0.0, 0.0], [0.0, 0.0]])), 4)
        0.6931
    """

    config_omits: ClassVar[Mapping[str, object]] = {**NamedLoss.config_omits, "axis": -1}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis

    def __call__(
        self, y_true: TensorsLike, y_pred: TensorsLike, sample_weight: TensorLike | None = None
    ) -> Tensor:
        """The reduced loss; labels in a NumPy array are checked before a device takes them."""
        if isinstance(y_true, np.ndarray):
            classes = shape_of(y_pred)[self.axis]
            check_labels(y_true, classes, self.name, self.ignore_class)
        return super().__call__(y_true, y_pred, sample_weight)

    def _targets(self, y_true: Structure) -> Structure:
        """Labels that are integers stay so, unless they are compared with `ignore_class`."""
        if self.ignore_class is None and hasattr(y_true, "dtype"):
            labels = to_tensor(y_true)
            if dtypes.is_integer(labels.dtype):
                return labels
        return super()._targets(y_true)


class CategoricalGeneralizedCrossEntropy(NamedLoss, fn=categorical_generalized_cross_entropy):
    """See `nkeras.losses.categorical_generalized_cross_entropy`."""

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_generalized_cross_entropy",
        dtype: PolicyLike = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(
                f"{type(self).__name__}: argument `q` must be in (0, 1). Received: q={short(q)}"
            )
        super().__init__(reduction, name, dtype)
        self.q = q
