"""Writers of whole sequences: the operators of ONNX, or a Scan where a mask keeps states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras.export.onnx.graph import Body, Graph, Value, constant, graph, node, nodes, unwritten
from nkeras.export.onnx.writers.shape import reshaped, sizes, squeezed, unsqueezed
from nkeras.export.onnx.writers.table import computes

_FOR_GRADIENTS = "what a recurrent layer keeps for its gradient"


def scan(
    step: Callable[..., tuple[list[Value], list[Value]]],
    states: Sequence[Value],
    sequences: Sequence[Value],
    outputs: int,
    axis: int = 1,
    reverse: bool = False,
) -> list[Value]:
    """Steps along an axis of sequences.

    Args:
        step: given states and slices, new states and as many `outputs`.
        states: the first ones.
        sequences: what is sliced.
        outputs: how many values of each step are stacked along the axis.
        axis: of sequences and outputs.
        reverse: begin with the last step; each output stands where its step does.

    Returns:
        The last states, then the stacked outputs.
    """
    body = Graph(graph().opset, layers=graph().layers)
    given = [Value(dtype=value.dtype) for value in (*states, *sequences)]
    with body.scope():
        after, made = step(*given)
        results = [node("Identity", value) for value in (*after, *made)]
    for result, like in zip(results, [*states, *[states[0]] * len(made)], strict=True):
        result.dtype = like.dtype
    backwards = int(reverse)
    return nodes(
        "Scan",
        [*states, *sequences],
        len(states) + outputs,
        body=Body(body, given, results),
        num_scan_inputs=len(sequences),
        scan_input_axes=[axis] * len(sequences),
        scan_input_directions=[backwards] * len(sequences),
        scan_output_axes=[axis] * outputs,
        scan_output_directions=[backwards] * outputs,
    )


def _by_operator(
    operator: str,
    x: Value,
    states: Sequence[Value],
    weights: Sequence[Value],
    bias: Value | None,
    reverse: bool,
    **attributes: Any,
) -> list[Value]:
    """States after each step, and the last ones; the operators have time in front."""
    turned = node("Transpose", x, perm=[1, 0, 2])
    given = [turned, *weights, bias, None, *[unsqueezed(state, 0) for state in states]]
    y, *last = nodes(
        operator,
        given,
        1 + len(states),
        hidden_size=sizes(states[0])[1],
        direction="reverse" if reverse else "forward",
        **attributes,
    )
    return [
        node("Transpose", squeezed(y, 1), perm=[1, 0, 2]),
        *[squeezed(state, 0) for state in last],
    ]


def _rows(kernel: Value, order: Sequence[int] | None = None) -> Value:
    """A kernel of gates side by side as the operators want it: `(1, gates * units, features)`."""
    return unsqueezed(_ordered(node("Transpose", kernel, perm=[1, 0]), order), 0)


def _ordered(x: Value, order: Sequence[int] | None) -> Value:
    if order is None:
        return x
    parts = nodes("Split", [x], len(order), axis=0, num_outputs=len(order))
    return node("Concat", *[parts[i] for i in order], axis=0)


def _both(bias: Value | None, order: Sequence[int] | None = None) -> Value | None:
    """The bias of the inputs' products, and zeros for those of the state."""
    if bias is None:
        return None
    zeros = constant(np.zeros(sizes(bias)), bias.dtype)
    return unsqueezed(node("Concat", _ordered(bias, order), zeros, axis=0), 0)


def _products(x: Value, kernel: Value, bias: Value | None) -> Value:
    z = node("MatMul", x, kernel)
    z = z if bias is None else node("Add", z, bias)
    z.dtype = x.dtype
    return z


def _kept(mask: Value, new: Value, old: Value) -> Value:
    return node("Where", unsqueezed(mask, 1), new, old)


def _is_double(x: Value, mask: Value | None) -> bool:
    """What runtimes have no operators for; a Scan needs none."""
    return mask is None and x.dtype == np.float64


_GATES_OF_ONNX = (0, 3, 1, 2)  # input, output, forget, candidate


@computes("lstm")
def _lstm(
    x: Value,
    h: Value,
    c: Value,
    kernel: Value | None,
    recurrent_kernel: Value,
    bias: Value | None,
    mask: Value | None,
    dropout: Value | None,
    *,
    reverse: bool,
) -> Any:
    if kernel is None or dropout is not None or _is_double(x, mask):
        return NotImplemented
    left = unwritten(_FOR_GRADIENTS), unwritten(_FOR_GRADIENTS)
    if mask is None:
        weights = [_rows(one, _GATES_OF_ONNX) for one in (kernel, recurrent_kernel)]
        added = _both(bias, _GATES_OF_ONNX)
        y, last_h, last_c = _by_operator("LSTM", x, [h, c], weights, added, reverse)
        return y, last_h, last_c, *left

    def step(h: Value, c: Value, z: Value, kept: Value) -> tuple[list[Value], list[Value]]:
        z = node("Add", z, node("MatMul", h, recurrent_kernel))
        i, f, g, o = nodes("Split", [z], 4, axis=1, num_outputs=4)
        inner = node("Mul", node("Sigmoid", i), node("Tanh", g))
        cell = node("Add", node("Mul", node("Sigmoid", f), c), inner)
        state = node("Mul", node("Sigmoid", o), node("Tanh", cell))
        state = _kept(kept, state, h)
        return [state, _kept(kept, cell, c)], [state]

    z = _products(x, kernel, bias)
    last_h, last_c, y = scan(step, [h, c], [z, mask], 1, reverse=reverse)
    return y, last_h, last_c, *left


