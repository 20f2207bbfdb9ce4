"""Which version of ONNX' operators a file gets."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from typing import Any

OLDEST = 21  # that has all operators which writers use
NEWEST = 28  # that the tests have run


def require_onnx() -> Any:
    """The package onnx.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ImportError(
            "Model.export: writing ONNX needs the package onnx: `pip install 'nkeras[onnx]'`."
        ) from error
    return onnx


@functools.cache
def newest_opset() -> int:
    """The newest version that nkeras, the installed onnx and, if it is there, the runtime know."""
    newest = min(NEWEST, int(require_onnx().defs.onnx_opset_version()))
    if find_spec("onnxruntime") is None:
        return newest
    return next((v for v in range(newest, OLDEST, -1) if _runs(v)), OLDEST)


def _runs(opset: int) -> bool:
    """Whether the installed ONNX Runtime loads a model of a version; each release knows some."""
    import onnxruntime

    onnx = require_onnx()
    helper = onnx.helper
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph([node], "graph", ends[:1], ends[1:])
    opsets = [helper.make_opsetid("", opset)]
    version = helper.find_min_ir_version_for(opsets)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=version)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # the runtime has no class of its own for it
        return False
    return True
