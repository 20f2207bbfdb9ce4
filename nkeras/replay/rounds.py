"""Rounds: what a loop of a recorded step computes, while the step is recorded."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras.backend.protocol import Backend
from nkeras.core.primitive import Primitive, Results
from nkeras.core.tensor import Tensor
from nkeras.replay.graph import Call, Graph, Loop, Value
from nkeras.replay.lower import Unplannable
from nkeras.replay.replay import Plan


def done(loop: Loop, tensors: Sequence[Tensor], backend: Backend) -> list[Tensor] | None:
    """The results of a loop, by a plan of its own; None where it cannot have one.

    Args:
        loop: without indices of inputs and outputs.
        tensors: its inputs.
        backend: the active one.
    """
    given = [Value("input", i, tensor.shape, tensor.dtype) for i, tensor in enumerate(tensors)]
    made: list[Value] = []
    for k, i in enumerate(loop.body.outputs):
        value = loop.body.values[i]
        shape = value.shape if k < loop.carries else (loop.length, *value.shape)
        made.append(Value("computed", None, shape, value.dtype))
    inputs = tuple(range(len(given)))
    outputs = tuple(range(len(given), len(given) + len(made)))
    step = loop._replace(inputs=inputs, outputs=outputs)
    try:
        plan = Plan(Graph([*given, *made], [step], {}, list(outputs)), backend)
    except (Unplannable, MemoryError):
        return None
    if not plan.ready():
        return None
    return [Tensor(array, backend) for array in plan.call([tensor.data for tensor in tensors])]


def inlined(graph: Graph, tensors: Sequence[Tensor], backend: Backend) -> list[Tensor]:
    """The results of a graph of calls, each of which is run as if it were called here."""
    values: list[Tensor | None] = [None] * len(graph.values)
    for i, value in enumerate(graph.values):
        if value.kind == "input":
            values[i] = tensors[value.source]
        elif value.kind == "constant":
            values[i] = Tensor(value.source, backend)
    for call in graph.steps:
        assert isinstance(call, Call)
        assert isinstance(call.primitive, Primitive)
        given = [None if i is None else values[i] for i in call.inputs]
        found: Results = call.primitive.run(given, dict(call.static))
        results = found if isinstance(found, tuple) else (found,)
        for i, result in zip(call.outputs, results, strict=True):
            if i is not None:
                values[i] = result
    outputs = [values[i] for i in graph.outputs]
    return [output for output in outputs if output is not None]
