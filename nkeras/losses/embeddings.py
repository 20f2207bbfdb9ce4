"""Circle loss: embeddings of one class near each other, of different classes apart.

Source: Sun et al., https://arxiv.org/abs/2002.10857
"""

from __future__ import annotations

from nkeras.core import dtypes
from nkeras.core.graph import set_mask
from nkeras.core.primitive import op, to_floating, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.losses.loss import NamedLoss
from nkeras.ops.activation import softplus
from nkeras.ops.creation import eye
from nkeras.ops.elementwise import (
    equal,
    greater,
    logical_and,
    logical_not,
    maximum,
    where_,
)
from nkeras.ops.matrix_product import matmul
from nkeras.ops.reduction import logsumexp
from nkeras.ops.shape import cast, reshape, transpose


@op
def circle(
    y_true: TensorLike,
    y_pred: TensorLike,
    ref_labels: TensorLike | None = None,
    ref_embeddings: TensorLike | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Tensor:
    """Circle loss of each embedding against all: far ones of its class, near ones of others.

    Args:
        y_true: labels `(batch,)`, int.
        y_pred: embeddings `(batch, features)`, each of length 1.
        ref_labels: labels of the embeddings that are compared with; `y_true` for None.
        ref_embeddings: embeddings that are compared with `(references, features)`, each of length
            1; `y_pred` for None.
        remove_diagonal: whether an embedding is not compared with the one at its own place.
        gamma: factor of the similarities.
        margin: how far from its best value a similarity may stay.

    Returns:
        Tensor `(batch,)`, with a mask where the loss is above 0.

    Raises:
        ValueError: `y_pred` has not rank 2.

    Example:
        >>> import nkeras
        >>> near = [[1.0, 0.0], [0.8, 0.6]]
        >>> nkeras.losses.circle([0, 0], near).numpy()  # there is no other class
        array([0., 0.], dtype=float32)
        >>> nkeras.losses.circle([0, 0, 1], [*near, [0.0, 1.0]]).numpy().round(1)
        array([0. , 6.4, 0. ], dtype=float32)
    """
    embeddings, labels = to_floating(y_pred), cast(to_tensor(y_true), "int32")
    if len(embeddings.shape) != 2:
        raise ValueError(
            "circle: `y_pred` must be embeddings of shape (batch, features). Received shape: "
            f"{embeddings.shape}"
        )
    others = embeddings if ref_embeddings is None else cast(ref_embeddings, embeddings.dtype)
    other_labels = labels if ref_labels is None else cast(to_tensor(ref_labels), "int32")
    distances = maximum(1.0 - matmul(embeddings, transpose(others)), 0.0)
    same = equal(reshape(labels, (-1, 1)), reshape(other_labels, (1, -1)))
    positive = same
    if remove_diagonal:
        positive = logical_and(same, logical_not(eye(*same.shape, dtype="bool")))
    # Instead of -inf, from which no gradient comes back.
    nothing = float(dtypes.limits(embeddings.dtype)[0]) / 4
    far = gamma * (margin + distances) * (distances - margin)
    near = gamma * maximum(1.0 + margin - distances, 0.0) * (1.0 - margin - distances)
    far_sum = logsumexp(where_(positive, far, nothing), axis=1)
    near_sum = logsumexp(where_(logical_not(same), near, nothing), axis=1)
    loss = softplus(far_sum + near_sum)
    set_mask(loss, greater(loss, 0.0))
    return loss


class Circle(NamedLoss, fn=circle):
    """Distances between embeddings of classes: see `nkeras.losses.circle`."""

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "circle",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.gamma = gamma
        self.margin = margin
        self.remove_diagonal = remove_diagonal
