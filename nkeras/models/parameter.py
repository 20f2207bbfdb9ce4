"""A weight by itself, for graphs whose operations take weights of their own."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import constraints, initializers, ops, regularizers
from nkeras.core.errors import is_a, refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    AllLayerOptions,
    ConstraintLike,
    InitializerLike,
    PartialShape,
    RegularizerLike,
    Structure,
    Unpack,
)
from nkeras.layers.base import Layer


class Parameter(Layer):
    """Returns its one weight, whatever it is called on.

    In a functional model it makes a trainable tensor for operations between tensors;
    `nkeras.models.from_onnx` makes one of each weight that belongs to no other layer.

    Args:
        shape: the weight's shape, which has no batch axis.
        initializer: initializer of the weight.
        regularizer: penalty of the weight.
        constraint: applied to the weight after each update.

    Input shape: any. Output shape: `shape`.

    Raises:
        ValueError: `shape` is no sequence of int.

    Example:
        >>> import nkeras
        >>> x = nkeras.Input((3,))
        >>> scaled = x * Parameter((3,), initializer="ones")(x)
        >>> nkeras.Model(x, scaled).count_params()
        3

    Source: https://pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """

    def __init__(
        self,
        shape: Sequence[int],
        initializer: InitializerLike = "glorot_uniform",
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if not is_a(shape, (tuple, list)) or not all(
            hasattr(size, "__index__") and size >= 0 for size in shape
        ):
            refuse("shape", shape, "a sequence of int >= 0", "Parameter")
        self.shape = tuple(int(size) for size in shape)
        self.initializer = initializers.get(initializer)
        self.regularizer = regularizers.get(regularizer)
        self.constraint = constraints.get(constraint)

    def build(self, input_shape: PartialShape) -> None:
        """Make the weight."""
        self.value = self.add_weight(
            name="value",
            shape=self.shape,
            initializer=self.initializer,
            regularizer=self.regularizer,
            constraint=self.constraint,
        )

    def call(self, inputs: Structure) -> Tensor:
        """The weight."""
        return ops.cast(self.value, self.compute_dtype)
