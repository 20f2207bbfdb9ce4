"""Whether a user's array kernel has the gradient that its values have, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nkeras.backend.registry import active, use_backend
from nkeras.core import tree
from nkeras.core.primitive import to_tensor
from nkeras.core.tape import GradientTape

STEP = 1e-6
CLOSE = {"float64": 1e-5, "float32": 2e-3}


def check(
    kernel: Callable[..., Any],
    inputs: Sequence[str],
    wanted: Sequence[str],
    arrays: Sequence[Any],
    static: Mapping[str, Any],
) -> None:
    """Compare gradients with differences of values, and the active backend with numpy.

    Args:
        kernel: the operation.
        inputs: names of its arrays.
        wanted: names of those that have a gradient.
        arrays: their values.
        static: static values.

    Raises:
        ValueError: two numbers differ.
    """
    name = getattr(kernel, "__name__", "kernel")
    values = [_plain(array) for array in arrays]
    with use_backend("numpy"):
        results = _values(kernel, values, static)
        weights = [np.random.default_rng(5).uniform(0.5, 1.5, one.shape) for one in results]
        exact = _gradients(kernel, inputs, wanted, values, static, weights)
        for position, source in enumerate(inputs):
            if source in exact:
                differences = _differences(kernel, values, position, static, weights)
                _compare(f"{name}: the gradient by {source}", exact[source], differences, "float64")
    backend = active().name
    single = [value.astype("float32") if value.dtype == "float64" else value for value in values]
    for count, found in enumerate(_values(kernel, single, static)):
        _compare(f"{name}: result {count} on {backend}", found, results[count], "float32")
    for source, found in _gradients(kernel, inputs, wanted, single, static, weights).items():
        _compare(f"{name}: the gradient by {source} on {backend}", found, exact[source], "float32")


def _plain(array: Any) -> np.ndarray:
    value = np.asarray(to_tensor(array).numpy())
    return value if value.dtype.kind in "biu" else value.astype("float64")


def _values(kernel: Any, arrays: Sequence[np.ndarray], static: Mapping[str, Any]) -> list[Any]:
    return [one.numpy() for one in tree.flatten(kernel(*map(to_tensor, arrays), **static))]


def _gradients(
    kernel: Any,
    inputs: Sequence[str],
    wanted: Sequence[str],
    arrays: Sequence[np.ndarray],
    static: Mapping[str, Any],
    weights: Sequence[np.ndarray],
) -> dict[str, np.ndarray]:
    """The gradients of the weighted sum of all results, by the floating inputs."""
    tensors = [to_tensor(array) for array in arrays]
    chosen = [
        position
        for position, source in enumerate(inputs)
        if source in wanted and arrays[position].dtype.kind == "f"
    ]
    with GradientTape() as tape:
        for position in chosen:
            tape.watch(tensors[position])
        results = tree.flatten(kernel(*tensors, **static))
    upstream = [
        to_tensor(weight.astype(result.dtype))
        for weight, result in zip(weights, results, strict=True)
    ]
    found = tape.gradient(results, [tensors[i] for i in chosen], output_gradients=upstream)
    return {inputs[i]: grad.numpy() for i, grad in zip(chosen, found, strict=True)}


def _differences(
    kernel: Any,
    arrays: Sequence[np.ndarray],
    position: int,
    static: Mapping[str, Any],
    weights: Sequence[np.ndarray],
) -> np.ndarray:
    """Central differences of the weighted sum, by each number of one input."""
    found = np.zeros(arrays[position].shape)
    for place in np.ndindex(found.shape):
        sums = []
        for step in (STEP, -STEP):
            changed = [array.copy() for array in arrays]
            changed[position][place] += step
            results = _values(kernel, changed, static)
            sums.append(sum(np.sum(w * y) for w, y in zip(weights, results, strict=True)))
        found[place] = (sums[0] - sums[1]) / (2 * STEP)
    return found


def _compare(what: str, found: np.ndarray, expected: np.ndarray, dtype: str) -> None:
    limit = CLOSE[dtype] * (1.0 + np.abs(expected))
    wrong = np.argwhere(~(np.abs(found - expected) <= limit))
    if len(wrong):
        place = tuple(int(index) for index in wrong[0])
        raise ValueError(
            f"{what} is wrong at {len(wrong)} of {expected.size} places, first at {place}: "
            f"{float(found[place]):.6g}, expected {float(expected[place]):.6g}."
        )
