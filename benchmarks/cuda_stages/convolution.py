"""Stage 5: ten convolutions in three directions, against torch (cuDNN without TF32)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.cuda_stages.device import (
    backend,
    in_torch,
    largest_error,
    normal,
    pick,
    times,
    torch_on_gpu,
)
from benchmarks.cuda_stages.rows import Row, bar, failed
from nkeras.backend import registry

MOST = 1e-4
"""The largest error of float32."""


class Convolution(NamedTuple):
    """Sizes of a convolution of square images."""

    name: str
    batch: int
    size: int
    channels: int
    filters: int
    window: int
    strides: int = 1
    dilation: int = 1
    groups: int = 1

    @property
    def settings(self) -> dict[str, Any]:
        """The static arguments of the kernels, with padding that keeps the size."""
        margin = self.dilation * (self.window - 1) // 2
        return {
            "strides": (self.strides,) * 2,
            "padding": ((margin, margin),) * 2,
            "dilation": (self.dilation,) * 2,
            "groups": self.groups,
        }


CONVOLUTIONS = (
    Convolution("stem 7x7/2", 32, 224, 3, 64, 7, 2),
    Convolution("3x3 64-64", 32, 56, 64, 64, 3),
    Convolution("3x3 128-128", 32, 28, 128, 128, 3),
    Convolution("3x3 512-512", 32, 7, 512, 512, 3),
    Convolution("3x3/2 128-128", 32, 56, 128, 128, 3, 2),
    Convolution("1x1 256-64", 32, 56, 256, 64, 1),
    Convolution("3x3 1-32", 128, 28, 1, 32, 3),
    Convolution("3x3 dilated 64-64", 32, 28, 64, 64, 3, 1, 2),
    Convolution("3x3 grouped 256-256", 32, 14, 256, 256, 3, 1, 1, 32),
    Convolution("3x3 depthwise 144", 32, 56, 144, 144, 3, 1, 1, 144),
)


def rows(part: int, parts: int) -> Iterator[Row]:
    """A row for each."""
    backend()
    for one in CONVOLUTIONS:
        try:
            yield _row(one)
        except Exception as error:  # the others are still worth their time
            yield failed(one.name, error)


def _row(one: Convolution) -> Row:
    if pick(False, True):
        channels = 3 if one.channels % 2 else 4
        depthwise = one.groups == one.channels > 1
        groups = channels if depthwise else min(one.groups, 2)
        one = one._replace(batch=1, size=4, channels=channels, filters=4, groups=groups)
    x = normal(one.batch, one.size, one.size, one.channels)
    shape = (one.window, one.window, one.channels // one.groups, one.filters)
    kernel = normal(*shape, seed=1) * np.float32(np.prod(shape[:3]) ** -0.5)
    ways = _directions(x, kernel, one.settings, backend().kernels)
    peers = _in_torch(x, kernel, one)
    numbers: dict[str, float] = {}
    ratios = []
    for name, function in ways.items():
        functions = {"nkeras": function}
        if peers is not None:
            functions["torch"] = peers[name]
        taken = times(functions, 0.03)
        numbers[f"{name} s"] = taken["nkeras"]
        if peers is not None:
            ratios.append(taken["torch"] / taken["nkeras"])
            numbers[f"{name}/torch ratio"] = ratios[-1]
    error = _largest_error(x[:1], kernel, one)
    if peers is not None:
        error = max(error, *(_beside_torch(ways[name](), peers[name](), name) for name in ways))
    numbers["error"] = error
    verdict = "WRONG" if error > MOST else "ok"
    if ratios and verdict == "ok":
        verdict = bar(min(ratios), 1.0 if one.window == 3 else 0.0)
    return Row(one.name, numbers, verdict)


def _directions(
    x: Any, kernel: Any, settings: dict[str, Any], kernels: Any
) -> dict[str, Callable[[], Any]]:
    """The result, and both gradients of a gradient that is the result."""
    y = kernels["conv"](x, kernel, **settings)
    return {
        "y": lambda: kernels["conv"](x, kernel, **settings),
        "x": lambda: kernels["conv_grad_input"](y, kernel, input_shape=x.shape, **settings),
        "k": lambda: kernels["conv_grad_kernel"](x, y, kernel_shape=kernel.shape, **settings),
    }


def _largest_error(x: Any, kernel: Any, one: Convolution) -> float:
    """Of all directions on one image, against numpy in float64."""
    found = _directions(x, kernel, one.settings, backend().kernels)
    wide = [backend().to_numpy(array).astype("float64") for array in (x, kernel)]
    exact = _directions(*wide, one.settings, registry.load("numpy").kernels)
    return max(largest_error(found[name](), exact[name]()) for name in found)


def _beside_torch(got: Any, want: Any, name: str) -> float:
    """The largest difference from torch's result, as a share of its largest number."""
    found = in_torch(got)
    if name == "y":
        want = want.permute(0, 2, 3, 1)
    else:
        want = want[0].permute(0, 2, 3, 1) if name == "x" else want[1].permute(2, 3, 1, 0)
    return float((found - want).abs().max() / want.abs().max())


def _in_torch(x: Any, kernel: Any, one: Convolution) -> dict[str, Callable[[], Any]] | None:
    torch = torch_on_gpu()
    if torch is None:
        return None
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    images = in_torch(x).permute(0, 3, 1, 2)  # channels last in memory, as they are
    weights = in_torch(kernel).permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    margin = one.settings["padding"][0][0]
    numbers = ([one.strides] * 2, [margin] * 2, [one.dilation] * 2)
    y = torch.nn.functional.conv2d(images, weights, None, *numbers, one.groups)

    def gradient(by_x: bool) -> Any:
        return torch.ops.aten.convolution_backward(
            y, images, weights, None, *numbers, False, [0, 0], one.groups, [by_x, not by_x, False]
        )

    return {
        "y": lambda: torch.nn.functional.conv2d(images, weights, None, *numbers, one.groups),
        "x": lambda: gradient(True),
        "k": lambda: gradient(False),
    }
