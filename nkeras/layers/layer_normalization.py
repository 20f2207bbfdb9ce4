"""Normalization of each sample along axes: by mean and variance, root mean square, or norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core import dtypes
from nkeras.core.errors import refuse, short, warn
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


class _LayerNormalizationOptions(AllLayerOptions, total=False):
    rms_scaling: bool


class LayerNormalization(Layer):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` with statistics of each sample.

    Args:
        axis: int or list of int: the axes that mean and variance are taken over.
        epsilon: added to the variance.
        center: whether to add `beta`.
        scale: whether to multiply by `gamma`.
        beta_initializer: initializer of `beta`, of the sizes of the axes.
        gamma_initializer: initializer of `gamma`, of the sizes of the axes.
        beta_regularizer: penalty of `beta`.
        gamma_regularizer: penalty of `gamma`.
        beta_constraint: applied to `beta` after each update.
        gamma_constraint: applied to `gamma` after each update.
        **kwargs: what every layer takes; and `rms_scaling`, for old models: divide by the
            deviation without removing the mean, without `beta`.

    Input shape: any. Output shape: the same.

    Raises:
        TypeError: `axis` is neither int nor list of int.
        ValueError: an axis is out of range.

    Example:
        >>> import numpy as np
        >>> y = LayerNormalization()(np.array([[1.0, 3.0], [0.0, 100.0]]))
        >>> y.numpy().round(3).tolist()
        [[-1.0, 1.0], [-1.0, 1.0]]

    Source: Ba et al. 2016, https://arxiv.org/abs/1607.06450
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **Layer.config_reads,
        "rms_scaling": "rms_scaling",
    }

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **kwargs: Unpack[_LayerNormalizationOptions],
    ) -> None:
        rms_scaling = kwargs.pop("rms_scaling", False)
        super().__init__(**kwargs)
        self.axis = _checked_axis(axis, "LayerNormalization")
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.rms_scaling = rms_scaling
        self._set_options("beta", beta_initializer, beta_regularizer, beta_constraint)
        self._set_options("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)
        self.supports_masking = True
        self.autocast = False
        if rms_scaling:
            warn(
                "LayerNormalization: argument `rms_scaling` is for old models: it divides by the "
                "deviation, not by the root mean square. Use RMSNormalization for that."
            )

    def build(self, input_shape: PartialShape) -> None:
        """Make gamma and beta."""
        self.axis, shape = _kept_axes(self.axis, input_shape, "LayerNormalization")
        with_gamma = self.scale or self.rms_scaling
        with_beta = self.center and not self.rms_scaling
        self.gamma = self.add_weight("gamma", shape, autocast=False) if with_gamma else None
        self.beta = self.add_weight("beta", shape, autocast=False) if with_beta else None

    def call(self, inputs: Tensor) -> Tensor:
        """The normalized inputs."""
        x = _floating(inputs, self.compute_dtype)
        y = ops.layer_normalization(
            x, self.gamma, self.beta, self.axis, self.epsilon, rms_scaling=self.rms_scaling
        )
        return ops.cast(y, self.compute_dtype)


class RMSNormalization(Layer):
    """`scale * x / sqrt(mean(x**2) + epsilon)` with the mean of each sample.

    Args:
        axis: int or list of int: the axes that the mean is taken over.
        epsilon: added to the mean square.

    Input shape: any. Output shape: the same.

    Raises:
        TypeError: `axis` is neither int nor list of int.
        ValueError: an axis is out of range.

    Example:
        >>> import numpy as np
        >>> RMSNormalization()(np.array([[3.0, 3.0], [-2.0, 2.0]])).numpy().round(3).tolist()
        [[1.0, 1.0], [-1.0, 1.0]]

    Source: Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467. The scale lies along `axis`,
    where Keras 3.15 lays it along the last axis.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-6,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.axis = _checked_axis(axis, "RMSNormalization")
        self.epsilon = epsilon

    def build(self, input_shape: PartialShape) -> None:
        """Make the scale."""
        self.axis, shape = _kept_axes(self.axis, input_shape, "RMSNormalization")
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")

    def call(self, x: Tensor) -> Tensor:
        """The normalized inputs."""
        rank = len(x.shape)
        axes = [axis % rank for axis in _as_list(self.axis)]
        scale = ops.reshape(self.scale, [x.shape[i] if i in axes else 1 for i in range(rank)])
        return ops.rms_normalization(x, scale, axis=self.axis, epsilon=self.epsilon)


class UnitNormalization(Layer):
    """`x / sqrt(sum(x**2))`: each sample gets the Euclidean norm 1.

    Args:
        axis: int or list of int: the axes that the norm is taken over.

    Input shape: any. Output shape: the same.

    Raises:
        TypeError: `axis` is neither int nor list of int.

    Example:
        >>> import numpy as np
        >>> UnitNormalization()(np.array([[3.0, 4.0]])).numpy()
        array([[0.6, 0.8]], dtype=float32)

    Source: https://keras.io/api/layers/normalization_layers/unit_normalization/
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = _checked_axis(axis, "UnitNormalization")
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The inputs with norm 1."""
        return ops.normalize(inputs, axis=_as_list(self.axis), order=2, epsilon=1e-12)


def _as_list(axis: int | list[int]) -> list[int]:
    return [axis] if isinstance(axis, int) else axis


def _checked_axis(axis: Any, owner: str) -> int | list[int]:
    """An int, or a list of ints.

    Raises:
        TypeError: it is something else.
    """
    if hasattr(axis, "__index__"):
        return int(axis)
    if isinstance(axis, (list, tuple)) and all(hasattr(item, "__index__") for item in axis):
        return [int(item) for item in axis]
    raise TypeError(
        f"{owner}: argument `axis` must be an int or a list of ints. Received: {short(axis)}"
    )


def _kept_axes(
    axis: int | list[int], input_shape: PartialShape, owner: str
) -> tuple[list[int], tuple[int | None, ...]]:
    """The axes as Keras writes them once a layer is built, and the sizes along them.

    Raises:
        ValueError: an axis is out of range, or stands twice.
    """
    axes, rank = sorted(_as_list(axis)), len(input_shape)
    found = {item % rank for item in axes if -rank <= item < rank}
    if len(found) < len(axes) or not axes:
        refuse("axis", axis, f"different axes of shape {tuple(input_shape)}", owner)
    return axes, tuple(input_shape[item] for item in axes)


def _floating(x: Tensor, dtype: str) -> Tensor:
    return x if dtypes.is_floating(x.dtype) else ops.cast(x, dtype)
