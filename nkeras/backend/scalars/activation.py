"""Activation functions: one scalar function serves every backend, its derivative is derived.

The formulas are those of https://keras.io/api/layers/activations/.
"""

# pyright: reportMissingParameterType=false
from __future__ import annotations

from nkeras.backend.derive import absolute, erf, exp, expm1, log1p, tanh, where
from nkeras.backend.scalar import scalar

SQRT_2_OVER_PI = 0.7978845608028654
SQRT_HALF = 0.7071067811865476
INV_SQRT_2_PI = 0.3989422804014327
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
LARGE = 3e38  # only infinity, which stands for no limit, is above it


@scalar
def relu(x):
    """`0 if x < 0 else x`, which keeps NaN."""
    return where(x < 0.0, 0.0, x)


@relu.derivative
def relu_grad_x(grad_y, y):
    """Zero at zero, as in Keras."""
    return where(y > 0.0, grad_y, 0.0)


@scalar
def leaky_relu(x, negative_slope):
    return where(x < 0.0, negative_slope * x, x)


@scalar
def threshold_relu(x, negative_slope, max_value, threshold):
    """The identity above `threshold`, at most `max_value`; below, a slope through `threshold`.

    As in Keras a finite `max_value` also cuts at 0 what a negative threshold lets through. The
    slope 0 is a case of its own because 0 times infinity is NaN.
    """
    cut = (x < 0.0) & (max_value < LARGE)
    above = where(x > max_value, max_value, where(cut, 0.0, x))
    below = where(negative_slope == 0.0, 0.0, negative_slope * (x - threshold))
    return where(x <= threshold, below, above)


@scalar
def relu6(x):
    return where(x < 0.0, 0.0, where(x > 6.0, 6.0, x))


@relu6.derivative
def relu6_grad_x(grad_y, x):
    return where((x > 0.0) & (x < 6.0), grad_y, 0.0)


@scalar
def sigmoid(x):
    """Through `exp(-|x|)`, which never overflows."""
    small = exp(-absolute(x))
    return where(x < 0.0, small, 1.0) / (1.0 + small)


@sigmoid.derivative
def sigmoid_grad_x(grad_y, y):
    return grad_y * y * (1.0 - y)


@scalar
def log_sigmoid(x):
    return where(x < 0.0, x, 0.0) - log1p(exp(-absolute(x)))


@log_sigmoid.derivative
def log_sigmoid_grad_x(grad_y, x):
    return grad_y * sigmoid(-x)


@scalar
def softplus(x):
    return where(x > 0.0, x, 0.0) + log1p(exp(-absolute(x)))


@softplus.derivative
def softplus_grad_x(grad_y, x):
    return grad_y * sigmoid(x)


@scalar
def softsign(x):
    return x / (1.0 + absolute(x))


@softsign.derivative
def softsign_grad_x(grad_y, x):
    scale = 1.0 + absolute(x)
    return grad_y / (scale * scale)


@scalar
def silu(x):
    return x * sigmoid(x)


@silu.derivative
def silu_grad_x(grad_y, x):
    s = sigmoid(x)
    return grad_y * (s + x * s * (1.0 - s))


@scalar
def mish(x):
    return x * tanh(softplus(x))


@mish.derivative
def mish_grad_x(grad_y, x):
    t = tanh(softplus(x))
    return grad_y * (t + x * (1.0 - t * t) * sigmoid(x))


@scalar
def elu(x, alpha):
    return where(x > 0.0, x, alpha * expm1(where(x > 0.0, 0.0, x)))


@scalar
def selu(x):
    return SELU_SCALE * where(x > 0.0, x, SELU_ALPHA * expm1(where(x > 0.0, 0.0, x)))


@scalar
def celu(x, alpha):
    return where(x > 0.0, x, alpha * expm1(where(x > 0.0, 0.0, x) / alpha))


@scalar
def gelu(x):
    return 0.5 * x * (1.0 + erf(x * SQRT_HALF))


@gelu.derivative
def gelu_grad_x(grad_y, x):
    density = INV_SQRT_2_PI * exp(-0.5 * x * x)
    return grad_y * (0.5 * (1.0 + erf(x * SQRT_HALF)) + x * density)


@scalar
def gelu_tanh(x):
    return 0.5 * x * (1.0 + tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)))


@scalar
def hard_sigmoid(x):
    return where(x <= -3.0, 0.0, where(x >= 3.0, 1.0, x / 6.0 + 0.5))


@scalar
def hard_silu(x):
    return where(x <= -3.0, 0.0, where(x >= 3.0, x, x * (x / 6.0 + 0.5)))


@scalar
def hard_tanh(x):
    return where(x < -1.0, -1.0, where(x > 1.0, 1.0, x))


@scalar
def hard_shrink(x, threshold):
    return where(absolute(x) > threshold, x, 0.0)


@scalar
def soft_shrink(x, threshold):
    return where(x > threshold, x - threshold, where(x < -threshold, x + threshold, 0.0))


@scalar
def tanh_shrink(x):
    return x - tanh(x)


@scalar
def threshold(x, threshold, default_value):
    return where(x > threshold, x, default_value)


@scalar
def squareplus(x, b):
    return (x + (x * x + b) ** 0.5) / 2.0


@scalar
def sparse_plus(x):
    return where(x <= -1.0, 0.0, where(x < 1.0, 0.25 * (x + 1.0) * (x + 1.0), x))


@scalar
def sparse_sigmoid(x):
    return where(x <= -1.0, 0.0, where(x >= 1.0, 1.0, 0.5 * (x + 1.0)))
