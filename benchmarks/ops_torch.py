"""The operations of ops.py in torch: functions and autograd, images in the faster memory format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from peer_torch import FORMATS, faster
from torch.nn import functional


def _kernel(kernel: Any) -> Any:
    return kernel.permute(3, 2, 0, 1)


def _conv(case: dict[str, Any], x: Any, kernel: Any) -> Any:
    # Where stride 2 makes the padding uneven, torch has one row more above and one less below.
    padding = kernel.shape[-1] // 2 if case["padding"] == "same" else 0
    groups = x.shape[1] if case["op"] == "depthwise_conv" else 1
    return functional.conv2d(x, kernel, None, case["strides"], padding, groups=groups)


def _dense(case: dict[str, Any], x: Any, kernel: Any, bias: Any) -> Any:
    y = functional.linear(x, kernel, bias)
    return torch.relu(y) if y.requires_grad else torch.relu_(y)


def _batch_norm(case: dict[str, Any], x: Any, gamma: Any, beta: Any) -> Any:
    mean, variance = torch.zeros_like(gamma), torch.ones_like(gamma)
    return functional.batch_norm(x, mean, variance, gamma, beta, True, 0.01, 1e-3)


def _cross_entropy(case: dict[str, Any], logits: Any, labels: Any) -> Any:
    return functional.cross_entropy(logits, labels, reduction="none")


def _lstm(case: dict[str, Any], x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    weights = [kernel, recurrent, bias, torch.zeros_like(bias)]
    state = torch.zeros(1, x.shape[0], recurrent.shape[1])
    training = x.requires_grad
    return torch.lstm(x, (state, state), weights, True, 1, 0.0, training, False, True)[0]


def _reduction(function: Any) -> Callable[..., Any]:
    return lambda case, x: function(x) if case["axis"] is None else function(x, dim=case["axis"])


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conv": _conv,
    "depthwise_conv": _conv,
    "matmul": lambda case, x, y: torch.mm(x, y),
    "dense": _dense,
    "max_pool": lambda case, x: functional.max_pool2d(x, case["size"]),
    "average_pool": lambda case, x: functional.avg_pool2d(x, case["size"]),
    "batch_norm": _batch_norm,
    "layer_norm": lambda case, x, gamma, beta: functional.layer_norm(
        x, x.shape[-1:], gamma, beta, 1e-3
    ),
    "attention": lambda case, query, key, value: functional.scaled_dot_product_attention(
        query, key, value, is_causal=case["causal"]
    ),
    "relu": lambda case, x: torch.relu(x),
    "tanh": lambda case, x: torch.tanh(x),
    "sigmoid": lambda case, x: torch.sigmoid(x),
    "gelu": lambda case, x: functional.gelu(x, approximate="tanh"),
    "exp": lambda case, x: torch.exp(x),
    "softmax": lambda case, x: torch.softmax(x, -1),
    "log_softmax": lambda case, x: torch.log_softmax(x, -1),
    "cross_entropy": _cross_entropy,
    "lstm": _lstm,
    "sum": _reduction(torch.sum),
    "mean": _reduction(torch.mean),
    "max": lambda case, x: torch.amax(x, dim=case["axis"]),
    "transpose": lambda case, x: x.permute(case["axes"]).reshape(-1),
    "embedding": lambda case, table, indices: functional.embedding(indices, table),
}
TRANSPOSED = {"dense": (1,), "lstm": (1, 2)}  # torch stores these weights as (out, in)
IMAGES = ("conv", "depthwise_conv", "max_pool", "average_pool", "batch_norm")


def make(
    case: dict[str, Any], arrays: list[np.ndarray], upstream: Callable[..., np.ndarray]
) -> Callable[[], Any] | None:
    """The function to time."""
    op = case["op"]
    if op in ("adam", "sgd"):
        return _update(op, *arrays)
    inputs = [torch.from_numpy(array) for array in arrays]
    if op == "cross_entropy":
        inputs[1] = inputs[1].long()
    for i in TRANSPOSED.get(op, ()):
        inputs[i] = inputs[i].T.contiguous()
    if op == "attention":  # torch wants (batch, heads, length, size)
        inputs = [one.permute(0, 2, 1, 3).contiguous() for one in inputs]
    if op not in IMAGES:
        return _timed(case, inputs, upstream)
    candidates = []
    for memory_format in FORMATS:
        images = [inputs[0].permute(0, 3, 1, 2).contiguous(memory_format=memory_format)]
        others = inputs[1:]
        if "conv" in op:
            others = [_kernel(inputs[1]).contiguous(memory_format=memory_format)]
            if op == "depthwise_conv":
                others = [inputs[1].permute(2, 3, 0, 1).contiguous(memory_format=memory_format)]
        candidates.append(_timed(case, images + others, upstream, memory_format))
    return faster(candidates)


def _timed(
    case: dict[str, Any],
    inputs: list[Any],
    upstream: Callable[..., np.ndarray],
    memory_format: Any = None,
) -> Callable[[], Any]:
    function = FUNCTIONS[case["op"]]
    if case["what"] == "forward":

        @torch.inference_mode()
        def forward() -> Any:
            return function(case, *inputs)

        return forward
    wanted = [inputs[i].requires_grad_() for i in case["by"]]
    y = function(case, *inputs)
    if case["op"] == "attention":
        batch, heads, length, size = y.shape
        gradient = torch.from_numpy(upstream((batch, length, heads, size)))
        gradient = gradient.permute(0, 2, 1, 3).contiguous()
    elif memory_format is None:
        gradient = torch.from_numpy(upstream(tuple(y.shape)))
    else:
        batch, channels, height, width = y.shape
        channels_last = torch.from_numpy(upstream((batch, height, width, channels)))
        gradient = channels_last.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    if case["what"] == "backward":
        return lambda: torch.autograd.grad(y, wanted, gradient, retain_graph=True)

    def both() -> Any:
        y = function(case, *inputs)
        return y, torch.autograd.grad(y, wanted, gradient)

    return both


def _update(name: str, weights: np.ndarray, gradient: np.ndarray) -> Callable[[], Any]:
    variable = torch.nn.Parameter(torch.from_numpy(weights))
    variable.grad = torch.from_numpy(gradient)
    optimizer: Any = (
        torch.optim.Adam([variable], 1e-3, eps=1e-7, fused=True)
        if name == "adam"
        else torch.optim.SGD([variable], 1e-2, momentum=0.9, fused=True)
    )

    def update() -> Any:
        optimizer.step()
        return variable

    return update
