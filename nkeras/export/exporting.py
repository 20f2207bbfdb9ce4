"""`Model.export`: a model as a file that other programs run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nkeras.core import dtypes, tree
from nkeras.core.errors import is_a, short
from nkeras.core.strings import STRING
from nkeras.core.typing import Structure
from nkeras.export.onnx.export import InputOf, export_onnx

if TYPE_CHECKING:
    from nkeras.models.model import Model

# Formats of Keras that other frameworks write, and what to do instead.
_ELSEWHERE = {
    "tf_saved_model": "is written by TensorFlow, which nkeras does without",
    "openvino": "is written by OpenVINO, whose `convert_model` reads ONNX files",
    "litert": "is written by LiteRT's converter, which needs TensorFlow or torch",
    "torch": "is written by torch, which nkeras does without",
}


def export_model(
    model: Model,
    filepath: str | os.PathLike[str],
    format: str = "onnx",
    verbose: bool | None = None,
    input_signature: Structure = None,
    **kwargs: Any,
) -> None:
    """Write a model for inference; see `Model.export`."""
    if format in _ELSEWHERE:
        raise ValueError(
            f"Model.export: format={short(format)} {_ELSEWHERE[format]}. Write "
            '`format="onnx"`, which ONNX Runtime and most converters read, or save a .keras file '
            "with `model.save` and export that with Keras."
        )
    if format != "onnx":
        raise ValueError(
            f'Model.export: argument `format` must be "onnx". Received: format={short(format)}'
        )
    if not is_a(filepath, (str, os.PathLike)):
        raise TypeError(
            f"Model.export: argument `filepath` must be a path. Received: {short(filepath)}"
        )
    opset_version = kwargs.pop("opset_version", None)
    if kwargs:
        raise ValueError(
            "Model.export: unknown arguments "
            f"{short(sorted(kwargs))}; for ONNX there is `opset_version`."
        )
    signature = _signature(model) if input_signature is None else _given(input_signature)
    export_onnx(model, filepath, signature, opset_version)
    if verbose is None or verbose:
        from nkeras.utils.io_utils import print_msg

        print_msg(f"Saved artifact at '{filepath}'.")


def _signature(model: Model) -> list[Structure]:
    """The arguments of the call: the inputs of the graph, or those of the first call."""
    if model.has_graph():
        graph = model.need_graph()
        names = iter(graph.input_names())
        spec = tree.map_structure(
            lambda tensor: _of_numbers(tensor.shape, tensor.dtype, next(names)),
            graph.inputs_structure,
        )
        return [spec]
    shapes: Any = model.get_build_config()
    if not model.built or not shapes:
        raise ValueError(
            f"Model.export: model {short(model.name)} has never been called, so the shapes of its "
            "inputs are not known. Call it once, or give `input_signature`."
        )
    found = shapes.get("shapes_dict", shapes)
    return [_of_shapes(shape, model.input_dtype) for shape in found.values()]


def _of_shapes(shapes: Any, dtype: str) -> Structure:
    if isinstance(shapes, dict):
        return {name: _of_shapes(shape, dtype) for name, shape in shapes.items()}
    if all(size is None or is_a(size, int) for size in shapes):
        return InputOf((None, *shapes[1:]), dtype)
    return [_of_shapes(shape, dtype) for shape in shapes]


def _given(signature: Structure) -> list[Structure]:
    """What the caller says."""
    arguments = list(signature) if is_a(signature, (list, tuple)) else [signature]
    if not arguments:
        raise ValueError("Model.export: argument `input_signature` must not be empty.")
    return [tree.map_structure(_input_of, argument) for argument in arguments]


def _input_of(spec: Any) -> InputOf:
    shape = getattr(spec, "shape", None)
    if shape is None or not hasattr(spec, "dtype"):
        raise ValueError(
            "Model.export: argument `input_signature` must hold InputSpecs with shapes, "
            f"KerasTensors or arrays. Received: {short(spec)}"
        )
    name = getattr(spec, "name", None)
    return _of_numbers(shape, spec.dtype, name if isinstance(name, str) else "")


def _of_numbers(shape: Sequence[int | None], dtype: Any, name: str) -> InputOf:
    if dtype == STRING:
        raise ValueError(
            f"Model.export: input {short(name)} is text, which the files written here do not hold. "
            "Export the part behind the layers for text: Model(lookup.output, model.output)."
        )
    return InputOf(tuple(shape), dtypes.standardize(dtype), name)