@computes("gru")
def _gru(
    x: Value,
    h: Value,
    kernel: Value | None,
    recurrent_kernel: Value,
    bias: Value | None,
    mask: Value | None,
    dropout: Value | None,
    *,
    reset_after: bool,
    reverse: bool,
) -> Any:
    if kernel is None or dropout is not None or _is_double(x, mask):
        return NotImplemented
    left = unwritten(_FOR_GRADIENTS), unwritten(_FOR_GRADIENTS)
    units = sizes(h)[1]
    if mask is None:
        weights = [_rows(one) for one in (kernel, recurrent_kernel)]
        if bias is not None and reset_after:
            bias = reshaped(bias, (1, 6 * units))
        else:
            bias = _both(bias)
        y, last_h = _by_operator(
            "GRU", x, [h], weights, bias, reverse, linear_before_reset=int(reset_after)
        )
        return y, last_h, *left
    of_inputs, of_states = bias, None
    if bias is not None and reset_after:
        of_inputs, of_states = (
            squeezed(one, 0) for one in nodes("Split", [bias], 2, axis=0, num_outputs=2)
        )
    split = constant([2 * units, units])
    both, candidate = nodes("Split", [recurrent_kernel, split], 2, axis=1)

    def step(h: Value, z: Value, kept: Value) -> tuple[list[Value], list[Value]]:
        gates, inner = nodes("Split", [z, split], 2, axis=1)
        if reset_after:
            products = node("MatMul", h, recurrent_kernel)
            if of_states is not None:
                products = node("Add", products, of_states)
            products, behind = nodes("Split", [products, split], 2, axis=1)
        else:
            products, behind = node("MatMul", h, both), None
        gates = node("Sigmoid", node("Add", gates, products))
        update, reset = nodes("Split", [gates], 2, axis=1, num_outputs=2)
        if behind is None:
            more = node("MatMul", node("Mul", reset, h), candidate)
        else:
            more = node("Mul", reset, behind)
        new = node("Tanh", node("Add", inner, more))
        state = node("Add", new, node("Mul", update, node("Sub", h, new)))
        state = _kept(kept, state, h)
        return [state], [state]

    last_h, y = scan(step, [h], [_products(x, kernel, of_inputs), mask], 1, reverse=reverse)
    return y, last_h, *left


@computes("simple_rnn")
def _simple_rnn(
    x: Value,
    h: Value,
    kernel: Value | None,
    recurrent_kernel: Value,
    bias: Value | None,
    mask: Value | None,
    dropout: Value | None,
    *,
    reverse: bool,
) -> Any:
    if kernel is None or dropout is not None or _is_double(x, mask):
        return NotImplemented
    if mask is None:
        weights = [_rows(one) for one in (kernel, recurrent_kernel)]
        return tuple(_by_operator("RNN", x, [h], weights, _both(bias), reverse))

    def step(h: Value, z: Value, kept: Value) -> tuple[list[Value], list[Value]]:
        new = node("Tanh", node("Add", z, node("MatMul", h, recurrent_kernel)))
        state = _kept(kept, new, h)
        return [state], [state]

    last_h, y = scan(step, [h], [_products(x, kernel, bias), mask], 1, reverse=reverse)
    return y, last_h


def _constants_like(x: Value, axis: int, number: int) -> Value:
    """The first state of steps along an axis of x."""
    shape = (*sizes(x)[:axis], *sizes(x)[axis + 1 :])
    made = node("Expand", constant(number, x.dtype), constant(shape))
    made.dtype = x.dtype
    return made


@computes("linear_recurrence")
def _linear_recurrence(x: Value, factors: Value, *, axis: int) -> Value:
    def step(before: Value, x: Value, factor: Value) -> tuple[list[Value], list[Value]]:
        now = node("Add", x, node("Mul", factor, before))
        return [now], [now]

    return scan(step, [_constants_like(x, axis, 0)], [x, factors], 1, axis=axis)[1]


@computes("cumprod")
def _cumprod(x: Value, *, axis: int) -> Value:
    def step(before: Value, x: Value) -> tuple[list[Value], list[Value]]:
        now = node("Mul", before, x)
        return [now], [now]

    return scan(step, [_constants_like(x, axis, 1)], [x], 1, axis=axis)[1]
