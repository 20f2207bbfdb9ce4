"""Intersection over union, for image segmentation.

Source: https://keras.io/api/metrics/segmentation_metrics/
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nkeras.core import config, dtypes
from nkeras.core.errors import cut_text, warn
from nkeras.core.primitive import shape_of, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, PolicyLike, TensorLike
from nkeras.losses.weighting import along_leading
from nkeras.metrics.metric import Metric
from nkeras.ops.elementwise import (
    equal,
    greater,
    greater_equal,
    less,
    logical_and,
    not_equal,
    where_,
)
from nkeras.ops.indexing import scatter_nd, take_
from nkeras.ops.reduction import argmax_
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.shape import broadcast_to, cast, reshape, stack


class IoU(Metric):
    """Mean over some classes of `tp / (tp + fp + fn)`.

    Args:
        num_classes: number of classes.
        target_class_ids: classes whose mean is taken.
        name: name.
        dtype: dtype of the confusion matrix, `int32` by default.
        ignore_class: a label whose elements do not count.
        sparse_y_true: whether targets are labels, not one-hot.
        sparse_y_pred: whether predictions are labels, not one per class.
        axis: axis of the classes where not sparse.

    Raises:
        ValueError: a target class is out of range.

    Example:
        >>> import nkeras
        >>> iou = nkeras.metrics.IoU(num_classes=2, target_class_ids=[0])
        >>> round(float(iou([0, 0, 1, 1], [0, 1, 0, 1])), 4)
        0.3333

    Source: https://keras.io/api/metrics/segmentation_metrics/#iou-class
    """

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: PolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype or "int32")
        wrong = [index for index in target_class_ids if not 0 <= index < num_classes]
        if wrong:
            raise ValueError(
                f"{type(self).__name__}: target class id {wrong[0]} is out of range, which is "
                f"[0, {num_classes - 1}]."
            )
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable(
            (num_classes, num_classes), None, self.dtype, name="total_confusion_matrix"
        )

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Add a batch; labels out of range do not count.

        Args:
            y_true: labels, or one-hot targets.
            y_pred: labels, or predictions for each class.
            sample_weight: None, or weights of the shape of the labels.
        """
        shape = self._shape_of_labels(y_true)
        y_true = self._labels(y_true, self.sparse_y_true)
        y_pred = self._labels(y_pred, self.sparse_y_pred)
        if y_true.shape != y_pred.shape:
            raise ValueError(
                f"{cut_text(self.name)}: targets and predictions must have the same number of "
                f"labels. Received: {y_true.shape[0]} and {y_pred.shape[0]}"
            )
        counted = logical_and(self._in_range(y_true), self._in_range(y_pred))
        if self.ignore_class is not None:
            counted = logical_and(counted, not_equal(y_true, self.ignore_class))
        place = stack(
            [where_(counted, labels, to_tensor(0)) for labels in (y_true, y_pred)], axis=1
        )
        weight = where_(counted, self._weights(sample_weight, y_true.shape, shape), 0)
        self.total_cm.assign_add(
            scatter_nd(place, cast(weight, self.dtype), shape=self.total_cm.shape)
        )

    def _labels(self, y: Any, sparse: bool) -> Tensor:
        """A flat int32 tensor of labels."""
        y = to_tensor(y)
        if not sparse:
            y = argmax_(y, axis=self.axis % len(y.shape), keepdims=False)
        return cast(reshape(y, (math.prod(y.shape),)), "int32")

    def _shape_of_labels(self, y_true: TensorLike) -> tuple[int, ...]:
        """The shape of the labels before they are made flat."""
        shape = list(to_tensor(y_true).shape)
        if not self.sparse_y_true:
            del shape[self.axis]
        return tuple(shape)

    def _in_range(self, labels: TensorLike) -> Tensor:
        return logical_and(greater_equal(labels, 0), less(labels, self.num_classes))

    def _weights(
        self, sample_weight: TensorLike | None, flat: tuple[int, ...], shape: tuple[int, ...]
    ) -> Tensor:
        if sample_weight is None:
            return to_tensor(np.ones(flat), self.dtype)
        weight = to_tensor(sample_weight)
        if dtypes.is_floating(weight.dtype) and dtypes.is_integer(self.dtype):
            warn(
                f"{cut_text(self.name)}: weights of dtype {weight.dtype} are cut to {self.dtype}; "
                "give integer weights or another dtype.",
            )
        if math.prod(weight.shape) != math.prod(flat):
            weight = broadcast_to(along_leading(weight, shape, self.name), shape)
        return reshape(cast(weight, self.dtype), flat)

    def result(self) -> Tensor:
        """The mean over those target classes that occurred, a scalar."""
        matrix = cast(self.total_cm.value, "float32")
        diagonal = cast(equal(*np.indices(matrix.shape, dtype="int32")), "float32")
        hits = sum_(matrix * diagonal, axis=0)
        union = sum_(matrix, axis=0) + sum_(matrix, axis=1) - hits
        targets = to_tensor(np.asarray(self.target_class_ids, "int32"))
        hits, union = take_(hits, targets, axis=0), take_(union, targets, axis=0)
        occurred = greater(union, 1e-9)
        share = where_(occurred, hits / (union + config.epsilon()), 0.0)
        return sum_(share) / (sum_(cast(occurred, "float32")) + config.epsilon())


