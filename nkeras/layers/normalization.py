"""Batch normalization."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import initializers, ops
from nkeras.core import dtypes, tape
from nkeras.core.config import epsilon as fuzz
from nkeras.core.errors import refuse
from nkeras.core.spec import Shape
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    AllLayerOptions,
    ConstraintLike,
    DTypeLike,
    InitializerLike,
    PartialShape,
    RegularizerLike,
    Unpack,
)
from nkeras.core.variable import Variable
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.ops.batch_norm import batch_norm, batch_norm_inference, moving_average


class BatchNormalization(Layer):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` with statistics over all axes but one.

    In training, mean and variance are those of the batch, and
    `moving = moving * momentum + batch * (1 - momentum)`; else the moving ones are used, also if
    the layer is not `trainable`.

    Args:
        axis: the axis that is kept (channels).
        momentum: momentum of the moving statistics.
        epsilon: added to the variance.
        center: whether to add `beta`.
        scale: whether to multiply by `gamma`.
        beta_initializer: initializer of `beta`.
        gamma_initializer: initializer of `gamma`.
        moving_mean_initializer: initializer of the moving mean.
        moving_variance_initializer: initializer of the moving variance.
        beta_regularizer: penalty of `beta`.
        gamma_regularizer: penalty of `gamma`.
        beta_constraint: applied to `beta` after each update.
        gamma_constraint: applied to `gamma` after each update.
        renorm: correct the batch statistics towards moving ones, for small batches.
        renorm_clipping: dict with `rmax`, `rmin`, `dmax`: limits of that correction.
        renorm_momentum: momentum of the statistics that renorm corrects towards.
        synchronized: whether statistics are those of all devices together; nkeras trains on one,
            so it changes nothing.

    Call arguments: `inputs`; `training`; `mask` of the inputs' rank less one, False for positions
    that do not count in the statistics.

    Input shape: any of rank 2 or more. Output shape: the same.

    Raises:
        ValueError: an argument or a mask does not fit.

    Example:
        >>> import numpy as np
        >>> layer = BatchNormalization()
        >>> y = layer(np.array([[1.0], [3.0]]), training=True)
        >>> [round(value, 3) for value in y.numpy().ravel().tolist()]
        [-1.0, 1.0]

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167; renorm: Ioffe 2017,
    https://arxiv.org/abs/1702.03275
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if not hasattr(axis, "__index__"):
            refuse("axis", axis, "an int", "BatchNormalization")
        self.axis = int(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self._set_options("beta", beta_initializer, beta_regularizer, beta_constraint)
        self._set_options("gamma", gamma_initializer, gamma_regularizer, gamma_constraint)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = renorm
        self.renorm_clipping = _checked_clipping(renorm_clipping) if renorm else renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.synchronized = synchronized
        self.supports_masking = True

    def build(self, input_shape: PartialShape) -> None:
        """Make gamma, beta and the moving statistics."""
        rank = len(input_shape)
        if not -rank <= self.axis < rank:
            refuse(
                "axis", self.axis, f"an axis of shape {tuple(input_shape)}", "BatchNormalization"
            )
        shape = (input_shape[self.axis],)
        self.gamma = self.add_weight("gamma", shape, autocast=False) if self.scale else None
        self.beta = self.add_weight("beta", shape, autocast=False) if self.center else None
        self.moving_mean = self._statistic("moving_mean", shape, self.moving_mean_initializer)
        variance = self.moving_variance_initializer
        self.moving_variance = self._statistic("moving_variance", shape, variance)
        if self.renorm:

            def root(shape: Shape, dtype: DTypeLike = None) -> Tensor:
                return ops.sqrt(variance(shape, dtype=dtype))

            self.moving_stddev = self._statistic("moving_stddev", shape, root)
            self.renorm_mean = self._statistic("renorm_mean", shape, self.moving_mean_initializer)
            self.renorm_stddev = self._statistic("renorm_stddev", shape, root)
        self.input_spec = InputSpec(ndim=rank, axes={self.axis: shape[0]})

    def _statistic(
        self, name: str, shape: Sequence[int | None], initializer: InitializerLike
    ) -> Variable:
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, trainable=False, autocast=False
        )

    def call(
        self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """The normalized inputs."""
        if mask is not None and len(mask.shape) != len(inputs.shape) - 1:
            raise ValueError(
                "BatchNormalization: argument `mask` must have one axis less than the inputs. "
                f"Received: mask.shape={mask.shape}, inputs.shape={inputs.shape}"
            )
        dtype = dtypes.result_type(inputs.dtype, "float32")
        x = ops.cast(inputs, dtype)
        if not self.renorm and mask is None:
            return ops.cast(self._fused(x, training), self.compute_dtype)
        gamma, beta = self.gamma, self.beta
        if training and self.trainable:
            mean, variance, x = self._batch_statistics(x, mask)
            if self.renorm:
                gamma, beta = self._corrected(mean, variance)
            with tape.paused():
                self._update_moving(mean, variance)
        else:
            mean = self._wide(self.moving_mean, x)
            variance = self._wide(self.moving_variance, x)
            x = x - mean
        factor = ops.rsqrt(variance + self.epsilon)
        if gamma is not None:
            factor = factor * self._wide(gamma, x)
        y = x * factor
        if beta is not None:
            y = y + self._wide(beta, x)
        return ops.cast(y, self.compute_dtype)

    def _fused(self, x: Tensor, training: bool | None) -> Tensor:
        """With channels last, which one kernel does."""
        if self.axis % len(x.shape) != len(x.shape) - 1:
            y = self._channels_last(ops.moveaxis(x, self.axis, -1), training)
            return ops.moveaxis(y, -1, self.axis)
        return self._channels_last(x, training)

    def _channels_last(self, x: Tensor, training: bool | None) -> Tensor:

        def vector(variable: Variable | None) -> Tensor | None:
            return variable if variable is None else ops.cast(variable, x.dtype)

        gamma, beta = vector(self.gamma), vector(self.beta)
        if training and self.trainable:
            y, mean, variance = batch_norm(x, gamma, beta, epsilon=self.epsilon)
            with tape.paused():
                self._update_moving(mean, variance)
            return y
        mean, variance = vector(self.moving_mean), vector(self.moving_variance)
        return batch_norm_inference(x, mean, variance, gamma, beta, epsilon=self.epsilon)

    def _batch_statistics(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance with all axes kept, and x without its mean (needed twice)."""
        kept = self.axis % len(x.shape)
        axes = tuple(axis for axis in range(len(x.shape)) if axis != kept)
        if mask is None:
            mean = ops.mean(x, axis=axes, keepdims=True)
            centered = x - mean
            return mean, ops.mean(ops.square(centered), axis=axes, keepdims=True), centered
        counted = ops.broadcast_to(ops.expand_dims(ops.cast(mask, "bool"), -1), x.shape)
        count = ops.sum(ops.cast(counted, x.dtype), axis=axes, keepdims=True) + fuzz()
        mean = ops.sum(ops.where(counted, x, 0.0), axis=axes, keepdims=True) / count
        centered = x - mean
        squares = ops.square(ops.where(counted, centered, 0.0))
        return mean, ops.sum(squares, axis=axes, keepdims=True) / count, centered

    def _wide(self, vector: Tensor | Variable, x: Tensor) -> Tensor:
        """A vector along `axis`, broadcastable to x, in its dtype."""
        vector = ops.cast(vector, x.dtype)
        behind = len(x.shape) - 1 - self.axis % len(x.shape)
        return ops.reshape(vector, (-1, *(1,) * behind)) if behind else vector

    def _update_moving(self, mean: Tensor, variance: Tensor) -> None:
        mean, variance = ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))
        if not self.renorm:
            _move(self.moving_mean, mean, self.momentum)
            _move(self.moving_variance, variance, self.momentum)
            return
        deviation = ops.sqrt(variance + self.epsilon)
        _move(self.renorm_mean, mean, self.renorm_momentum)
        _move(self.renorm_stddev, deviation, self.renorm_momentum)
        _move(self.moving_mean, mean, self.momentum)
        moved = _move(self.moving_stddev, deviation, self.momentum)
        self.moving_variance.assign(ops.relu(moved * moved - self.epsilon))

    def _corrected(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Gamma and beta that move the batch's statistics towards those of renorm."""
        limits = self.renorm_clipping or {}
        with tape.paused():
            mean, variance = ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))
            least = self.epsilon**0.5
            target = ops.maximum(ops.cast(self.renorm_stddev, mean.dtype), least)
            r = ops.sqrt(variance + self.epsilon) / target
            d = (mean - ops.cast(self.renorm_mean, mean.dtype)) / target
            if limits.get("rmin") is not None:
                r = ops.maximum(r, limits["rmin"])
            if limits.get("rmax") is not None:
                r = ops.minimum(r, limits["rmax"])
            if limits.get("dmax") is not None:
                d = ops.clip(d, -limits["dmax"], limits["dmax"])
        if self.gamma is not None:
            gamma = ops.cast(self.gamma, r.dtype)
            r, d = r * gamma, d * gamma
        return r, d if self.beta is None else d + ops.cast(self.beta, d.dtype)


def _move(variable: Variable, value: Tensor, momentum: float) -> Tensor:
    """Let a moving statistic follow a value; returns what it has become."""
    moved = moving_average(ops.cast(variable, value.dtype), value, momentum, 1.0 - momentum)
    variable.assign(moved)
    return moved


def _checked_clipping(clipping: dict[str, float] | None) -> dict[str, float]:
    limits = dict(clipping or {})
    known = ("rmax", "rmin", "dmax")
    low, high, shift = limits.get("rmin"), limits.get("rmax"), limits.get("dmax")
    if set(limits) - set(known):
        refuse("renorm_clipping", clipping, f"a dict with keys of {known}", "BatchNormalization")
    if (low is not None and high is not None and high < low) or (shift is not None and shift < 0):
        refuse("renorm_clipping", clipping, "rmax >= rmin and dmax >= 0", "BatchNormalization")
    return limits
