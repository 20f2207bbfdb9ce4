"""Normalization of groups of channels."""

from __future__ import annotations

from nkeras import ops
from nkeras.core import dtypes
from nkeras.core.errors import refuse, short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    AllLayerOptions,
    ConstraintLike,
    InitializerLike,
    PartialShape,
    RegularizerLike,
    Unpack,
)
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.ops.group_norm import group_normalization


class GroupNormalization(Layer):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, statistics of groups of channels.

    Mean and variance are those of a sample, over all positions and the channels of a group.

    Args:
        groups: number of groups, a divisor of the number of channels; -1 for as many as channels
            (instance normalization), 1 is nearly layer normalization.
        axis: int: where the channels lie.
        epsilon: added to the variance.
        center: whether to add `beta`.
        scale: whether to multiply by `gamma`.
        beta_initializer: initializer of `beta` `(channels,)`.
        gamma_initializer: initializer of `gamma` `(channels,)`.
        beta_regularizer: penalty of `beta`.
        gamma_regularizer: penalty of `gamma`.
        beta_constraint: applied to `beta` after each update.
        gamma_constraint: applied to `gamma` after each update.

    Input shape: any of rank 2 or more. Output shape: the same.

    Raises:
        ValueError: an argument is out of range, or does not fit the channels.

    Example:
        >>> import numpy as np
        >>> y = GroupNormalization(groups=2)(np.array([[1.0, 3.0, 50.0, 90.0]]))
        >>> y.numpy().round(2).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]

    Source: Wu and He 2018, https://arxiv.org/abs/1803.08494
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        is_int = hasattr(groups, "__index__") and not isinstance(groups, bool)
        if not is_int or (groups <= 0 and groups != -1):
            refuse("groups", groups, "a positive int, or -1", "GroupNormalization")
        if not hasattr(axis, "__index__"):
            refuse("axis", axis, "an int", "GroupNormalization")
        self.groups = int(groups)
        self.axis = int(axis)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self._set_options("beta", beta_initializer, beta_regularizer, beta_constraint)
        self._set_options("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)
        self.supports_masking = True
        self.autocast = False

    def build(self, input_shape: PartialShape) -> None:
        """Make gamma and beta."""
        rank = len(input_shape)
        if not -rank <= self.axis < rank or self.axis % rank == 0:
            expected = f"an axis of shape {tuple(input_shape)} behind the first"
            refuse("axis", self.axis, expected, "GroupNormalization")
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"GroupNormalization: the size of axis {self.axis} must be known. Received: "
                f"input_shape={short(tuple(input_shape))}"
            )
        self.groups = channels if self.groups == -1 else self.groups
        if channels % self.groups:
            expected = f"a divisor of the number of channels, {channels}"
            refuse("groups", self.groups, expected, "GroupNormalization")
        self.input_spec = InputSpec(ndim=rank, axes={self.axis: channels})
        self.gamma = self.add_weight("gamma", (channels,), autocast=False) if self.scale else None
        self.beta = self.add_weight("beta", (channels,), autocast=False) if self.center else None

    def call(self, inputs: Tensor) -> Tensor:
        """The normalized inputs."""
        if not dtypes.is_floating(inputs.dtype):
            inputs = ops.cast(inputs, self.compute_dtype)
        axis = self.axis % len(inputs.shape)
        y = group_normalization(
            inputs, self.gamma, self.beta, groups=self.groups, axis=axis, epsilon=self.epsilon
        )
        return ops.cast(y, self.compute_dtype)
