"""A backend whose kernels write ONNX operators: a model that runs on it writes its graph.

Arrays are `Value`s. A primitive without a writer runs its decomposition; one that has none either
is noted, and its results are made up, so that all such primitives are found at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.backend.body import Body
from nkeras.backend.protocol import Kernel
from nkeras.backend.scalar import Scalar
from nkeras.core import dtypes, tape
from nkeras.core.elementwise import Elementwise
from nkeras.core.primitive import PRIMITIVES, Primitive
from nkeras.core.spec import Spec, broadcast_shapes
from nkeras.core.tensor import Tensor
from nkeras.export.onnx.elementwise import write_formula
from nkeras.export.onnx.formulas import cast, wider
from nkeras.export.onnx.graph import ExportError, Value, graph, node
from nkeras.export.onnx.writers.complexes import OF_COMPLEX
from nkeras.export.onnx.writers.table import WIDENED, WRITERS

_RANDOM = frozenset("random_bits gamma_normals".split())  # not folded: each run draws others


class _Kernels(Mapping[str, Kernel]):
    """By primitive name: its writer."""

    def __getitem__(self, name: str) -> Kernel:
        primitive = PRIMITIVES[name]
        if isinstance(primitive, Elementwise):
            raise KeyError(name)  # written by its scalar function
        writer = WRITERS.get(name)
        if writer is None and primitive.decompose is not None:
            raise KeyError(name)

        def kernel(*values: Value | None, **static: Any) -> Any:
            if name not in _RANDOM and _all_constant(values):
                return _folded(registry.load("numpy").kernels[name], values, static)
            specs = primitive.shape_rule(*[_typed(value) for value in values], **static)
            of_complex = name not in OF_COMPLEX and any(map(_is_complex, values))
            if writer is None or of_complex:
                what = f"{name} of complex numbers" if of_complex else name
                graph().missing[what] = None
                return _like(specs)
            given = [_widened(value) for value in values] if name in WIDENED else values
            results = writer(*given, **static)
            if results is NotImplemented:
                return _decomposed(primitive, values, static)
            return _finished(results, specs, name in WIDENED)

        return kernel

    def __iter__(self) -> Iterator[str]:
        return iter(WRITERS)

    def __len__(self) -> int:
        return len(WRITERS)


class Onnx:
    """See `nkeras.backend.protocol.Backend`."""

    name = "onnx"
    kernels: Mapping[str, Kernel] = _Kernels()
    dtypes = frozenset(dtypes.DTYPES)
    device = "cpu, a file"
    is_symbolic = True

    def elementwise(self, scalar: Scalar) -> Kernel:
        """The operators of a scalar function."""

        def kernel(*values: Value) -> Value:
            if _all_constant(values):
                return _folded(registry.load("numpy").elementwise(scalar), values, {})
            shape = broadcast_shapes(*[_known(value).shape for value in values])
            dtype = values[-1].dtype  # conditions come first
            if any(map(_is_complex, values)):
                graph().missing[f"{scalar.name} of complex numbers"] = None
                return Value(shape, dtype)
            written = write_formula(scalar, values)
            written.shape = shape
            written.dtype = np.dtype(bool) if scalar.result == "bool" else dtype
            return written

        return kernel

    def array_kernel(self, body: Body) -> Kernel:
        """A kernel of the user's is code, which ONNX has no place for."""

        def kernel(*values: Value | None, specs: Any, **static: Any) -> Any:
            graph().missing[f"{body.name} (a kernel of yours)"] = None
            return _like(specs)

        return kernel

    def asarray(self, value: np.ndarray, dtype: str) -> Value:
        """A constant."""
        data = np.asarray(value).astype(dtypes.to_numpy(dtype), copy=False)
        return Value(data.shape, data.dtype, data)

    def to_numpy(self, array: Value) -> np.ndarray:
        """The array of a constant.

        Raises:
            ExportError: it is none, so that how Python goes on depends on the model's inputs.
        """
        if array.data is None:
            raise ExportError(
                "Model.export: Python looks at the values of a tensor that is computed from the "
                "model's inputs, which a file cannot do. Use `ops.where` instead of `if`, and "
                "shapes instead of values."
            )
        return array.data

    def empty(self, shape: tuple[int, ...], dtype: str) -> Value:
        """A constant of zeros."""
        return self.asarray(np.zeros(shape), dtype)

    def synchronize(self) -> None:
        """Nothing runs."""

    def describe(self) -> dict[str, str]:
        """Nothing to tell."""
        return {}


ONNX = Onnx()


def _known(value: Value) -> Spec:
    if value.shape is None or value.dtype is None:
        raise RuntimeError("A writer's intermediate value has left it.")
    return Spec(value.shape, dtypes.name_of(value.dtype))


def _typed(value: Value | None) -> Spec | None:
    return None if value is None else _known(value)


def _all_constant(values: tuple[Value | None, ...]) -> bool:
    return all(value is None or value.is_constant for value in values)


def _folded(kernel: Kernel, values: tuple[Value | None, ...], static: dict[str, Any]) -> Any:
    results = kernel(*[None if value is None else value.data for value in values], **static)
    if isinstance(results, tuple):
        return tuple(None if one is None else _constant(one) for one in results)
    return _constant(results)


def _constant(array: Any) -> Value:
    data = np.asarray(array)
    return Value(data.shape, data.dtype, data)


def _is_complex(value: Value | None) -> bool:
    return value is not None and value.dtype is not None and value.dtype.kind == "c"


def _decomposed(
    primitive: Primitive[Any], values: tuple[Value | None, ...], static: dict[str, Any]
) -> Any:
    assert primitive.decompose is not None  # or the writer would not refuse
    with tape.paused():
        results = primitive.decompose(
            *[None if value is None else Tensor(value, ONNX) for value in values], **static
        )
    return tuple(one.data for one in results) if isinstance(results, tuple) else results.data


def _like(specs: Any) -> Any:
    """Values of these shapes that nothing computes."""
    if isinstance(specs, Spec):
        return Value(specs.shape, dtypes.to_numpy(specs.dtype))
    return tuple(None if spec is None else _like(spec) for spec in specs)


def _widened(value: Value | None) -> Value | None:
    if value is None or value.dtype is None or value.dtype == np.dtype(bool):
        return value
    made = cast(value, wider(value.dtype))
    made.shape = value.shape
    return made


def _finished(results: Any, specs: Any, is_wide: bool) -> Any:
    """The results with the shapes and dtypes that the primitive's rule says."""
    if not isinstance(specs, Spec):
        return tuple(
            None if spec is None else _finished(result, spec, is_wide)
            for result, spec in zip(results, specs, strict=True)
        )
    dtype = dtypes.to_numpy(specs.dtype)
    if is_wide and dtype != np.dtype(bool) and wider(dtype) != dtype:
        results = node("Cast", results, to=dtype)
    elif results.shape is not None:  # a value that was there before
        results = node("Identity", results)
    results.shape, results.dtype = specs.shape, dtype
    return results
