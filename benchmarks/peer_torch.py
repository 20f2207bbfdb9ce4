"""The models of `peer_models` in torch: modules, a training loop, prediction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import peer_models
import torch
from torch import nn

FORMATS = (torch.contiguous_format, torch.channels_last)


def faster(functions: Sequence[Callable[[], object]], calls: int = 4) -> Callable[[], object]:
    """The one of some functions that takes the least time."""
    best = []
    for function in functions:
        function()
        times = []
        for _ in range(calls):
            started = time.perf_counter()
            function()
            times.append(time.perf_counter() - started)
        best.append(min(times))
    return functions[best.index(min(best))]


class _Add(nn.Module):
    """Branch plus shortcut."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of both ways."""
        return self.branch(x) + self.shortcut(x)


class _Average(nn.Module):
    """Global average pooling."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean over the positions."""
        return x.mean((2, 3))


class _Builder:
    """Makes modules of layers, and hands them their weights."""

    def __init__(self, name: str, softmax: bool) -> None:
        self.model = peer_models.MODELS[name]
        self.left: Iterator[np.ndarray] = iter(peer_models.weights(self.model))
        self.softmax = softmax
        self.flattened: tuple[int, ...] | None = None

    def build(self, layers: peer_models.Layers, shape: tuple[int, ...]) -> nn.Module:
        """Modules in a row."""
        modules: list[nn.Module] = []
        for kind, *numbers in layers:
            modules += self._modules(kind, numbers, shape)
            shape = peer_models.output_shape((kind, *numbers), shape)
        return modules[0] if len(modules) == 1 else nn.Sequential(*modules)

    def _modules(self, kind: str, numbers: list[Any], shape: tuple[int, ...]) -> list[nn.Module]:
        if kind in ("conv", "depthwise"):
            return self._convolution(kind, numbers, shape)
        if kind == "dense":
            units, activation = numbers
            layer = nn.Linear(shape[-1], units)
            kernel = next(self.left)
            if self.flattened:  # torch flattens with channels first
                height, width, channels = self.flattened
                kernel = kernel.reshape(height, width, channels, units).transpose(2, 0, 1, 3)
                kernel, self.flattened = kernel.reshape(-1, units), None
            _set(layer, weight=kernel.T, bias=next(self.left))
            return [layer, *self._activation(activation)]
        if kind == "norm":
            layer = nn.BatchNorm2d(shape[-1], peer_models.EPSILON, momentum=0.01)
            names = ("weight", "bias", "running_mean", "running_var")
            _set(layer, **{name: next(self.left) for name in names})
            return [layer]
        if kind == "add":
            branch, shortcut = (self.build(part, shape) for part in numbers)
            return [_Add(branch, shortcut)]
        if kind == "flatten":
            self.flattened = shape
            return [nn.Flatten()]
        if kind == "relu":
            return [nn.ReLU(True) if numbers[0] is None else nn.ReLU6(True)]
        if kind == "max":
            return [nn.MaxPool2d(numbers[0])]
        return [nn.Dropout(numbers[0]) if kind == "dropout" else _Average()]

    def _convolution(
        self, kind: str, numbers: list[Any], shape: tuple[int, ...]
    ) -> list[nn.Module]:
        channels = shape[-1]
        if kind == "depthwise":
            size, strides = numbers
            filters, padding, activation, bias, groups = channels, "same", None, False, channels
        else:
            filters, size, strides, padding, activation, bias = numbers
            groups = 1
        low, high = peer_models.same_padding(size, strides, shape[0])
        before: list[nn.Module] = []
        if padding == "valid":
            low = 0
        elif low != high:
            before, low = [nn.ZeroPad2d((low, high, low, high))], 0
        layer = nn.Conv2d(channels, filters, size, strides, low, groups=groups, bias=bias)
        order = (2, 3, 0, 1) if kind == "depthwise" else (3, 2, 0, 1)
        values = {"weight": next(self.left).transpose(order)}
        if bias:
            values["bias"] = next(self.left)
        _set(layer, **values)
        return [*before, layer, *self._activation(activation)]

    def _activation(self, name: str | None) -> list[nn.Module]:
        if name == "relu":
            return [nn.ReLU(True)]
        return [nn.Softmax(-1)] if name == "softmax" and self.softmax else []


def _set(module: nn.Module, **values: np.ndarray) -> None:
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name).copy_(torch.from_numpy(np.ascontiguousarray(value)))


def model(name: str, softmax: bool) -> nn.Module:
    """A module; without softmax it gives logits, for training."""
    builder = _Builder(name, softmax)
    return builder.build(builder.model.layers, builder.model.input_shape)


def training(
    name: str,
    samples: int,
    batch: int,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Callable[[], None]:
    """An epoch of a plain training loop with Adam, loss and accuracy."""
    images, labels = peer_models.data(name, samples)
    data = torch.from_numpy(peer_models.channels_first(images))
    data = data.contiguous(memory_format=memory_format)
    target = torch.from_numpy(labels).long()
    network = model(name, softmax=False).to(memory_format=memory_format).train()
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def epoch() -> None:
        order = torch.randperm(samples)
        loss_sum, correct = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for indices in order.split(batch):
            y = target[indices]
            logits = network(data[indices])
            loss = nn.functional.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach()
            correct += (logits.argmax(-1) == y).sum()
        _ = loss_sum.item(), correct.item()

    return epoch


def prediction(
    name: str,
    samples: int,
    batch: int,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Callable[[], np.ndarray]:
    """Probabilities of samples as NumPy array, batch by batch."""
    data = peer_models.channels_first(peer_models.data(name, samples)[0])
    network = model(name, softmax=True).to(memory_format=memory_format).eval()

    @torch.inference_mode()
    def run() -> np.ndarray:
        parts = []
        for x in torch.from_numpy(data).split(batch):
            parts.append(network(x.contiguous(memory_format=memory_format)))
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).numpy()

    return run


def fastest(
    way: Callable[..., Callable[[], object]], name: str, samples: int, batch: int
) -> Callable[[], object]:
    """`training` or `prediction` in the faster memory format."""
    if len(peer_models.MODELS[name].input_shape) == 1:
        return way(name, samples, batch)
    candidates = [way(name, samples, batch, memory_format) for memory_format in FORMATS]
    return faster(candidates, calls=1 if way is training else 4)
