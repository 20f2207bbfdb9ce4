"""Models as HTML, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nkeras.inspect.outline import outline, walk
from nkeras.utils.html import cell, table

if TYPE_CHECKING:
    from nkeras.models.model import Model

_MOST_ROWS = 200
_MOST_DRAWN = 400  # boxes


def model_html(model: Model) -> str:
    """The layers of a model as a table, and its graph."""
    title = f"<b>{cell(model.name)}</b> ({cell(type(model).__name__)})"
    if not model.built:
        rows = [(layer.name, type(layer).__name__) for layer in model.layers]
        return f"<div>{title}, not built</div>{table(['layer', 'class'], rows[:_MOST_ROWS])}"
    boxes = list(walk(outline(model)))
    rows = [
        (
            "/".join((*path, box.name)),
            box.class_name,
            ", ".join(str(shape) for shape, _ in box.outputs),
            f"{box.parameters:,}" if box.inner is None else "",
            {None: "", True: "yes", False: "no"}[box.trainable],
        )
        for path, box in boxes
    ]
    left_out = len(rows) - _MOST_ROWS
    parts = [
        f"<div>{title}, {model.count_params():,} parameters</div>",
        table(["layer", "class", "output shape", "parameters", "trainable"], rows[:_MOST_ROWS]),
    ]
    if left_out > 0:
        parts.append(f"<div>{left_out:,} layers more</div>")
    if len(boxes) <= _MOST_DRAWN:
        parts.append(f'<div style="overflow:auto;max-height:80vh">{model.plot().svg}</div>')
    return "".join(parts)
