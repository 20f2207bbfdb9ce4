"""An activation that Keras 2 had under the name of another one of today."""

from __future__ import annotations

from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops import activation as ops
from nkeras.ops.elementwise import multiply


def keras2_hard_sigmoid(x: TensorLike) -> Tensor:
    """`0.2 * x + 0.5` limited to [0, 1]: what Keras 1 and 2 called `hard_sigmoid`.

    It was the default of gates, so many of their models have it. Keras 3 took the name for
    `x / 6 + 0.5`, and runs these models with that.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.keras2_hard_sigmoid([-3.0, 0.0, 1.0]).numpy()
        array([0. , 0.5, 0.7], dtype=float32)
    """
    return ops.hard_sigmoid(multiply(x, 1.2))
