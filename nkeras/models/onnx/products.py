"""Products of matrices: dense layers where one of the two is a weight."""

from __future__ import annotations

import re

import numpy as np

from nkeras import layers, ops
from nkeras.core.errors import cut_text, short
from nkeras.models.onnx.arithmetic import broadcast
from nkeras.models.onnx.reading import Node
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import Known, Traced, Value


@operator("Gemm")
def _gemm(call: Call) -> Value:
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    turn_a, turn_b = call.flag("transA", False), call.flag("transB", False)
    a, b = call.value(0), call.value(1)
    if a.rank != 2 or b.rank != 2:
        call.fail("both factors must be matrices.")
    addend = call.value(2) if call.has(2) else None
    x = call.traced(0)
    tensor = ops.transpose(x.first, (1, 0)) if turn_a else x.first
    is_plain = not turn_a and alpha == 1.0 and (addend is None or beta == 1.0)
    if isinstance(b, Known) and is_plain and (addend is None or isinstance(addend, Known)):
        kernel = call.weight(1).T if turn_b else call.weight(1)
        bias = None if addend is None else _as_bias(addend.array, kernel.shape[1])
        if addend is None or bias is not None:
            return _dense(call, x, kernel, None if bias is None else (2, bias))
    factor = call.operand(1)
    y = ops.matmul(tensor, ops.transpose(factor, (1, 0)) if turn_b else factor)
    y = y if alpha == 1.0 else ops.multiply(y, alpha)
    if addend is not None:
        last = call.operand(2)
        y = ops.add(y, last if beta == 1.0 else ops.multiply(last, beta))
    return call.made(y, like=() if turn_a else [x])


def _as_bias(array: np.ndarray, units: int) -> np.ndarray | None:
    """A bias of a dense layer, where the array is one."""
    if array.ndim == 0 or array.shape[-1] != units or array.size != units:
        return None
    return array.reshape(-1)


def _dense(
    call: Call, x: Traced, kernel: np.ndarray, bias: tuple[int, np.ndarray] | None
) -> Traced:
    inputs, units = kernel.shape
    if x.sizes[-1] != inputs or not units or not inputs:
        call.fail(
            f"its input has {cut_text(str(x.sizes[-1]))} features, the weights have shape "
            f"{short(kernel.shape)}."
        )
    weights = {"kernel": (1, kernel)}
    if bias is not None:
        weights["bias"] = bias
    arguments = {"units": units, "use_bias": bias is not None}
    y = call.builder.layer(call, layers.Dense, arguments, x.first, weights, x.dtype)
    return call.made(y, (*x.sizes[:-1], units))


@operator("MatMul")
def _matmul(call: Call) -> Value:
    a, b = call.value(0), call.value(1)
    if isinstance(b, Known) and b.rank == 2 and a.rank >= 2 and b.weight is not None:
        x, kernel = call.traced(0), call.weight(1)
        behind = _bias_behind(call, kernel.shape[1])
        if behind is None:
            return _dense(call, x, kernel, None)
        node, place, bias = behind
        call.inputs.append(call.builder.values[node.inputs[place]])
        made = _dense(call, x, kernel, (len(call.inputs) - 1, bias))
        call.builder.done.add(id(node))
        call.builder.values[node.outputs[0]] = made
        return made
    if a.rank == 0 or b.rank == 0:
        call.fail("a factor is a single number.")
    is_traced = isinstance(a, Traced) or isinstance(b, Traced)
    y = ops.matmul(call.operand(0) if is_traced else call.tensor(0), call.operand(1))
    if a.rank < 2 or b.rank < 2:
        return call.made(y)
    batch = broadcast([a.sizes[:-2], b.sizes[:-2]])
    return call.made(y, (*batch, a.sizes[-2], b.sizes[-1]))


def _bias_behind(call: Call, units: int) -> tuple[Node, int, np.ndarray] | None:
    """The only node behind a product, where it adds a bias, with the bias' place in it."""
    builder, output = call.builder, call.node.outputs[0]
    users = builder.uses.get(output, [])
    if len(users) != 1 or users[0].operator != "Add" or output in builder.description.outputs:
        return None
    node = users[0]
    if len(node.inputs) != 2 or node.inputs.count(output) != 1:
        return None
    place = 1 - node.inputs.index(output)
    value = builder.values.get(node.inputs[place])
    if not isinstance(value, Known) or value.weight is None or value.rank > 2:
        return None
    bias = _as_bias(value.array, units)
    return None if bias is None else (node, place, bias)


_LABELS = re.compile(r"[A-Za-z.,\->\s]+")


@operator("Einsum")
def _einsum(call: Call) -> Value:
    equation = call.text("equation", "").replace(" ", "")
    if not _LABELS.fullmatch(equation) or len(equation) > 200:
        call.fail(f"the equation {short(equation, 60)} is none.")
    places = range(len(call.inputs))
    operands = [call.operand(place) for place in places]
    if all(isinstance(call.value(place), Known) for place in places):
        operands[0] = call.tensor(0)
    return call.made(ops.einsum(equation, *operands))
