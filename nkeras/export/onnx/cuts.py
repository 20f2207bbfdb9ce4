"""Slices, which are written for all axes: those that cut nothing for any size are left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nkeras.export.onnx.graph import Node, Value, constant


def bounds(starts: Sequence[int], stops: Sequence[int], steps: Sequence[int]) -> list[Value]:
    """The inputs of a slice along all axes."""
    return [constant(one) for one in (starts, stops, range(len(starts)), steps)]


def trimmed(group: Sequence[Node]) -> list[Node]:
    """The same slice of several runs without the axes along which none of them cuts."""
    kept = sorted({axis for node in group for axis in _cut_axes(node)})
    if not kept:
        return [Node("Identity", node.inputs[:1], node.outputs, scope=node.scope) for node in group]
    made: list[Node] = []
    for node in group:
        parts = [constant(part[kept]) for part in _parts(node)]
        made.append(Node("Slice", [node.inputs[0], *parts], node.outputs, scope=node.scope))
    return made


def _parts(node: Node) -> list[np.ndarray]:
    return [value.data for value in node.inputs[1:] if value is not None and value.data is not None]


def _cut_axes(node: Node) -> list[int]:
    x = node.inputs[0]
    assert x is not None
    assert x.shape is not None
    starts, stops, axes, steps = _parts(node)
    is_whole = (starts == 0) & (stops == np.asarray(x.shape)) & (steps == 1)
    return [int(axis) for axis in axes[~is_whole]]
