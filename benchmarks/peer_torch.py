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
    """Global average pooling over some axes."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean over the positions."""
        return x.mean(self.axes)


class _Last(nn.Module):
    """The last state of a recurrent layer, both directions side by side."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, time, features)` to `(batch, units)`."""
        state = self.layer(x)[1]
        state = state[0] if isinstance(state, tuple) else state
        return torch.cat([*state], -1)


class _Transformer(nn.Module):
    """Attention and two dense layers, each with a residual sum and a normalization."""

    def __init__(self, width: int, heads: int, size: int, hidden: int) -> None:
        super().__init__()
        self.heads, self.size = heads, size
        self.inside, self.outside = (
            nn.Linear(width, 3 * heads * size),
            nn.Linear(heads * size, width),
        )
        self.first, self.second = (nn.LayerNorm(width, 1e-6) for _ in range(2))
        self.dense = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(True), nn.Linear(hidden, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(batch, time, width)` to the same."""
        batch, time, _ = x.shape
        parts = self.inside(x).view(batch, time, 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(*parts)
        x = self.first(x + self.outside(seen.transpose(1, 2).reshape(batch, time, -1)))
        return self.second(x + self.dense(x))


class _Local(nn.Module):
    """A locally connected layer: patches by unfold, and one batched product."""

    def __init__(self, shape: tuple[int, ...], size: int, strides: int, inputs: int) -> None:
        super().__init__()
        self.shape, self.size, self.strides = shape, size, strides
        places, filters = shape[0] * shape[1], shape[2]
        self.kernel = nn.Parameter(torch.empty(places, inputs, filters))
        self.bias = nn.Parameter(torch.empty(places, 1, filters))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images to images."""
        patches = nn.functional.unfold(x, self.size, stride=self.strides).permute(2, 0, 1)
        y = torch.relu(torch.baddbmm(self.bias, patches, self.kernel))
        return y.permute(1, 2, 0).reshape(len(x), self.shape[2], *self.shape[:2])


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
        if kind in ("embedding", "transformer", "local", *peer_models.RECURRENT):
            return [self._other(kind, numbers, shape)]
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
            kinds = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
            layer = kinds(shape[-1], peer_models.EPSILON, momentum=0.01)
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
        if kind == "average":  # words keep their channels last
            return [_Average((1,) if self.model.words else tuple(range(2, len(shape) + 1)))]
        return [nn.Dropout(numbers[0])]

    def _other(self, kind: str, numbers: list[Any], shape: tuple[int, ...]) -> nn.Module:
        if kind == "embedding":
            return nn.Embedding(*numbers, _weight=torch.from_numpy(next(self.left)))
        if kind == "local":
            filters, size, strides, _ = numbers
            made = _Local(
                peer_models.output_shape((kind, *numbers), shape),
                size,
                strides,
                size**2 * shape[-1],
            )
            kernel = next(self.left).reshape(len(made.kernel), size**2, shape[-1], filters)
            kernel = kernel.transpose(0, 2, 1, 3).reshape(made.kernel.shape)
            _set(made, kernel=kernel, bias=next(self.left).reshape(made.bias.shape))
            return made
        if kind == "transformer":
            return self._transformer(shape[-1], *numbers)
        units, gates = numbers[0], peer_models.RECURRENT[kind][0]
        layers = {"lstm": nn.LSTM, "both gru": nn.GRU}
        layer = layers[kind](shape[-1], units, batch_first=True, bidirectional=kind[:4] == "both")
        # Gates of LSTM stand in the same order; those of GRU are reset, update, candidate.
        order = [0, 1, 2, 3] if gates == 4 else [1, 0, 2]

        def gate_first(array: np.ndarray) -> np.ndarray:
            parts = np.split(array, gates, -1)
            return np.concatenate([parts[i] for i in order], -1).T

        for suffix in ("", "_reverse")[: 2 if kind[:4] == "both" else 1]:
            kernel, recurrent, bias = (next(self.left) for _ in range(3))
            biases = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
            names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
            values = (kernel, recurrent, *biases)
            pairs = zip(names, map(gate_first, values), strict=True)
            _set(layer, **{name + suffix: value for name, value in pairs})
        return _Last(layer)

    def _transformer(self, width: int, heads: int, size: int, hidden: int) -> nn.Module:
        made = _Transformer(width, heads, size, hidden)
        kernels = [next(self.left) for _ in range(6)]
        inside = np.concatenate([kernel.reshape(width, -1) for kernel in kernels[::2]], 1)
        biases = np.concatenate([bias.reshape(-1) for bias in kernels[1::2]])
        _set(made.inside, weight=inside.T, bias=biases)
        _set(made.outside, weight=next(self.left).reshape(-1, width).T, bias=next(self.left))
        _set(made.first, weight=next(self.left), bias=next(self.left))
        for layer in (made.dense[0], made.dense[2]):
            _set(layer, weight=next(self.left).T, bias=next(self.left))
        _set(made.second, weight=next(self.left), bias=next(self.left))
        return made

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
        if len(shape) == 2:
            layer, order = nn.Conv1d(channels, filters, size, strides, low, bias=bias), (2, 1, 0)
        else:
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
    device: str = "cpu",
) -> Callable[[], None]:
    """An epoch of a plain training loop with Adam, loss and accuracy, the data on the device."""
    images, labels = peer_models.data(name, samples)
    data = torch.from_numpy(peer_models.channels_first(images))
    data = data.contiguous(memory_format=memory_format).to(device)
    target = torch.from_numpy(labels).long().to(device)
    network = model(name, softmax=False).to(memory_format=memory_format, device=device).train()
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def epoch() -> None:
        order = torch.randperm(samples, device=device)
        loss_sum = torch.zeros((), device=device)
        correct = torch.zeros((), dtype=torch.long, device=device)
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
    if len(peer_models.MODELS[name].input_shape) < 3:
        return way(name, samples, batch)
    candidates = [way(name, samples, batch, memory_format) for memory_format in FORMATS]
    return faster(candidates, calls=1 if way is training else 4)
