"""Random initializers: the same numbers in each call, unless the seed is a SeedGenerator.

Source: https://keras.io/api/layers/initializers/
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import is_a, short
from nkeras.core.primitive import to_tensor
from nkeras.core.random import SeedGenerator, make_default_seed
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, DTypeLike, Seed, ShapeLike
from nkeras.initializers.constant import Initializer
from nkeras.ops.random import normal, truncated_normal, uniform

_TRUNCATED_STDDEV = 0.8796256610342398  # of a standard normal cut at two deviations


class RandomInitializer(Initializer):
    """Base of random initializers.

    Args:
        seed: int, for the same numbers in each call; SeedGenerator, for new ones; None for an int
            drawn now.

    Raises:
        ValueError: the seed is something else.
    """

    config_reads: ClassVar[Mapping[str, str]] = {"seed": "_init_seed"}

    def __init__(self, seed: Seed | Config = None) -> None:
        self._init_seed = seed
        if isinstance(seed, dict):
            self.seed: Seed = deserialize_keras_object(seed)
        elif seed is None:
            self.seed = make_default_seed()
        elif not is_a(seed, (int, np.integer, SeedGenerator)) or isinstance(seed, bool):
            raise ValueError(
                f"{type(self).__name__}: argument `seed` must be an integer, a SeedGenerator or "
                f"None. Received: seed={short(seed)}"
            )
        else:
            self.seed = seed


class RandomNormal(RandomInitializer):
    """Normally distributed numbers.

    Args:
        mean: mean.
        stddev: standard deviation.
        seed: int, SeedGenerator or None, as in every random initializer: see `GlorotUniform`.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.RandomNormal(stddev=0.1, seed=1)((2, 3)).shape
        (2, 3)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> None:
        self.mean = mean
        self.stddev = stddev
        super().__init__(seed)

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`."""
        return normal(shape, self.mean, self.stddev, dtype, self.seed)


class TruncatedNormal(RandomNormal):
    """Normally distributed numbers, those beyond two standard deviations left out.

    Args:
        mean: mean.
        stddev: standard deviation before truncation.
        seed: int, SeedGenerator or None: see `GlorotUniform`.

    Example:
        >>> import nkeras
        >>> numbers = nkeras.initializers.TruncatedNormal(stddev=0.5, seed=1)((100,)).numpy()
        >>> bool((abs(numbers) <= 1.0).all())
        True
    """

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`."""
        return truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)


class RandomUniform(RandomInitializer):
    """Uniformly distributed numbers in [minval, maxval).

    Args:
        minval: lower limit.
        maxval: upper limit.
        seed: int, SeedGenerator or None: see `GlorotUniform`.

    Example:
        >>> import nkeras
        >>> bool((nkeras.initializers.RandomUniform(2.0, 3.0)((9,)).numpy() >= 2.0).all())
        True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Seed = None) -> None:
        self.minval = minval
        self.maxval = maxval
        super().__init__(seed)

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`."""
        return uniform(shape, self.minval, self.maxval, dtype, self.seed)


class VarianceScaling(RandomInitializer):
    """Numbers of variance `scale / n`, where n is the number of inputs or outputs of a unit.

    Args:
        scale: positive number.
        mode: `"fan_in"` (inputs), `"fan_out"` (outputs) or `"fan_avg"` (their mean).
        distribution: `"truncated_normal"` (or `"normal"`), `"untruncated_normal"` or `"uniform"`.
        seed: int, SeedGenerator or None: see `GlorotUniform`.
        input_axes: axes of the inputs; by default all but the last.
        output_axes: axes of the outputs; by default the last, and those of the window.

    Raises:
        ValueError: an argument is not one of these.

    Example:
        >>> import nkeras
        >>> init = nkeras.initializers.VarianceScaling(1.0, "fan_in", "uniform", seed=1)
        >>> bool((abs(init((300, 2)).numpy()) <= 0.1).all())
        True
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Seed = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        owner = type(self).__name__
        if not scale > 0.0:
            raise ValueError(
                f"{owner}: argument `scale` must be a positive float. Received: "
                f"scale={short(scale)}"
            )
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(
                f'{owner}: argument `mode` must be "fan_in", "fan_out" or "fan_avg". '
                f"Received: mode={short(mode)}"
            )
        name = str(distribution).lower()
        name = "truncated_normal" if name == "normal" else name
        if name not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(
                f'{owner}: argument `distribution` must be "truncated_normal", '
                f'"untruncated_normal" or "uniform". Received: distribution={short(distribution)}'
            )
        self.scale = scale
        self.mode = mode
        self.distribution = name
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed)

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}
        variance = self.scale / max(1.0, fans[self.mode])
        stddev = math.sqrt(variance)
        if self.distribution == "truncated_normal":
            return truncated_normal(shape, 0.0, stddev / _TRUNCATED_STDDEV, dtype, self.seed)
        if self.distribution == "untruncated_normal":
            return normal(shape, 0.0, stddev, dtype, self.seed)
        limit = math.sqrt(3.0 * variance)
        return uniform(shape, -limit, limit, dtype, self.seed)


class Orthogonal(RandomInitializer):
    """A matrix with orthonormal rows or columns, times `gain`; all axes but the last count as one.

    Args:
        gain: factor.
        seed: int, SeedGenerator or None: see `GlorotUniform`.

    Raises:
        ValueError: in a call, the shape has fewer than two dimensions.

    Example:
        >>> import nkeras
        >>> q = nkeras.initializers.Orthogonal(seed=1)((3, 3)).numpy()
        >>> bool(abs(q.T @ q - [[1, 0, 0], [0, 1, 0], [0, 0, 1]]).max() < 1e-5)
        True

    Source: Saxe et al. 2014, https://arxiv.org/abs/1312.6120
    """

    def __init__(self, gain: float = 1.0, seed: Seed = None) -> None:
        self.gain = gain
        super().__init__(seed)

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """A tensor of `shape`."""
        shape = tuple(int(size) for size in shape)
        if len(shape) < 2:
            raise ValueError(
                "Orthogonal: the shape must have at least two dimensions. "
                f"Received: shape={short(shape)} of rank {len(shape)}"
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        sizes = (max(rows, columns), min(rows, columns))
        # In float64 on the host, so that every backend gets the same matrix.
        q, r = np.linalg.qr(normal(sizes, seed=self.seed, dtype="float32").numpy().astype("f8"))
        q = q * np.where(np.diag(r) < 0.0, -1.0, 1.0)  # uniform over all orthogonal matrices
        q = q.T if rows < columns else q
        return to_tensor(
            np.ascontiguousarray(q.reshape(shape)) * self.gain, dtypes.standardize(dtype)
        )


def compute_fans(
    shape: ShapeLike,
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """Numbers of inputs and outputs of a unit whose kernel has a shape.

    Args:
        shape: `(..., inputs, outputs)`, the leading sizes are those of a window.
        input_axes: axes of the inputs, if `output_axes` are given too.
        output_axes: axes of the outputs.

    Returns:
        The two numbers.

    Example:
        >>> compute_fans((3, 3, 8, 16))
        (72, 144)
    """
    shape = tuple(int(size) for size in shape)
    if input_axes is not None and output_axes is not None:
        fan_in = math.prod(shape[axis] for axis in input_axes)
        return fan_in, math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window
