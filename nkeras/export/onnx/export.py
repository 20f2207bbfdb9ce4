"""A model as ONNX: runs it for the graph, with several sizes where some are not known."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nkeras.core import tree
from nkeras.core.errors import is_a, short
from nkeras.core.typing import PartialShape, Structure
from nkeras.export.onnx import writers as writers  # registers them
from nkeras.export.onnx.file import OLDEST, newest_opset, write
from nkeras.export.onnx.graph import ExportError, Graph
from nkeras.export.onnx.liveness import fold_weights
from nkeras.export.onnx.sizes import merged
from nkeras.export.onnx.tracing import Weights, traced

if TYPE_CHECKING:
    from nkeras.models.model import Model

# Of the batch in each run.
_BATCHES = (6, 10, 15, 21)
# Other sizes that are not known begin with these, and differ from each other: first, as in shape
# inference, what divides well, then what does not, one more and one less than a multiple of 32:
# sizes that are halved and rounded up or down, and doubled again, are not what they were.
_EVEN = (840, 1680, 2520, 3360)
_ODD = (0, 0, 961, 1023)


@dataclass(frozen=True)
class InputOf:
    """What is known of an input.

    Attributes:
        shape: sizes; None is unknown.
        dtype: name.
        name: in the file; empty for a number.
    """

    shape: PartialShape
    dtype: str
    name: str = ""


def export_onnx(
    model: Model,
    filepath: str | os.PathLike[str],
    signature: Sequence[Structure],
    opset_version: int | None = None,
) -> None:
    """Write a model for inference as ONNX.

    Args:
        model: a built model.
        filepath: the file.
        signature: the arguments of the call, structures of `InputOf`.
        opset_version: version of the operators; the newest that is known for None.
    """
    opset = _opset(opset_version)
    specs = tree.flatten(list(signature))
    inputs = [replace(spec, name=_name(spec, i, specs)) for i, spec in enumerate(specs)]
    runs = _runs(model, signature, inputs, opset)
    graph = merged(runs)
    fold_weights(graph)
    write(
        graph,
        filepath,
        model.name,
        [_input_sizes(i, one.shape) for i, one in enumerate(inputs)],
        _output_sizes(runs, inputs),
    )


def _opset(version: int | None) -> int:
    newest = newest_opset()
    if version is None:
        return newest
    if isinstance(version, bool) or not is_a(version, int) or not OLDEST <= version <= newest:
        raise ValueError(
            f"Model.export: argument `opset_version` must be an int in [{OLDEST}, {newest}], of "
            f"which the last is the newest that this nkeras and this onnx know. Received: "
            f"{short(version)}"
        )
    return version


def _name(spec: InputOf, index: int, specs: Sequence[InputOf]) -> str:
    """The name of the input; those without one, or of one name, are numbered."""
    is_own = sum(other.name == spec.name for other in specs) == 1
    return spec.name if spec.name and is_own else f"input_{index}"


def _runs(
    model: Model, signature: Sequence[Structure], inputs: Sequence[InputOf], opset: int
) -> list[Graph]:
    weights = Weights()
    indices = iter(range(len(inputs)))
    structure = tree.map_structure(lambda spec: next(indices), list(signature))
    names = _output_names(model)

    def run(fill: Callable[[int, int], int]) -> Graph:
        filled = [
            (
                one.name,
                tuple(fill(i, axis) if n is None else n for axis, n in enumerate(one.shape)),
                one.dtype,
            )
            for i, one in enumerate(inputs)
        ]
        return traced(
            lambda *args: model(*args, training=False),
            structure,
            filled,
            names,
            opset,
            weights,
        )

    unknown = [
        (i, axis)
        for i, one in enumerate(inputs)
        for axis, size in enumerate(one.shape)
        if size is None
    ]
    if not unknown:
        return [run(lambda i, axis: 0)]
    others = {place: number for number, place in enumerate(p for p in unknown if p[1] > 0)}
    try:
        return _several(run, others)
    except ExportError:
        raise
    except ValueError:
        if len(others) < 2:
            raise
        return _several(run, dict.fromkeys(others, 0))  # sizes of one axis in several inputs


def _several(
    run: Callable[[Callable[[int, int], int]], Graph], others: dict[tuple[int, int], int]
) -> list[Graph]:
    """Three runs; where others than the batch are not known, four, the last two odd if possible."""

    def fill(number: int, odd: bool = False) -> Callable[[int, int], int]:
        def size(i: int, axis: int) -> int:
            if (i, axis) not in others:
                return _BATCHES[number]
            place = others[i, axis]
            return _ODD[number] + 64 * place if odd else _EVEN[number] + 840 * place * (number + 2)

        return size

    runs = [run(fill(0)), run(fill(1))]
    if not others:
        return [*runs, run(fill(2))]
    try:
        return [*runs, run(fill(2, odd=True)), run(fill(3, odd=True))]
    except ExportError:
        raise
    except ValueError:
        return [*runs, run(fill(2)), run(fill(3))]


def _output_names(model: Model) -> list[str] | None:
    """Names of the layers that make the outputs; a dict of outputs has names of its own."""
    if not model.has_graph():
        return None
    structure = model.need_graph().outputs_structure
    return None if isinstance(structure, dict) else model.output_names


def _input_sizes(index: int, shape: Sequence[int | None]) -> list[int | str]:
    return [
        ("batch" if axis == 0 else f"dim_{index}_{axis}") if size is None else size
        for axis, size in enumerate(shape)
    ]


def _output_sizes(runs: Sequence[Graph], inputs: Sequence[InputOf]) -> list[list[int | str | None]]:
    """Sizes that are those of an input in each run have its name."""
    names: dict[tuple[int, ...], str] = {}
    for i, one in enumerate(inputs):
        for axis, name in enumerate(_input_sizes(i, one.shape)):
            if isinstance(name, str):
                names.setdefault(tuple(run.inputs[i].shape[axis] for run in runs), name)  # type: ignore[index]
    found: list[list[int | str | None]] = []
    for outputs in zip(*(run.outputs for run in runs), strict=True):
        columns = zip(*(output.shape for output in outputs), strict=True)  # type: ignore[arg-type]
        found.append([sizes[0] if len(set(sizes)) == 1 else names.get(sizes) for sizes in columns])
    return found
