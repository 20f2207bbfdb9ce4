"""What a browser has to know of a layer to compute it: its kind, its sizes, its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras.core.graph import KerasTensor, Node
from nkeras.core.operation import Operation

Shape = tuple[int, ...]
Live = dict[str, Any]
"""`op`, plain values, and arrays under `weights`; see page/forward.js."""

_IDENTITY = frozenset(
    """InputLayer Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise
    GaussianDropout AlphaDropout ActivityRegularization Identity Masking""".split()
)
_ACTIVATIONS = frozenset(
    """linear relu relu6 elu selu gelu sigmoid hard_sigmoid tanh softplus softsign silu swish
    hard_silu hard_swish leaky_relu exponential softmax log_softmax mish""".split()
)
_MERGES = {
    "Add": "add",
    "Subtract": "subtract",
    "Multiply": "multiply",
    "Average": "average",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Concatenate": "concatenate",
}


class NotLive(Exception):
    """The browser cannot compute a layer; the message says why."""


def live_of(operation: Operation | Node, inputs: Sequence[Shape], output: Shape) -> Live:
    """How a browser computes a layer.

    Args:
        operation: the layer, or the call of an op.
        inputs: shapes of the tensors that it takes, without the batch.
        output: shape of its tensor, likewise.

    Raises:
        NotLive: it cannot.
    """
    if isinstance(operation, Node):
        return _of_op(operation)
    layer: Any = operation
    name = type(layer).__name__
    is_augmentation = name.startswith("Random") and len(inputs) == 1 and inputs[0] == output
    if not type(layer).__module__.startswith("nkeras."):
        raise NotLive(f"{name} is a class of the model's own")
    if name in _IDENTITY or is_augmentation:
        return {"op": "identity"}
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        raise NotLive("its data format is channels_first")
    if name in _MERGES:
        return {"op": _MERGES[name], "axis": _axis(getattr(layer, "axis", -1), len(output))}
    make = _LAYERS.get(name)
    if make is None:
        raise NotLive(f"the page cannot compute {name}")
    return make(layer, inputs, output)


def _axis(axis: int, rank: int) -> int:
    """An axis of a tensor without its batch."""
    return axis - 1 if axis > 0 else axis + rank


def _activation(function: Any) -> str:
    name = "linear" if function is None else getattr(function, "__name__", "")
    is_ours = function is None or str(function.__module__).startswith("nkeras.")
    if name not in _ACTIVATIONS or not is_ours:
        raise NotLive(f"the page cannot compute the activation {name or function}")
    return {"swish": "silu", "hard_swish": "hard_silu"}.get(name, name)


def _array(weight: Any) -> np.ndarray:
    return np.asarray(weight.numpy(), np.float32)


def _dense(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    weights = {"kernel": _array(layer.kernel)}
    if layer.use_bias:
        weights["bias"] = _array(layer.bias)
    return {"op": "dense", "activation": _activation(layer.activation), "weights": weights}


def _windows(
    sizes: Shape, window: Shape, strides: Shape, dilation: Shape, padding: str
) -> list[int]:
    """Zeros in front of each axis."""
    if padding == "valid":
        return [0] * len(sizes)
    reach = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    if padding == "causal":
        return [size - 1 for size in reach]
    if padding != "same":
        raise NotLive(f"the page does not know the padding {padding}")
    counts = [-(-size // stride) for size, stride in zip(sizes, strides, strict=True)]
    return [
        max((count - 1) * stride + r - size, 0) // 2
        for count, stride, r, size in zip(counts, strides, reach, sizes, strict=True)
    ]


def _conv(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    sizes = inputs[0][:-1]
    window, strides, dilation = layer.kernel_size, layer.strides, layer.dilation_rate
    weights = {"kernel": _array(layer.kernel)}
    if layer.use_bias:
        weights["bias"] = _array(layer.bias)
    is_depthwise = "Depthwise" in type(layer).__name__
    groups = inputs[0][-1] if is_depthwise else layer.groups
    if is_depthwise:  # (..., channels, multiplier) to (..., 1, channels * multiplier)
        kernel = weights["kernel"]
        weights["kernel"] = kernel.reshape(*kernel.shape[:-2], 1, -1)
    return {
        "op": "conv",
        "window": list(window),
        "strides": list(strides),
        "dilation": list(dilation),
        "before": _windows(sizes, window, strides, dilation, layer.padding),
        "groups": groups,
        "activation": _activation(layer.activation),
        "weights": weights,
    }


def _transposed(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    window, strides = layer.kernel_size, layer.strides
    if set(layer.dilation_rate) != {1} or layer.output_padding is not None:
        raise NotLive("the page cannot compute dilated transposed convolutions")
    kernel = _array(layer.kernel)  # (..., filters, channels)
    weights = {"kernel": np.ascontiguousarray(np.swapaxes(kernel, -1, -2))}
    if layer.use_bias:
        weights["bias"] = _array(layer.bias)
    cut = [0] * len(window)  # what is cut in front of the whole result
    if layer.padding == "same":
        cut = [max(w - s, 0) // 2 for w, s in zip(window, strides, strict=True)]
    return {
        "op": "transposed",
        "window": list(window),
        "strides": list(strides),
        "cut": cut,
        "output": list(output),
        "activation": _activation(layer.activation),
        "weights": weights,
    }


def _pool(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    sizes, window, strides = inputs[0][:-1], layer.pool_size, layer.strides
    ones = (1,) * len(window)
    return {
        "op": "max_pool" if "Max" in type(layer).__name__ else "average_pool",
        "window": list(window),
        "strides": list(strides),
        "dilation": list(ones),
        "before": _windows(sizes, window, strides, ones, layer.padding),
        "output": list(output),
    }


def _global_pool(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    sizes = list(inputs[0][:-1])
    return {
        "op": "max_pool" if "Max" in type(layer).__name__ else "average_pool",
        "window": sizes,
        "strides": sizes,
        "dilation": [1] * len(sizes),
        "before": [0] * len(sizes),
        "output": [*([1] * len(sizes)), inputs[0][-1]],
        "shape": list(output),
    }


def _batch_norm(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    if _axis(axis, len(output)) != len(output) - 1:
        raise NotLive("it normalizes another axis than the last")
    mean, variance = _array(layer.moving_mean), _array(layer.moving_variance)
    scale = 1 / np.sqrt(variance.astype(np.float64) + layer.epsilon)
    if layer.scale:
        scale = scale * _array(layer.gamma)
    offset = (_array(layer.beta) if layer.center else 0) - mean * scale
    return _affine(scale, offset)


def _affine(scale: Any, offset: Any) -> Live:
    weights = {"scale": np.atleast_1d(scale), "offset": np.atleast_1d(offset)}
    return {"op": "affine", "weights": {k: v.astype(np.float32) for k, v in weights.items()}}


def _rescaling(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    return _affine(np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64))


def _layer_norm(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    if [_axis(axis, len(output)) for axis in axes] != [len(output) - 1]:
        raise NotLive("it normalizes other axes than the last")
    if getattr(layer, "rms_scaling", False):
        raise NotLive("it scales by the root of the mean square")
    weights: dict[str, np.ndarray] = {}
    if layer.scale:
        weights["gamma"] = _array(layer.gamma)
    if layer.center:
        weights["beta"] = _array(layer.beta)
    return {"op": "layer_norm", "epsilon": layer.epsilon, "weights": weights}


def _activate(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    return {"op": "activation", "activation": _activation(layer.activation)}


def _relu(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    top, slope, threshold = layer.max_value, layer.negative_slope, layer.threshold
    if slope or threshold or top not in (None, 6):
        raise NotLive("the page knows ReLU with a slope, a threshold or another maximum not")
    return {"op": "activation", "activation": "relu" if top is None else "relu6"}


def _leaky(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    return {"op": "activation", "activation": "leaky_relu", "slope": float(layer.negative_slope)}


def _softmax(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    if not isinstance(layer.axis, int) or _axis(layer.axis, len(output)) != len(output) - 1:
        raise NotLive("its axis is not the last")
    return {"op": "activation", "activation": "softmax"}


def _reshape(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    return {"op": "reshape", "shape": list(output)}


def _pad(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    padding = layer.padding
    pairs = [padding] if isinstance(padding[0], int) else padding
    return {"op": "pad", "before": [pair[0] for pair in pairs], "output": list(output)}


def _crop(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    cropping = layer.cropping
    pairs = [cropping] if isinstance(cropping[0], int) else cropping
    return {"op": "pad", "before": [-pair[0] for pair in pairs], "output": list(output)}


def _upsample(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    if getattr(layer, "interpolation", "nearest") != "nearest":
        raise NotLive("it interpolates")
    factors = [out // size for out, size in zip(output[:-1], inputs[0][:-1], strict=True)]
    return {"op": "upsample", "factors": factors}


def _embed(layer: Any, inputs: Sequence[Shape], output: Shape) -> Live:
    return {"op": "embedding", "weights": {"table": _array(layer.embeddings)}}


_Maker = Callable[[Any, Sequence[Shape], Shape], Live]
_LAYERS: dict[str, _Maker] = {
    "Dense": _dense,
    **{f"Conv{n}D": _conv for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _conv for n in (1, 2)},
    **{f"Conv{n}DTranspose": _transposed for n in (1, 2, 3)},
    **{f"{kind}Pooling{n}D": _pool for kind in ("Max", "Average") for n in (1, 2, 3)},
    **{f"Global{kind}Pooling{n}D": _global_pool for kind in ("Max", "Average") for n in (1, 2, 3)},
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Rescaling": _rescaling,
    "Activation": _activate,
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "Softmax": _softmax,
    "Flatten": _reshape,
    "Reshape": _reshape,
    **{f"ZeroPadding{n}D": _pad for n in (1, 2, 3)},
    **{f"Cropping{n}D": _crop for n in (1, 2, 3)},
    **{f"UpSampling{n}D": _upsample for n in (1, 2, 3)},
    "Embedding": _embed,
}
_OPS = {"add": "add", "multiply": "multiply", "subtract": "subtract", "maximum": "maximum"}


def _of_op(node: Node) -> Live:
    """A call of an op: sums and products of tensors and numbers, activations."""
    name = node.operation.__name__.rstrip("_")
    arguments = list(node.arguments)
    if name in _ACTIVATIONS and len(arguments) == 1 and not node.named:
        return {"op": "activation", "activation": name}
    if name in _OPS and len(arguments) == 2 and not node.named:
        symbolic = [isinstance(argument, KerasTensor) for argument in arguments]
        if all(symbolic):
            return {"op": _OPS[name], "axis": 0}
        number = arguments[symbolic.index(False)]
        if isinstance(number, (int, float)) and name in ("add", "multiply"):
            scale, offset = (1.0, number) if name == "add" else (number, 0.0)
            return _affine(np.float64(scale), np.float64(offset))
        if isinstance(number, (int, float)) and name == "subtract" and symbolic[0]:
            return _affine(np.float64(1.0), np.float64(-number))
    raise NotLive(f"the page cannot compute the op {name}")
