"""What follows a product or a convolution: bias, addend, activation."""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.device.functions import device_function

BIAS = 1
ADDEND = 2
RELU = 4
RELU6 = 8

_ACTIVATIONS = {"linear": 0, "relu": RELU, "relu6": RELU | RELU6}


def epilogue_mode(bias: Any, addend: Any, activation: str) -> int:
    """The number that tells a kernel what follows.

    Args:
        bias: an array, or None.
        addend: an array, or None.
        activation: "linear", "relu" or "relu6".
    """
    given = (BIAS if bias is not None else 0) | (ADDEND if addend is not None else 0)
    return given | _ACTIVATIONS[activation]


@device_function
def finish(y: Any, at: Any, value: Any, bias: Any, at_bias: Any, addend: Any, mode: Any) -> None:
    """Write an element of the result; NaN stays NaN."""
    if mode & BIAS:
        value += bias[at_bias]
    if mode & ADDEND:
        value += addend[at]
    low, high = y.dtype.type(0), y.dtype.type(6)
    if mode & RELU and value < low:
        value = low
    if mode & RELU6 and value > high:
        value = high
    y[at] = value
