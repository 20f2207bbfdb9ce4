"""Connectionist temporal classification: labels without saying at which steps they come.

Source: Graves et al., https://doi.org/10.1145/1143844.1143891
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.core import dtypes, graph
from nkeras.core.errors import refuse
from nkeras.core.gradient_rule import gradient_through
from nkeras.core.host import on_host
from nkeras.core.primitive import op, primitive, to_floating, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor, as_tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.beam_search import beam_search
from nkeras.ops.core import full, zeros_like
from nkeras.ops.creation import arange
from nkeras.ops.elementwise import (
    equal,
    exp,
    greater_equal,
    less,
    logaddexp,
    logical_and,
    logical_or,
    not_equal,
    where_,
)
from nkeras.ops.encoding import one_hot
from nkeras.ops.indexing import take_along_axis
from nkeras.ops.matrix_product import matmul
from nkeras.ops.normalization import log_softmax
from nkeras.ops.padding import pad
from nkeras.ops.reduction import logsumexp
from nkeras.ops.reduction import max as max_
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.shape import broadcast_to, cast, concatenate, expand_dims, reshape, stack
from nkeras.ops.sorting import argmax, argsort

_NOTHING = -1e30  # the logarithm of no alignment; -inf would give NaN in differences


@primitive(outputs=("losses", "occupancies"))
def _ctc(
    log_probabilities: Typed,
    target: Typed,
    target_length: Typed,
    output_length: Typed,
    *,
    mask_index: int,
) -> tuple[Spec, Spec]:
    """How improbable the labels are, and given them, how probable each class at each step.

    log_probabilities `(batch, steps, classes)`; target `(batch, labels)`, target_length and
    output_length `(batch,)` int32. Gives losses `(batch,)`, inf where no alignment exists, and
    occupancies of the shape of log_probabilities, by which their gradients are known.
    """
    shape = tuple(log_probabilities.shape)
    if len(shape) != 3 or 0 in shape[1:]:
        raise ValueError(
            "ctc_loss: argument `output` must have shape (batch, steps, classes), with at least "
            f"one step and class. Received shape: {shape}"
        )
    if len(target.shape) != 2 or target.shape[0] != shape[0] or target.shape[1] == 0:
        raise ValueError(
            f"ctc_loss: argument `target` must have shape ({shape[0]}, labels), with at least one "
            f"label, for an output of shape {shape}. Received shape: {tuple(target.shape)}"
        )
    lengths = {"target_length": target_length, "output_length": output_length}
    for name, value in lengths.items():
        if tuple(value.shape) != shape[:1]:
            raise ValueError(
                f"ctc_loss: argument `{name}` must have shape ({shape[0]},) for an output of shape "
                f"{shape}. Received shape: {tuple(value.shape)}"
            )
    return Spec(shape[:1], log_probabilities.dtype), Spec(shape, log_probabilities.dtype)


@_ctc.decomposition
def _ctc_steps(
    log_probabilities: Tensor,
    target: Tensor,
    target_length: Tensor,
    output_length: Tensor,
    mask_index: int,
) -> tuple[Tensor, Tensor]:
    batch, steps, classes = log_probabilities.shape
    labels = _between_masks(target, mask_index)
    states = labels.shape[1]
    emitted = take_along_axis(
        log_probabilities, broadcast_to(expand_dims(labels, 1), (batch, steps, states)), axis=2
    )
    nothing = full((batch, states), _NOTHING, log_probabilities.dtype)
    place = reshape(arange(states), (1, states))
    changes = not_equal(labels[:, 2:], labels[:, :-2])
    skip = pad(where_(changes, 0.0, nothing[:, 2:]), ((0, 0), (2, 0)), constant_values=_NOTHING)
    skip_ahead = pad(skip[:, 2:], ((0, 0), (0, 2)), constant_values=_NOTHING)
    length = expand_dims(output_length, 1)
    last_state = 2 * expand_dims(target_length, 1)
    at_end = logical_and(greater_equal(place, last_state - 1), less(place, last_state + 1))
    ends = where_(at_end, 0.0, nothing)

    forward = [where_(less(place, 2), emitted[:, 0], nothing)]
    for step in range(1, steps):
        joined = _joined(forward[-1], skip, ((0, 0), (2, 0)), slice(None, -2), slice(1, -1))
        forward.append(where_(less(step, length), joined + emitted[:, step], forward[-1]))
    total = logsumexp(forward[-1] + ends, axis=1)
    is_empty = logical_and(equal(output_length, 0), equal(target_length, 0))
    total = where_(equal(output_length, 0), where_(is_empty, 0.0, _NOTHING), total)

    possible = greater_equal(total, _NOTHING / 2)
    losses = where_(possible, -total, float("inf"))
    total = where_(possible, total, 0.0)

    backward = ends
    shares = []
    for step in reversed(range(steps)):
        if step < steps - 1:
            following = backward + emitted[:, step + 1]
            joined = _joined(following, skip_ahead, ((0, 0), (0, 2)), slice(2, None), slice(1, -1))
            backward = where_(less(step, length - 1), joined, ends)
        share = exp(forward[step] + backward - expand_dims(total, 1))
        shares.append(where_(less(step, length), share, 0.0))
    shares = where_(reshape(possible, (batch, 1, 1)), stack(shares[::-1], 1), 0.0)
    occupancies = matmul(shares, one_hot(labels, classes, dtype=log_probabilities.dtype))
    return losses, occupancies


def _between_masks(target: Tensor, mask_index: int) -> Tensor:
    """Labels with a mask before, between and behind them: `(batch, 2 * labels + 1)`."""
    masks = full(target.shape, mask_index, "int32")
    pairs = reshape(stack([masks, target], 2), (target.shape[0], -1))
    return concatenate([pairs, masks[:, :1]], axis=1)


def _joined(x: Tensor, skip: Tensor, width: Any, two: slice, one: slice) -> Tensor:
    """The sum of staying in a state, going on by one, and by two where that is allowed."""
    padded = pad(x, width, constant_values=_NOTHING)
    return logaddexp(logaddexp(x, padded[:, one]), padded[:, two] + skip)


@_ctc.vjp("log_probabilities")
def _(
    log_probabilities: Tensor,
    target: Tensor,
    target_length: Tensor,
    output_length: Tensor,
    occupancies: Tensor,
    mask_index: int,
    grad_losses: Tensor | None = None,
    grad_occupancies: Tensor | None = None,
) -> Tensor:
    if grad_occupancies is None:
        assert grad_losses is not None
        return -reshape(grad_losses, (-1, 1, 1)) * occupancies

    # Only derivatives of derivatives ask for these.
    def steps(log_probabilities: Tensor) -> tuple[Tensor, Tensor]:
        lengths = target_length, output_length
        return _ctc_steps(log_probabilities, target, *lengths, mask_index=mask_index)

    losses = zeros_like(cast(target_length, occupancies.dtype))
    given = [losses if grad_losses is None else grad_losses, grad_occupancies]
    (gradient,) = gradient_through(steps, [log_probabilities], given)
    assert gradient is not None
    return gradient


@op
def ctc_loss(
    target: TensorLike,
    output: TensorLike,
    target_length: TensorLike,
    output_length: TensorLike,
    mask_index: int = 0,
) -> Tensor:
    """`-log` of the probability of label sequences, whatever the steps at which the labels come.

    A sample whose labels need more steps than it has gets the loss inf, and no gradient (Keras on
    JAX gives about 1e5 instead).

    Args:
        target: labels `(batch, labels)`, int; behind `target_length` they do not matter.
        output: logits `(batch, steps, classes)`.
        target_length: number of labels of each sample `(batch,)`, int.
        output_length: number of steps of each sample `(batch,)`, int.
        mask_index: the class that stands for no label.

    Returns:
        Tensor `(batch,)`.

    Raises:
        ValueError: the shapes do not fit, or a label is out of range.

    Example:
        >>> import nkeras
        >>> logits = nkeras.ops.zeros((1, 2, 2))
        >>> round(float(nkeras.ops.ctc_loss([[1]], logits, [1], [2])[0]), 4)  # -log(3 / 4)
        0.2877

    Source: https://keras.io/api/ops/nn/
    """
    labels, lengths = cast(to_tensor(target), "int32"), cast(to_tensor(target_length), "int32")
    logits = to_floating(output)
    logits = cast(logits, dtypes.result_type(logits.dtype, "float32"))
    steps = cast(to_tensor(output_length), "int32")
    log_probabilities = log_softmax(logits, axis=-1)
    losses, _ = _ctc(log_probabilities, labels, lengths, steps, mask_index=mask_index)
    classes = logits.shape[-1]
    if not 0 <= mask_index < classes:
        refuse("mask_index", mask_index, f"in [0, {classes - 1}]", "ctc_loss")
    if not any(isinstance(x, graph.KerasTensor) for x in (labels, lengths, logits)):
        _check_labels(labels, lengths, classes)
    return losses


def _check_labels(labels: Tensor, lengths: Tensor, classes: int) -> None:
    def check(labels: np.ndarray, lengths: np.ndarray) -> None:
        used = labels[np.arange(labels.shape[1]) < lengths[:, None]]
        wrong = used[(used < 0) | (used >= classes)]
        if wrong.size:
            raise ValueError(
                f"ctc_loss: the label {wrong[0]} in `target` is out of range: for an `output` with "
                f"{classes} classes labels must be in [0, {classes - 1}]."
            )

    on_host(check, labels, lengths)


@op
def ctc_decode(
    inputs: TensorLike,
    sequence_lengths: TensorLike,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[Tensor, Tensor]:
    """The most probable label sequences for the outputs of a CTC model.

    `"greedy"` takes the best class of each step, which gradients go through; `"beam_search"` sums
    up the alignments of label sequences and computes on the host.

    Args:
        inputs: logits `(batch, steps, classes)`.
        sequence_lengths: number of steps of each sample `(batch,)`, int.
        strategy: `"greedy"` or `"beam_search"`.
        beam_width: how many label sequences beam search keeps at each step.
        top_paths: how many label sequences beam search gives.
        merge_repeated: whether a class in several steps in a row counts once, for `"greedy"`; beam
            search always does that.
        mask_index: the class that stands for no label.

    Returns:
        Tensors: labels `(paths, batch, steps)`, int32, -1 behind their end, with one path for
        `"greedy"`; and `(batch, paths)`, for `"greedy"` minus the sum of the best logits, else the
        logarithms of the probabilities.

    Raises:
        ValueError: an argument is out of range, or the shapes do not fit.

    Example:
        >>> import nkeras
        >>> logits = nkeras.ops.log([[[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]]])
        >>> nkeras.ops.ctc_decode(logits, [3])[0].numpy()
        array([[[ 1, -1, -1]]], dtype=int32)

    Source: https://keras.io/api/ops/nn/
    """
    logits, lengths = to_floating(inputs), cast(to_tensor(sequence_lengths), "int32")
    logits = cast(logits, dtypes.result_type(logits.dtype, "float32"))
    if len(logits.shape) != 3 or lengths.shape != logits.shape[:1]:
        raise ValueError(
            "ctc_decode: `inputs` must have shape (batch, steps, classes) and `sequence_lengths` "
            f"shape (batch,). Received shapes: {logits.shape} and {lengths.shape}"
        )
    batch, steps, classes = logits.shape
    if not 0 <= mask_index < classes:
        refuse("mask_index", mask_index, f"in [0, {classes - 1}]", "ctc_decode")
    if strategy == "greedy":
        return _greedy(logits, lengths, merge_repeated, mask_index)
    if strategy != "beam_search":
        refuse("strategy", strategy, '"greedy" or "beam_search"', "ctc_decode")
    for name, value in (("beam_width", beam_width), ("top_paths", top_paths)):
        if value < 1:
            refuse(name, value, "at least 1", "ctc_decode")
    log_probabilities = log_softmax(logits, axis=-1)
    if isinstance(logits, graph.KerasTensor) or isinstance(lengths, graph.KerasTensor):
        labels = graph.symbolic((top_paths, batch, steps), "int32")
        return labels, graph.symbolic((batch, top_paths), logits.dtype)
    labels, scores = beam_search(
        log_probabilities.numpy(), lengths.numpy(), beam_width, top_paths, mask_index
    )
    return as_tensor(labels, "int32"), as_tensor(scores, logits.dtype)


def _greedy(
    logits: Tensor, lengths: Tensor, merge_repeated: bool, mask_index: int
) -> tuple[Tensor, Tensor]:
    steps = logits.shape[1]
    place = reshape(arange(steps), (1, steps))
    inside = less(place, expand_dims(lengths, 1))
    best = where_(inside, argmax(logits, axis=-1), mask_index)
    score = -sum_(where_(inside, max_(logits, axis=-1), 0.0), axis=1, keepdims=True)
    is_mask = equal(best, mask_index)
    if merge_repeated:
        repeated = pad(equal(best[:, 1:], best[:, :-1]), ((0, 0), (1, 0)), constant_values=False)
        is_mask = logical_or(is_mask, repeated)
    labels = where_(is_mask, -1, best)
    order = argsort(where_(is_mask, steps, place), axis=-1)
    return expand_dims(take_along_axis(labels, order, axis=-1), 0), score
