"""Smooth activations, and the piecewise ones that stand in for them."""

from __future__ import annotations

from nkeras.core.tensor import Tensor
from nkeras.core.typing import T, TensorLike
from nkeras.ops import activation as ops
from nkeras.ops.elementwise import exp as _exp
from nkeras.ops.elementwise import tanh as _tanh


def sigmoid(x: TensorLike) -> Tensor:
    """`1 / (1 + exp(-x))`, stable for any x.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.sigmoid([0.0, 100.0]).numpy()
        array([0.5, 1. ], dtype=float32)
    """
    return ops.sigmoid(x)


def log_sigmoid(x: TensorLike) -> Tensor:
    """`log(sigmoid(x))`, stable for any x.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.log_sigmoid([-100.0, -50.0]).numpy()
        array([-100.,  -50.], dtype=float32)
    """
    return ops.log_sigmoid(x)


def hard_sigmoid(x: TensorLike) -> Tensor:
    """`x / 6 + 0.5` limited to [0, 1].

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.hard_sigmoid([-3.0, 0.0, 9.0]).numpy()
        array([0. , 0.5, 1. ], dtype=float32)
    """
    return ops.hard_sigmoid(x)


def sparse_sigmoid(x: TensorLike) -> Tensor:
    """`(x + 1) / 2` limited to [0, 1].

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.sparse_sigmoid([-1.0, 0.0, 9.0]).numpy()
        array([0. , 0.5, 1. ], dtype=float32)

    Source: Martins and Astudillo 2016, https://arxiv.org/abs/1602.02068
    """
    return ops.sparse_sigmoid(x)


def tanh(x: TensorLike) -> Tensor:
    """Hyperbolic tangent.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.tanh([0.0, 100.0]).numpy()
        array([0., 1.], dtype=float32)
    """
    return _tanh(x)


def exponential(x: TensorLike) -> Tensor:
    """`exp(x)`.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.exponential([0.0, 0.0]).numpy()
        array([1., 1.], dtype=float32)
    """
    return _exp(x)


def softplus(x: TensorLike) -> Tensor:
    """`log(1 + exp(x))`, stable for any x.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.softplus([50.0, 100.0]).numpy()
        array([ 50., 100.], dtype=float32)
    """
    return ops.softplus(x)


def sparse_plus(x: TensorLike) -> Tensor:
    """0 up to -1, x from 1 on, and `(x + 1)**2 / 4` between.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.sparse_plus([-2.0, 0.0, 2.0]).numpy()
        array([0.  , 0.25, 2.  ], dtype=float32)

    Source: Martins and Astudillo 2016, https://arxiv.org/abs/1602.02068
    """
    return ops.sparse_plus(x)


def squareplus(x: TensorLike, b: float = 4) -> Tensor:
    """`(x + sqrt(x**2 + b)) / 2`.

    Args:
        x: tensor.
        b: smoothness.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.squareplus([0.0]).numpy()
        array([1.], dtype=float32)

    Source: Barron 2021, https://arxiv.org/abs/2112.11687
    """
    return ops.squareplus(x, b)


def softsign(x: TensorLike) -> Tensor:
    """`x / (1 + |x|)`.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.softsign([-1.0, 3.0]).numpy()
        array([-0.5 ,  0.75], dtype=float32)
    """
    return ops.softsign(x)


def silu(x: TensorLike) -> Tensor:
    """`x * sigmoid(x)`, also called swish.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.silu([0.0, 100.0]).numpy()
        array([  0., 100.], dtype=float32)

    Source: Ramachandran et al. 2017, https://arxiv.org/abs/1710.05941
    """
    return ops.silu(x)


def hard_silu(x: TensorLike) -> Tensor:
    """`x * hard_sigmoid(x)`, also called hard_swish.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.hard_silu([0.0, 9.0]).numpy()
        array([0., 9.], dtype=float32)

    Source: Howard et al. 2019, https://arxiv.org/abs/1905.02244
    """
    return ops.hard_silu(x)


def gelu(x: TensorLike, approximate: bool = False) -> Tensor:
    """Gaussian error linear unit: x times the normal distribution function at x.

    Args:
        x: tensor.
        approximate: use the tanh approximation.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.gelu([0.0, 100.0]).numpy()
        array([  0., 100.], dtype=float32)

    Source: Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415
    """
    return ops.gelu(x, approximate)


def mish(x: TensorLike) -> Tensor:
    """`x * tanh(softplus(x))`.

    Args:
        x: tensor.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import nkeras
        >>> nkeras.activations.mish([0.0, 100.0]).numpy()
        array([  0., 100.], dtype=float32)

    Source: Misra 2019, https://arxiv.org/abs/1908.08681
    """
    return ops.mish(x)


def linear(x: T) -> T:
    """Return x itself, unchanged.

    Args:
        x: tensor.

    Returns:
        x.

    Example:
        >>> import nkeras
        >>> nkeras.activations.linear(nkeras.ops.ones((2,))).numpy()
        array([1., 1.], dtype=float32)
    """
    return x


swish = silu
hard_swish = hard_silu
