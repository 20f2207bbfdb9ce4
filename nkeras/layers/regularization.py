"""Layers that act in training only: dropout, noise, activity penalties."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from nkeras import ops, regularizers
from nkeras.backend.scalars.activation import SELU_ALPHA, SELU_SCALE
from nkeras.core.config import standardize_data_format
from nkeras.core.configurable import ANY
from nkeras.core.errors import is_a, refuse
from nkeras.core.random import SeedGenerator
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, LayerOptions, PolicyLike, Unpack
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.ops.random import dropout, normal, uniform


class Dropout(Layer):
    """In training, sets a random part of the inputs to 0 and scales the others by `1 / (1 - rate)`.

    Args:
        rate: part to drop, in [0, 1].
        noise_shape: shape of the random mask, which broadcasts to the inputs; None in it stands for
            the inputs' size.
        seed: int.

    Call arguments: `inputs`, `training`.

    Input shape: any. Output shape: the same.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> Dropout(0.5)(np.array([1.0, 2.0]), training=False).numpy()
        array([1., 2.], dtype=float32)

    Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        _check_part("rate", rate, type(self).__name__)
        self.rate = rate
        self.seed = seed
        self.noise_shape = _noise_shape(noise_shape)
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """The inputs, in training with holes."""
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return ops.zeros_like(inputs)
        return dropout(inputs, self.rate, self._mask_shape(inputs), self.seed_generator)

    def _mask_shape(self, inputs: Tensor) -> Sequence[int | None] | None:
        return self.noise_shape


class _SpatialDropout(Dropout):
    """Dropout of whole channels."""

    config_reads: ClassVar[Mapping[str, str]] = {**Layer.config_reads, "dtype": "dtype"}
    rank: int

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)
        self.data_format = standardize_data_format(data_format, type(self).__name__)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _mask_shape(self, inputs: Tensor) -> Sequence[int | None] | None:
        ones = (1,) * self.rank
        return (None, None, *ones) if self.data_format == "channels_first" else (None, *ones, None)


