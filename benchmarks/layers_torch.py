"""The layers of layers.py in torch.nn, images in the faster memory format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from layers_worker import weights
from peer_torch import FORMATS, faster
from torch import nn


def _module(case: dict[str, Any], channels: int) -> nn.Module:
    kind, given = case["layer"], case["arguments"]
    if kind == "Dense":
        return nn.Sequential(nn.Linear(channels, given["units"]), nn.ReLU(inplace=True))
    if kind in ("Conv1D", "Conv2D"):
        convolution = nn.Conv1d if kind == "Conv1D" else nn.Conv2d
        return convolution(channels, given["filters"], given["kernel_size"], padding="same")
    if kind == "Conv2DTranspose":
        size, strides = given["kernel_size"], given["strides"]
        return nn.ConvTranspose2d(channels, given["filters"], size, strides)
    if kind == "DepthwiseConv2D":
        size = given["kernel_size"]
        return nn.Conv2d(channels, channels, size, padding="same", groups=channels)
    makers: dict[str, Callable[[], nn.Module]] = {
        "BatchNormalization": lambda: nn.BatchNorm2d(channels, given["epsilon"], 0.01),
        "MaxPooling2D": lambda: nn.MaxPool2d(given["pool_size"]),
        "AveragePooling2D": lambda: nn.AvgPool2d(given["pool_size"]),
        "GlobalAveragePooling2D": lambda: nn.AdaptiveAvgPool2d(1),
        "ReLU": nn.ReLU,
        "Activation": lambda: nn.GELU(),
        "Softmax": lambda: nn.Softmax(-1),
        "Dropout": lambda: nn.Dropout(given["rate"]),
        "Flatten": nn.Flatten,
        "UpSampling2D": lambda: nn.Upsample(scale_factor=given["size"]),
        "ZeroPadding2D": lambda: nn.ZeroPad2d(given["padding"]),
    }
    return makers[kind]()


def _set_weights(case: dict[str, Any], module: nn.Module) -> None:
    """Keras' weights, in torch's layouts."""
    state = module.state_dict()
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    kind = case["layer"]
    shapes = [tuple(state[name].shape) for name in names]
    order: tuple[int, ...] = tuple(range(len(shapes[0])))[::-1] if shapes else ()
    if kind == "Conv2D":
        order = (3, 2, 0, 1)
    elif kind in ("DepthwiseConv2D", "Conv2DTranspose"):
        order = (2, 3, 0, 1) if kind == "DepthwiseConv2D" else (3, 2, 0, 1)
    if shapes:
        keras_first = [0] * len(order)
        for position, axis in enumerate(order):
            keras_first[axis] = shapes[0][position]
        shapes[0] = tuple(keras_first)
    with torch.no_grad():
        for position, (name, array) in enumerate(zip(names, weights(shapes), strict=True)):
            value = array.transpose(order) if position == 0 else array
            state[name].copy_(torch.from_numpy(np.ascontiguousarray(value)))


def make(case: dict[str, Any], x: np.ndarray) -> Callable[[], Any]:
    """A call of the module."""
    last = x.ndim - 1
    tensor = torch.from_numpy(x)
    if x.ndim > 2:
        tensor = tensor.permute(0, last, *range(1, last)).contiguous()

    def candidate(memory_format: Any) -> Callable[[], Any]:
        module = _module(case, x.shape[-1])
        _set_weights(case, module)
        module = module.to(memory_format=memory_format).train(bool(case["call"].get("training")))
        images = tensor.contiguous(memory_format=memory_format)

        @torch.inference_mode()
        def run() -> Any:
            y = module(images)
            return None if case["layer"] == "Dropout" else y

        return run

    return faster([candidate(one) for one in (FORMATS if x.ndim == 4 else FORMATS[:1])])
