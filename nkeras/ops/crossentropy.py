"""Cross-entropies: from probabilities, or from logits through fused primitives."""

from __future__ import annotations

import math

import numpy as np

from nkeras.core import config, graph
from nkeras.core.errors import short
from nkeras.core.host import on_host
from nkeras.core.primitive import op, to_floating, to_tensor
from nkeras.core.spec import normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.arranging import moveaxis
from nkeras.ops.loss import (
    binary_cross_entropy,
    cross_entropy,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    sparse_cross_entropy,
    sparse_softmax_cross_entropy,
)
from nkeras.ops.shape import cast, reshape, shaped, squeeze


@op
def binary_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False
) -> Tensor:
    """`-target * log(p) - (1 - target) * log(1 - p)` of each element.

    Args:
        target: tensor of probabilities.
        output: tensor of the same shape: probabilities, or logits of the sigmoid.
        from_logits: whether `output` holds logits.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> import nkeras
        >>> round(nkeras.ops.binary_crossentropy([1.0], [0.5])[0].item(), 3)
        0.693

    Source: https://keras.io/api/ops/nn/
    """
    target, output = to_floating(target), to_floating(output)
    if target.shape != output.shape:
        raise ValueError(
            "binary_crossentropy: `target` and `output` must have the same shape. Received: "
            f"{target.shape} and {output.shape}"
        )
    if from_logits:
        return sigmoid_cross_entropy(target, output)
    return binary_cross_entropy(target, output, config.epsilon(), 1.0 - config.epsilon())


@op
def categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """`-sum(target * log(p))` along the classes' axis.

    Args:
        target: tensor of probabilities `(..., classes)`.
        output: tensor of the same shape: probabilities (scaled to the sum 1), or logits.
        from_logits: whether `output` holds logits.
        axis: the classes' axis.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: the shapes differ or have rank 0.
    """
    target, output = to_tensor(target), to_floating(output)
    if target.shape != output.shape or not target.shape:
        raise ValueError(
            "categorical_crossentropy: `target` and `output` must have the same shape, of rank "
            f"1 or more. Received: {target.shape} and {output.shape}"
        )
    target = cast(target, output.dtype)
    target, output = moveaxis(target, axis, -1), moveaxis(output, axis, -1)
    shape, rows = output.shape[:-1], (-1, output.shape[-1])
    target, output = reshape(target, rows), reshape(output, rows)
    if from_logits:
        loss, _ = softmax_cross_entropy(target, output)
    else:
        loss = cross_entropy(target, output, epsilon=config.epsilon())
    return reshape(loss, shape)


@op
def sparse_categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """`-log(p[label])` along the classes' axis.

    Args:
        target: tensor of int labels: the shape of `output` without the axis, or with size 1 there.
        output: tensor: probabilities (scaled to the sum 1), or logits.
        from_logits: whether `output` holds logits.
        axis: the classes' axis.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: a label is out of `[0, classes)`, or the shapes do not fit.
    """
    labels, output = to_tensor(target), to_floating(output)
    if not output.shape:
        raise ValueError("sparse_categorical_crossentropy: `output` must have at least rank 1.")
    axis = normalize_axis(axis, len(output.shape), "sparse_categorical_crossentropy")
    if len(labels.shape) == len(output.shape) and labels.shape[axis] == 1:
        labels = squeeze(labels, axis)
    classes = output.shape[axis]
    expected = (*output.shape[:axis], *output.shape[axis + 1 :])
    if labels.shape != expected:
        raise ValueError(
            f"sparse_categorical_crossentropy: `target` must have the shape {expected} for an "
            f"`output` of shape {output.shape} with classes along axis {short(axis)}. "
            f"Received shape {labels.shape}"
        )
    labels = _checked_labels(labels, classes)
    rows = output if axis == len(expected) else moveaxis(output, axis, -1)
    count = math.prod(expected)
    rows, labels = shaped(rows, (count, classes)), shaped(labels, (count,))
    if from_logits:
        loss, _ = sparse_softmax_cross_entropy(rows, labels)
    else:
        loss = sparse_cross_entropy(rows, labels, epsilon=config.epsilon())
    return shaped(loss, expected)


def _checked_labels(labels: Tensor, classes: int) -> Tensor:
    labels = cast(labels, "int32")
    if isinstance(labels, graph.KerasTensor):
        return labels

    def check(values: np.ndarray) -> None:
        # As unsigned numbers, negative ones are the largest.
        if values.size and values.view(np.uint32).max() >= classes:
            wrong = values[np.logical_or(values < 0, values >= classes)].ravel()[0]
            raise ValueError(
                f"sparse_categorical_crossentropy: the label {wrong} in `target` is out of range: "
                f"for an `output` with {classes} classes labels must be in [0, {classes - 1}]."
            )

    on_host(check, labels)
    return labels
