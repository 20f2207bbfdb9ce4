"""The loss of label sequences whose labels come at unknown steps.

Source: https://keras.io/api/losses/
"""

from __future__ import annotations

from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.losses.loss import NamedLoss
from nkeras.ops.core import full
from nkeras.ops.ctc import ctc_loss
from nkeras.ops.elementwise import not_equal
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.shape import cast


@op
def ctc(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`-log` of the probability of the labels, whatever the steps at which they come.

    Args:
        y_true: labels `(batch, labels)`, int, filled up with 0, which stands for no label.
        y_pred: logits `(batch, steps, classes)`.

    Returns:
        Tensor `(batch,)`; inf where the labels need more steps than there are.

    Raises:
        ValueError: the shapes do not fit, or a label is out of range.

    Example:
        >>> import nkeras
        >>> loss = nkeras.losses.ctc([[1]], nkeras.ops.zeros((1, 2, 2)))
        >>> loss.numpy().round(4)  # -log(3 / 4)
        array([0.2877], dtype=float32)
    """
    labels, logits = to_tensor(y_true), to_tensor(y_pred)
    if len(labels.shape) != 2 or len(logits.shape) != 3:
        raise ValueError(
            "ctc: `y_true` must have shape (batch, labels) and `y_pred` shape (batch, steps, "
            f"classes). Received shapes: {labels.shape} and {logits.shape}"
        )
    lengths = sum_(cast(not_equal(labels, 0), "int32"), axis=-1)
    steps = full(logits.shape[:1], logits.shape[1], "int32")
    return ctc_loss(labels, logits, lengths, steps, mask_index=0)


class CTC(NamedLoss, fn=ctc):
    """Connectionist temporal classification: see `nkeras.losses.ctc`."""
