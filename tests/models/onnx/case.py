"""One node of ONNX with inputs, to be compared with onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Const:
    """An input that stands in the file."""

    array: np.ndarray


@dataclass
class Case:
    """A node.

    Attributes:
        operator: its operator.
        inputs: arrays that the model is called on, `Const`s, and None for what is left out.
        attributes: of the node.
        opset: version of the operators.
        outputs: how many.
        open_axes: axes of the inputs whose size the file leaves open.
        tolerance: of results, relative to the largest.
        infer: whether onnxruntime computes the operator at all.
    """

    operator: str
    inputs: tuple[np.ndarray | Const | None, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 21
    outputs: int = 1
    open_axes: tuple[int, ...] = (0,)
    tolerance: float = 2e-6

    def __str__(self) -> str:
        sizes = [getattr(getattr(i, "array", i), "shape", None) for i in self.inputs]
        given = {k: getattr(v, "name", v) for k, v in self.attributes.items()}
        return f"{self.operator}-{self.opset}-{sizes}-{given}"[:110]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What the model is called on."""
        return {f"x{i}": x for i, x in enumerate(self.inputs) if isinstance(x, np.ndarray)}

    def model(self) -> onnx.ModelProto:
        """The file."""
        names = ["" if x is None else f"x{i}" for i, x in enumerate(self.inputs)]
        while names and not names[-1]:
            names.pop()
        outputs = [f"y{i}" for i in range(self.outputs)]
        node = helper.make_node(self.operator, names, outputs, "the/node", **self.attributes)
        weights = {f"x{i}": x.array for i, x in enumerate(self.inputs) if isinstance(x, Const)}
        return model_of([node], self.arrays, outputs, weights, self.opset, self.open_axes)


def value_info(name: str, array: np.ndarray, open_axes: tuple[int, ...]) -> onnx.ValueInfoProto:
    sizes = [f"n{i}" if i in open_axes else size for i, size in enumerate(array.shape)]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), sizes)


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, np.ndarray],
    outputs: list[str],
    weights: dict[str, np.ndarray] | None = None,
    opset: int = 21,
    open_axes: tuple[int, ...] = (0,),
) -> onnx.ModelProto:
    """A model of nodes."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [value_info(name, array, open_axes) for name, array in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    """The model as a file."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def expected(model: onnx.ModelProto, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime computes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, arrays)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Distinct floats of both signs, in an order without pattern."""
    random = np.random.default_rng(sum(shape) + len(shape))
    line = np.linspace(low, high, int(np.prod(shape))) + 0.013
    return random.permutation(line).reshape(shape).astype("float32")


def const(values: Any, dtype: str | None = None) -> Const:
    """Numbers in the file; ints become int64."""
    array = np.array(values)
    kinds = {"i": "int64", "f": "float32"}
    return Const(array.astype(dtype or kinds.get(array.dtype.kind, array.dtype.name)))


FLOAT = TensorProto.FLOAT