class SpatialDropout1D(_SpatialDropout):
    """In training, drops whole channels of sequences.

    Args:
        rate: part of the channels to drop, in [0, 1].
        seed: int.
        name: name.
        dtype: dtype or policy.

    Input shape: `(batch, steps, channels)`. Output shape: the same.

    Example:
        >>> import nkeras
        >>> SpatialDropout1D(0.5)(nkeras.ops.ones((1, 4, 2)), training=True).shape
        (1, 4, 2)

    Source: Tompson et al. 2014, https://arxiv.org/abs/1411.4280
    """

    rank = 1

    def __init__(
        self,
        rate: float,
        seed: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(rate, "channels_last", seed, name, dtype)


class SpatialDropout2D(_SpatialDropout):
    """In training, drops whole channels of images.

    Args:
        rate: part of the channels to drop, in [0, 1].
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        name: name.
        dtype: dtype or policy.

    Input shape: `(batch, height, width, channels)`, or channels first. Output shape: the same.

    Example:
        >>> import nkeras
        >>> SpatialDropout2D(0.5)(nkeras.ops.ones((1, 4, 4, 2)), training=True).shape
        (1, 4, 4, 2)

    Source: Tompson et al. 2014, https://arxiv.org/abs/1411.4280
    """

    rank = 2


class SpatialDropout3D(_SpatialDropout):
    """In training, drops whole channels of volumes.

    Args:
        rate: part of the channels to drop, in [0, 1].
        data_format: `"channels_last"` or `"channels_first"`.
        seed: int.
        name: name.
        dtype: dtype or policy.

    Input shape: `(batch, depth, height, width, channels)`, or channels first.
    Output shape: the same.

    Example:
        >>> import nkeras
        >>> SpatialDropout3D(0.5)(nkeras.ops.ones((1, 2, 2, 2, 3)), training=True).shape
        (1, 2, 2, 2, 3)

    Source: Tompson et al. 2014, https://arxiv.org/abs/1411.4280
    """

    rank = 3


class AlphaDropout(Dropout):
    """Dropout that keeps mean and variance of inputs that have mean 0 and variance 1.

    In training a random part of the inputs becomes `-alpha * scale`, what `selu` tends to, and the
    result is `a * x + b` with `a = ((1 - rate) * (1 + rate * (alpha * scale)**2))**-0.5` and
    `b = a * alpha * scale * rate`. It belongs behind `selu` activations.

    Args:
        rate: part to drop, in [0, 1]; of 1 are left zeros.
        noise_shape: shape of the random mask, which broadcasts to the inputs; None in it stands for
            the inputs' size.
        seed: int.

    Call arguments: `inputs`, `training`.

    Input shape: any. Output shape: the same.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> AlphaDropout(0.5)(np.array([1.0, 2.0]), training=False).numpy()
        array([1., 2.], dtype=float32)

    Source: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """The inputs, in training with some replaced."""
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return ops.zeros_like(inputs)
        given = self.noise_shape or (None,) * len(inputs.shape)
        shape = [inputs.shape[i] if size is None else size for i, size in enumerate(given)]
        is_kept = ops.greater_equal(uniform(shape, seed=self.seed_generator), self.rate)
        least = -SELU_ALPHA * SELU_SCALE
        a = ((1 - self.rate) * (1 + self.rate * least**2)) ** -0.5
        return ops.where(is_kept, inputs, least) * a - a * least * self.rate


class GaussianNoise(Layer):
    """In training, adds normally distributed noise.

    Args:
        stddev: standard deviation of the noise, in [0, 1].
        seed: int.

    Call arguments: `inputs`, `training`.

    Input shape: any. Output shape: the same.

    Raises:
        ValueError: `stddev` is out of range.

    Example:
        >>> import numpy as np
        >>> GaussianNoise(0.1)(np.array([1.0, 2.0]), training=False).numpy()
        array([1., 2.], dtype=float32)

    Source: https://keras.io/api/layers/regularization_layers/gaussian_noise/
    """

    def __init__(
        self, stddev: float, seed: int | None = None, **kwargs: Unpack[AllLayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        _check_part("stddev", stddev, "GaussianNoise")
        self.stddev = stddev
        self.seed = seed
        if stddev > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """The inputs, in training with noise."""
        if not training or self.stddev == 0:
            return inputs
        noise = normal(
            inputs.shape, 0.0, self.stddev, dtype=self.compute_dtype, seed=self.seed_generator
        )
        return ops.add(inputs, noise)


class GaussianDropout(Layer):
    """In training, multiplies by normal noise of mean 1 and deviation `sqrt(rate / (1 - rate))`.

    Args:
        rate: in [0, 1), as the rate of Dropout.
        seed: int.

    Call arguments: `inputs`, `training`.

    Input shape: any. Output shape: the same.

    Raises:
        ValueError: `rate` is out of range.

    Example:
        >>> import numpy as np
        >>> GaussianDropout(0.1)(np.array([1.0, 2.0]), training=False).numpy()
        array([1., 2.], dtype=float32)

    Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """

    def __init__(
        self, rate: float, seed: int | None = None, **kwargs: Unpack[AllLayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        if rate == 1:
            refuse(
                "rate", rate, "less than 1, since the noise would be infinite", "GaussianDropout"
            )
        _check_part("rate", rate, "GaussianDropout")
        self.rate = rate
        self.seed = seed
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """The inputs, in training with noise."""
        if not training or self.rate == 0:
            return inputs
        deviation = math.sqrt(self.rate / (1.0 - self.rate))
        noise = normal(
            inputs.shape, 1.0, deviation, dtype=self.compute_dtype, seed=self.seed_generator
        )
        return ops.multiply(inputs, noise)


class ActivityRegularization(Layer):
    """Returns its input and adds `l1 * sum(|x|) + l2 * sum(x**2)` to the loss.

    Args:
        l1: factor of the absolute values.
        l2: factor of the squares.

    Input shape: any. Output shape: the same.

    Example:
        >>> import nkeras
        >>> layer = ActivityRegularization(l1=1.0)
        >>> x = layer(nkeras.ops.ones((1, 2)))
        >>> float(layer.losses[0])
        2.0

    Source: https://keras.io/api/layers/regularization_layers/activity_regularization/
    """

    config_omits: ClassVar[Mapping[str, object]] = {
        **Layer.config_omits,
        "activity_regularizer": ANY,
    }

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The input."""
        return inputs


def _check_part(argument: str, value: float, owner: str) -> None:
    if isinstance(value, bool) or not 0 <= value <= 1:
        refuse(argument, value, "a number between 0 and 1", owner)


def _noise_shape(noise_shape: Sequence[int | None] | None) -> tuple[int | None, ...] | None:
    if noise_shape is None:
        return None
    if isinstance(noise_shape, str) or not hasattr(noise_shape, "__iter__"):
        refuse("noise_shape", noise_shape, "a tuple of positive int or None", "Dropout")
    sizes = tuple(noise_shape)
    for size in sizes:
        if size is not None and (not is_a(size, int) or size <= 0):
            refuse("noise_shape", noise_shape, "a tuple of positive int or None", "Dropout")
    return sizes
