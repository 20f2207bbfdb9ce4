"""Normalization: features of mean 0 and variance 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.core import config, dtypes
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.spec import Shape
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, PartialShape, TensorLike, Unpack
from nkeras.core.variable import Variable
from nkeras.layers.base import Layer
from nkeras.layers.preprocessing.adapting import AdaptData, batches_of, numbers_of, parts_of
from nkeras.layers.preprocessing.data_layer import DataLayer


class Normalization(DataLayer):
    """`(x - mean) / sqrt(variance)`, with the mean and variance of data that it was adapted to.

    Until `adapt` was called, or weights were loaded, the mean is 0 and the variance 1, as in Keras.
    Means and variances are computed in float64 in one pass; how data are cut into batches does not
    matter.

    Args:
        axis: the axes that are kept: each index there has a mean and variance of its own. An int,
            a tuple, or None for one mean and variance of everything.
        mean: the means, instead of `adapt`; together with `variance`. A number, or an array of as
            many axes as are kept or fewer.
        variance: the variances, of the shape of `mean`.
        invert: turn normalized inputs back: `mean + x * sqrt(variance)`.

    Attributes:
        mean: tensor of the means, which broadcasts to the inputs.
        variance: the same of the variances.

    Call arguments: `inputs`, of any numeric dtype; lists and arrays as well as tensors.

    Input shape: any, the kept axes as in the data. Output shape: the same.

    Raises:
        ValueError: the axes do not fit the inputs, or `mean` and `variance` each other.

    Example:
        >>> import numpy as np
        >>> layer = Normalization()
        >>> layer.adapt(np.array([[0.0, 7.0], [2.0, 9.0]]))
        >>> layer([[0.0, 9.0]]).numpy()
        array([[-1.,  1.]], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/numerical/normalization/
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **Layer.config_reads,
        "mean": "input_mean",
        "variance": "input_variance",
    }

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: TensorLike | None = None,
        variance: TensorLike | None = None,
        invert: bool = False,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.axis = _checked_axes(axis)
        self.input_mean = _plain(mean)
        self.input_variance = _plain(variance)
        self.invert = bool(invert)
        self.supports_masking = True
        if (mean is None) != (variance is None):
            raise ValueError(
                "Normalization: both `mean` and `variance` must be set, or none of them. "
                f"Received: mean={short(mean)}, variance={short(variance)}"
            )
        shapes = np.shape(self.input_mean), np.shape(self.input_variance)
        if mean is not None and shapes[0] != shapes[1]:
            raise ValueError(
                "Normalization: `mean` and `variance` must have the same shape. Received shapes: "
                f"{shapes[0]} and {shapes[1]}"
            )
        if mean is not None and len(shapes[0]) > len(self.axis):
            raise ValueError(
                "Normalization: `mean` and `variance` must have at most as many axes as are kept "
                f"(axis={self.axis}). Received shape: {shapes[0]}"
            )
        if mean is not None and np.min(self.input_variance) < 0:
            refuse("variance", variance, "0 or more", "Normalization")

    def build(self, input_shape: PartialShape) -> None:
        """Find the kept axes, and make the weights unless mean and variance were given."""
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ValueError(
                f"Normalization: All `axis` values must be in the range [-{rank}, {rank}) for "
                f"inputs of shape {short(input_shape)}. Received: axis={self.axis}"
            )
        kept = tuple(sorted({axis % rank for axis in self.axis}))
        unknown = [axis for axis in kept if input_shape[axis] is None]
        if unknown:
            raise ValueError(
                "Normalization: All `axis` values to be kept must have a known size. Received: "
                f"axis={self.axis} for inputs of shape {short(input_shape)}, whose axis "
                f"{unknown[0]} is unknown"
            )
        self._kept = kept
        self._sizes = tuple(size or 0 for size in (input_shape[axis] for axis in kept))
        self._wide = tuple(
            size if axis in kept and size else 1 for axis, size in enumerate(input_shape)
        )
        if self.input_mean is None:
            self.adapt_mean = self._statistic("mean", "zeros")
            self.adapt_variance = self._statistic("variance", "ones")
            # Keras 2 counted in it; it is still a weight in files.
            self.count = self.add_weight(
                name="count", shape=(), initializer="zeros", dtype="int32", trainable=False
            )
        else:
            self._given = self._spread(self.input_mean), self._spread(self.input_variance)

    def _statistic(self, name: str, initializer: str) -> Variable:
        return self.add_weight(
            name=name,
            shape=self._sizes,
            initializer=initializer,
            trainable=False,
            autocast=False,
        )

    def _spread(self, values: object) -> np.ndarray:
        """Given numbers at the kept axes, the last ones at the last, and broadcast to all."""
        array = np.asarray(values, dtypes.to_numpy(config.floatx()))
        sizes = dict(zip(reversed(self._kept), reversed(array.shape), strict=False))
        if any(size not in (1, self._wide[axis]) for axis, size in sizes.items()):
            raise ValueError(
                f"Normalization: `mean` and `variance` of shape {array.shape} do not broadcast to "
                f"the sizes {self._sizes} of the kept axes {self._kept}."
            )
        shape = [sizes.get(axis, 1) for axis in range(len(self._wide))]
        return np.broadcast_to(array.reshape(shape), self._wide)

    @property
    def mean(self) -> Tensor | None:
        """The means as a tensor that broadcasts to the inputs; None until the layer is built."""
        return self._statistics()[0] if self.built else None

    @property
    def variance(self) -> Tensor | None:
        """The variances as a tensor that broadcasts to the inputs; None until it is built."""
        return self._statistics()[1] if self.built else None

    def _statistics(self) -> tuple[Tensor, Tensor]:
        if self.input_mean is not None:
            mean, variance = self._given
        else:
            mean, variance = self.adapt_mean, self.adapt_variance
        mean, variance = ops.convert_to_tensor(mean), ops.convert_to_tensor(variance)
        return ops.reshape(mean, self._wide), ops.reshape(variance, self._wide)

    @property
    def learns(self) -> bool:
        """Whether `adapt` has anything to learn: mean and variance were not given."""
        return self.input_mean is None

    def adapt(self, data: AdaptData) -> None:
        """Learn mean and variance from data; what was learned before is forgotten.

        Args:
            data: array, tensor, list of numbers, a PyDataset, or an iterable of batches, of which
                those that are tuples begin with the inputs.

        Raises:
            ValueError: there are no data, they hold text or NaN, a shape does not fit, or the layer
                was made with `mean` and `variance`.
            TypeError: `data` are none of these.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"Normalization.adapt(): layer {short(self.name)} was made with `mean` and "
                "`variance`, which are not learned. Make it without them."
            )
        moments: _Moments | None = None
        for batch in batches_of(data, "Normalization"):
            if moments is None:
                if not self.built:
                    self.build(tuple(np.shape(batch)))
                moments = _Moments(self._sizes, self._kept)
            self._check_shape(tuple(np.shape(batch)))
            for part in parts_of(batch) if 0 not in self._kept else (batch,):
                moments.add(numbers_of(part, "Normalization"))
        assert moments is not None  # no batch is an error
        self._check_finite(moments)
        self.adapt_mean.assign(moments.mean)
        self.adapt_variance.assign(moments.variance)

    def _check_shape(self, shape: Shape) -> None:
        is_wrong = len(shape) != len(self._wide)
        if is_wrong or any(shape[axis] != self._wide[axis] for axis in self._kept):
            expected = [n if axis in self._kept else None for axis, n in enumerate(self._wide)]
            raise ValueError(
                f"Normalization.adapt(): data have an incompatible shape {shape}. Layer "
                f"{short(self.name)} with axis={self.axis} was built for {tuple(expected)}."
            )

    def _check_finite(self, moments: _Moments) -> None:
        wrong = np.argwhere(~np.isfinite(moments.variance))
        if len(wrong):
            place = dict(zip(self._kept, wrong[0].tolist(), strict=True))
            where = "".join(f", at index {i} of axis {axis}" for axis, i in place.items())
            raise ValueError(
                f"Normalization.adapt(): the data hold NaN or infinite numbers{where}. Drop these "
                "rows or fill them; the layer is as it was."
            )

    def finalize_state(self) -> None:
        """Nothing is left to do: `mean` and `variance` follow the weights. Keras has it."""

    def call(self, inputs: Tensor) -> Tensor:
        """The normalized inputs."""
        mean, variance = self._statistics()
        dtype = dtypes.result_type(self.compute_dtype, "float32")  # half types would lose the mean
        x, mean = ops.cast(inputs, dtype), ops.cast(mean, dtype)
        deviation = ops.maximum(ops.sqrt(ops.cast(variance, dtype)), config.epsilon())
        y = mean + x * deviation if self.invert else (x - mean) / deviation
        return ops.cast(y, self.compute_dtype)


class _Moments:
    """Mean and variance of what came so far, in float64.

    Source: Chan, Golub and LeVeque 1983, Algorithms for computing the sample variance.
    """

    def __init__(self, sizes: Shape, kept: Sequence[int]) -> None:
        self.mean = np.zeros(sizes)
        self._squares = np.zeros(sizes)  # sum of squared distances to the mean
        self._count = 0
        self._kept = kept

    def add(self, array: np.ndarray) -> None:
        """Count a batch in."""
        axes = tuple(axis for axis in range(array.ndim) if axis not in self._kept)
        count = math.prod(array.shape[axis] for axis in axes)
        array = array.astype("float64")
        with np.errstate(invalid="ignore", over="ignore"):  # the caller looks at the result
            mean = array.mean(axes, keepdims=True)
            array -= mean
            squares = np.square(array, out=array).sum(axes)
            apart = mean.reshape(self.mean.shape) - self.mean
            total = self._count + count
            self._squares += squares + apart * apart * (self._count * count / total)
            self.mean += apart * (count / total)
        self._count = total

    @property
    def variance(self) -> np.ndarray:
        """Of all together."""
        return self._squares / self._count


def _checked_axes(axis: Any) -> tuple[int, ...]:
    axes = () if axis is None else (axis,) if hasattr(axis, "__index__") else axis
    if not is_a(axes, (list, tuple)) or not all(hasattr(one, "__index__") for one in axes):
        refuse("axis", axis, "an int, a tuple of int, or None", "Normalization")
    return tuple(int(one) for one in axes)


def _plain(values: TensorLike | None) -> Any:
    """Numbers of the user's as plain lists, as they stand in configurations."""
    if values is None:
        return None
    array = values.numpy() if isinstance(values, (Tensor, Variable)) else np.asarray(values)
    return array.tolist()
