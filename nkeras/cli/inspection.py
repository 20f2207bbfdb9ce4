"""`nkeras inspect`: what is in a file, without making a model of it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nkeras.cli.words import attempt

if TYPE_CHECKING:
    from nkeras.saving.facts import Facts
    from nkeras.saving.stored import Stored

DESCRIPTION = "show layers, weights and needs of a model's file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, and whether each array is shown."""
    parser.add_argument(
        "file", type=Path, help=".keras, .h5, .weights.h5, .weights.json, .safetensors or .onnx"
    )
    parser.add_argument(
        "--weights", action="store_true", help="also show each array of a file with a model"
    )


def run(options: argparse.Namespace) -> int:
    """Print what the file says of itself."""

    def work() -> None:
        from nkeras.saving.facts import of_file

        facts = of_file(options.file)
        print("\n".join(report(facts, options.weights or not facts.layers)))

    return attempt("inspect", work)


def report(facts: Facts, with_arrays: bool) -> list[str]:
    """The lines that `inspect` prints.

    Args:
        facts: what the file says.
        with_arrays: whether each array has a line.
    """
    from nkeras.saving.weight_tree import in_order, printable
    from nkeras.utils.summary import readable_size

    parts = facts.parts()
    arrays = sorted(facts.weights.items(), key=lambda item: in_order(item[0]))
    about = {"file": f"{facts.name}, {readable_size(facts.size)}"}
    about["model"] = facts.model or "none: weights alone"
    about["weights"] = _amount(parts["layers"].values())
    if facts.dtypes:
        about["dtypes"] = ", ".join(facts.dtypes)
    about |= facts.compiled
    for part in ("optimizer", "seeds"):
        if parts[part]:
            about[f"state of {part}"] = _amount(parts[part].values())
    if facts.saved:
        about["saved with Keras"] = facts.saved
    if facts.further:
        about["further members"] = ", ".join(facts.further[:20])
    if facts.model:
        about["custom objects"] = ", ".join(facts.custom) or "none"
    if facts.code:
        about["code"] = f"{', '.join(facts.code)}: nkeras never runs code of a file"
    width = max(map(len, about))
    lines = [f"{name:<{width}}  {printable(value)}" for name, value in about.items()]
    if facts.layers:
        lines += [
            "",
            *_table(
                ("layer", "class", "input shape", "parameters", "size"),
                [
                    (
                        "  " * layer.level + layer.name,
                        layer.kind,
                        layer.input_shape,
                        f"{layer.parameters:,}",
                        readable_size(layer.size),
                    )
                    for layer in facts.layers
                ],
            ),
        ]
    if with_arrays and arrays:
        lines += [
            "",
            *_table(
                ("array", "shape", "dtype", "size"),
                [
                    (name, str(tuple(array.shape)), array.dtype, readable_size(array.nbytes))
                    for name, array in sorted(
                        facts.weights.items(), key=lambda item: in_order(item[0])
                    )
                ],
            ),
        ]
    return lines


def _amount(arrays: Iterable[Stored]) -> str:
    from nkeras.utils.summary import readable_size

    found = list(arrays)
    numbers = sum(math.prod(array.shape) for array in found)
    size = readable_size(sum(array.nbytes for array in found))
    return f"{numbers:,} numbers in {len(found)} arrays ({size})"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    from nkeras.saving.weight_tree import printable

    shown = [titles, *([printable(text) for text in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]
