"""Runs a model's ONNX file beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import nkeras
from nkeras.core import dtypes, tree

TOLERANCE = 1e-5


def session(path: Path) -> Any:
    """The file in ONNX Runtime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(loaded: Any, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of a session for its inputs, in order."""
    given = {one.name: array for one, array in zip(loaded.get_inputs(), arrays, strict=True)}
    return loaded.run(None, given)


def largest_error(found: Sequence[Any], wanted: Any) -> float:
    """The largest difference, by the largest number of the output; shapes and dtypes are equal."""
    errors = [0.0]
    for one, other in zip(found, tree.flatten(wanted), strict=True):
        other = np.asarray(other)
        assert one.shape == other.shape
        assert dtypes.name_of(one.dtype) == dtypes.name_of(other.dtype)
        mine, exact = one.astype("float64"), other.astype("float64")
        is_number = np.isfinite(exact)
        np.testing.assert_array_equal(mine[~is_number], exact[~is_number])
        mine, exact = mine[is_number], exact[is_number]
        largest = np.abs(exact).max(initial=1e-30)
        errors.append(float(np.abs(mine - exact).max(initial=0.0) / largest))
    return max(errors)


def check(
    model: nkeras.Model,
    path: Path,
    arrays: Sequence[np.ndarray],
    signature: Any = None,
    tolerance: float = TOLERANCE,
    **options: Any,
) -> Any:
    """Export, and compare outputs for the whole batch and for one sample; gives the session."""
    model.export(path, verbose=False, input_signature=signature, **options)
    loaded = session(path)
    for given in (list(arrays), [array[:1] for array in arrays]):
        inputs: Any = given if len(given) > 1 and model.has_graph() else given[0]
        wanted = model(inputs, training=False) if model.has_graph() else model(*given)
        assert largest_error(run(loaded, given), wanted) <= tolerance
    return loaded
