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
from nkeras.export.onnx.file import write
from nkeras.export.onnx.graph import ExportError, Graph
from nkeras.export.onnx.liveness import fold_weights
from nkeras.export.onnx.sizes import merged
from nkeras.export.onnx.tracing import Weights, traced
from nkeras.export.onnx.versions import OLDEST, newest_opset

if TYPE_CHECKING:
    from nkeras.models.model import Model

# Sizes that are not known, of the batch and, differing from each other, of other axes. The first
# two runs have sizes that divide well, as in shape inference. The last ones have those that do not,
# and small ones if possible, so that it shows what is cut at a limit: one more and one less than a
# power of two, which halved, rounded up or down, and doubled are not what they were.
_FIRST = ((12, 840, 1680), (24, 1680, 2520))  # the batch, the first other axis, to the next one
_LAST = (
    ((5, 9, 64), (11, 7, 64)),
    ((5, 33, 64), (11, 31, 64)),
    ((5, 1025, 64), (11, 1023, 64)),
    ((60, 2520, 3360), (84, 3360, 4200)),
)


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
            "which the last is the newest that nkeras and the installed onnx and onnxruntime know. "
            f"Received: "
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
    except (ValueError, IndexError):
        axes = sorted({axis for _, axis in others})
        if len(axes) == len(others):
            raise
        # Inputs that are put together have the same sizes of their axes.
        return _several(run, {(i, axis): axes.index(axis) for i, axis in others})


def _several(
    run: Callable[[Callable[[int, int], int]], Graph], others: dict[tuple[int, int], int]
) -> list[Graph]:
    """Three runs, or four where more than the batch is not known."""

    def sized(batch: int, start: int, apart: int) -> Graph:
        def size(i: int, axis: int) -> int:
            return start + apart * others[i, axis] if (i, axis) in others else batch

        return run(size)

    runs = [sized(*sizes) for sizes in _FIRST]
    for number, last in enumerate(_LAST):
        try:
            return runs + [sized(*sizes) for sizes in (last if others else last[:1])]
        except ExportError:
            raise
        except (ValueError, IndexError):  # too small, or odd
            if number == len(_LAST) - 1:
                raise
    raise AssertionError("The loop returns or raises.")


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