class BinaryIoU(IoU):
    """Intersection over union of the classes 0 and 1, predicted by a threshold.

    Args:
        target_class_ids: classes whose mean is taken, of 0 and 1.
        threshold: predictions of at least it are class 1.
        name: name.
        dtype: dtype of the confusion matrix.

    Source: https://keras.io/api/metrics/segmentation_metrics/#binaryiou-class
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(2, target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Add a batch.

        Args:
            y_true: targets 0 and 1.
            y_pred: predictions in [0, 1] of the same shape.
            sample_weight: None, or weights of that shape.
        """
        if shape_of(y_true) != shape_of(y_pred):
            raise ValueError(
                f"{cut_text(self.name)}: `y_true` and `y_pred` must have the same shape. Received: "
                f"y_true.shape={shape_of(y_true)}, y_pred.shape={shape_of(y_pred)}"
            )
        y_pred = greater_equal(cast(to_tensor(y_pred), "float32"), self.threshold)
        super().update_state(y_true, cast(y_pred, "int32"), sample_weight)


class MeanIoU(IoU):
    """Intersection over union, mean over all classes.

    Args:
        num_classes: number of classes.
        name: name.
        dtype: dtype of the confusion matrix.
        ignore_class: a label whose elements do not count.
        sparse_y_true: whether targets are labels, not one-hot.
        sparse_y_pred: whether predictions are labels, not one per class.
        axis: axis of the classes where not sparse.

    Source: https://keras.io/api/metrics/segmentation_metrics/#meaniou-class
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: PolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        classes = list(range(num_classes))
        super().__init__(
            num_classes, classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )


class OneHotIoU(IoU):
    """Intersection over union of one-hot targets.

    Args:
        num_classes: number of classes.
        target_class_ids: classes whose mean is taken.
        name: name.
        dtype: dtype of the confusion matrix.
        ignore_class: a label whose elements do not count.
        sparse_y_pred: whether predictions are labels, not one per class.
        axis: axis of the classes.

    Source: https://keras.io/api/metrics/segmentation_metrics/#onehotiou-class
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: PolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )


class OneHotMeanIoU(MeanIoU):
    """Intersection over union of one-hot targets, mean over all classes.

    Args:
        num_classes: number of classes.
        name: name.
        dtype: dtype of the confusion matrix.
        ignore_class: a label whose elements do not count.
        sparse_y_pred: whether predictions are labels, not one per class.
        axis: axis of the classes.

    Source: https://keras.io/api/metrics/segmentation_metrics/#onehotmeaniou-class
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: PolicyLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
