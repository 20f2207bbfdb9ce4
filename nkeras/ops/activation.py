"""Activation functions as operations: each elementwise one is a scalar function and one line."""

from __future__ import annotations

import numpy as np

from nkeras.backend.scalar import Scalar
from nkeras.backend.scalars import activation as scalars
from nkeras.core.elementwise import Elementwise
from nkeras.core.errors import short
from nkeras.core.primitive import op, to_floating, to_tensor
from nkeras.core.spec import normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.elementwise import elementwise, greater, maximum, negative, subtract, where_
from nkeras.ops.reduction import cumsum_, reduce_sum, sort_
from nkeras.ops.shape import cast, section


def _activation(
    scalar: Scalar, summary: str, *defaults: float, promotion: str = "float"
) -> Elementwise:
    made = elementwise(scalar, promotion, summary, *defaults)
    made.__doc__ = (made.__doc__ or "").replace("ops/numpy", "ops/nn")
    return made


relu = _activation(scalars.relu, "max(x, 0).", promotion="promote")
leaky_relu = _activation(scalars.leaky_relu, "x, or negative_slope * x below 0.", 0.2)
threshold_relu_ = _activation(
    scalars.threshold_relu, "relu with a slope, an upper limit and a threshold."
)
relu6 = _activation(scalars.relu6, "x limited to [0, 6].")
sigmoid = _activation(scalars.sigmoid, "1 / (1 + exp(-x)).")
log_sigmoid = _activation(scalars.log_sigmoid, "log(sigmoid(x)), stable.")
softplus = _activation(scalars.softplus, "log(1 + exp(x)), stable.")
softsign = _activation(scalars.softsign, "x / (1 + |x|).")
silu = _activation(scalars.silu, "x * sigmoid(x); swish is the same.")
mish = _activation(scalars.mish, "x * tanh(softplus(x)).")
elu = _activation(scalars.elu, "x, or alpha * (exp(x) - 1) below 0.", 1.0)
selu = _activation(scalars.selu, "elu, scaled so that layers normalise themselves.")
celu = _activation(scalars.celu, "x, or alpha * (exp(x / alpha) - 1) below 0.", 1.0)
_gelu_exact = _activation(scalars.gelu, "x times the normal distribution function at x.")
_gelu_tanh = _activation(scalars.gelu_tanh, "gelu by the usual tanh approximation.")
hard_sigmoid = _activation(scalars.hard_sigmoid, "x / 6 + 0.5 limited to [0, 1].")
hard_silu = _activation(scalars.hard_silu, "x * hard_sigmoid(x); hard_swish is the same.")
hard_tanh = _activation(scalars.hard_tanh, "x limited to [-1, 1].", promotion="promote")
hard_shrink = _activation(scalars.hard_shrink, "x where |x| > threshold, else 0.", 0.5)
soft_shrink = _activation(scalars.soft_shrink, "x moved towards 0 by threshold.", 0.5)
tanh_shrink = _activation(scalars.tanh_shrink, "x - tanh(x).")
threshold = _activation(scalars.threshold, "x where x > threshold, else default_value.")
squareplus = _activation(scalars.squareplus, "(x + sqrt(x**2 + b)) / 2.", 4)
sparse_plus = _activation(scalars.sparse_plus, "0 up to -1, x from 1 on, a parabola between.")
sparse_sigmoid = _activation(scalars.sparse_sigmoid, "(x + 1) / 2 limited to [0, 1].")

swish = silu
hard_swish = hard_silu


@op
def gelu(x: TensorLike, approximate: bool = True) -> Tensor:
    """Gaussian error linear unit: x times the normal distribution function at x.

    Args:
        x: tensor.
        approximate: use the tanh approximation.

    Returns:
        Tensor of the same shape, floating.

    Example:
        >>> import nkeras
        >>> nkeras.ops.gelu([0.0, 100.0]).numpy()
        array([  0., 100.], dtype=float32)

    Source: Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415
    """
    return _gelu_tanh(x) if approximate else _gelu_exact(x)


@op
def glu(x: TensorLike, axis: int = -1) -> Tensor:
    """Gated linear unit: the first half of `x` times the sigmoid of the second half.

    Args:
        x: tensor whose size along `axis` is even.
        axis: where to halve.

    Returns:
        Tensor of half that size along `axis`, floating.

    Raises:
        ValueError: the size is odd.

    Example:
        >>> import nkeras
        >>> nkeras.ops.glu([3.0, 0.0]).numpy()
        array([1.5], dtype=float32)

    Source: Dauphin et al. 2016, https://arxiv.org/abs/1612.08083
    """
    x = to_tensor(x)
    axis = normalize_axis(axis, len(x.shape), "glu")
    size = x.shape[axis]
    if size % 2:
        raise ValueError(
            "glu: the size of `x` along `axis` must be even. "
            f"Received: shape {x.shape}, axis={short(axis)}"
        )
    half = size // 2
    return section(x, axis, None, half) * sigmoid(section(x, axis, half, None))


@op
def sparsemax(x: TensorLike, axis: int = -1) -> Tensor:
    """The point of the probability simplex nearest to `x` along an axis; many zeros.

    Args:
        x: tensor.
        axis: axis that sums to 1.

    Returns:
        Tensor of the same shape, floating.

    Example:
        >>> import nkeras
        >>> nkeras.ops.sparsemax([1.0, 0.5, -3.0]).numpy()
        array([0.75, 0.25, 0.  ], dtype=float32)

    Source: Martins and Astudillo 2016, https://arxiv.org/abs/1602.02068
    """
    x = to_floating(x)
    axis = normalize_axis(axis, len(x.shape), "sparsemax")
    descending = negative(sort_(negative(x), axis=axis))
    sizes = [1] * len(x.shape)
    sizes[axis] = -1
    counts = to_tensor(np.arange(1, x.shape[axis] + 1).reshape(sizes), x.dtype)
    excess = subtract(cumsum_(descending, axis=axis), 1.0)
    support = greater(descending * counts, excess)
    size = reduce_sum(cast(support, x.dtype), axis=(axis,), keepdims=True)
    total = reduce_sum(where_(support, descending, 0.0), axis=(axis,), keepdims=True)
    return maximum(x - (total - 1.0) / size, 0.0)
