"""One check for every operation: backends agree, symbolic equals eager, gradients are right.

    check_op(ops.softmax, x, axis=-1)

Arrays are positional, static values are named. Gradients are checked in float64 along a few random
directions: for a random cotangent c, the derivative of `sum(c * f(x))` must be the tape's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.core import dtypes
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.tape import GradientTape
from nkeras.core.tensor import Tensor
from nkeras.core.tree import map_structure

TOLERANCE = {
    "complex64": 3e-5,
    "complex128": 1e-10,
    "float64": 1e-10,
    "float32": 3e-5,
    "float16": 4e-3,
    "bfloat16": 3e-2,
}
DIRECTIONS = 2
STEP = 1e-5
_WIDE = {"f": "float64", "c": "complex128"}


def check_op(
    function: Callable[..., Any],
    *arrays: Any,
    gradient: bool = True,
    second_order: bool = True,
    batch: bool = False,
    other: str = "numba_cpu",
    **static: Any,
) -> None:
    """All checks of one call.

    Args:
        function: an op or a primitive.
        arrays: its positional arguments: arrays (floating ones are differentiated), or None.
        gradient: whether to check derivatives.
        second_order: whether to check derivatives of derivatives.
        batch: whether the first size may be unknown (None) in a symbolic call.
        other: the backend that is compared with the numpy backend.
        static: its named arguments.
    """
    want = evaluate("numpy", function, arrays, static)
    assert_same(evaluate(other, function, arrays, static), want)
    assert_symbolic(function, arrays, static, want, batch)
    if gradient:
        check_gradient(function, arrays, static)
        if second_order:
            check_second_order(function, arrays, static)
        check_backward(function, arrays, static, other)


def evaluate(
    backend: str, function: Any, arrays: Sequence[Any], static: dict[str, Any]
) -> list[Any]:
    """The results as NumPy arrays (None where there is none)."""
    with registry.use_backend(backend):
        return [None if one is None else np.asarray(one) for one in _flat(function, arrays, static)]


def _flat(function: Any, arrays: Sequence[Any], static: dict[str, Any]) -> list[Any]:
    results = function(*arrays, **static)
    return list(results) if isinstance(results, (list, tuple)) else [results]


def assert_same(got: Sequence[Any], want: Sequence[Any]) -> None:
    """Equal dtypes and shapes, values within the tolerance of the dtype."""
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        if other is None:
            assert one is None
            continue
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        if other.dtype == object:
            assert one.tolist() == other.tolist()
            continue
        tolerance = TOLERANCE.get(dtypes.name_of(other.dtype), 0.0)
        kind = "complex128" if other.dtype.kind == "c" else "float64"
        wide = [a.astype(kind) if tolerance else a for a in (one, other)]
        np.testing.assert_allclose(*wide, rtol=tolerance, atol=tolerance)


def assert_symbolic(
    function: Any, arrays: Sequence[Any], static: dict[str, Any], want: Sequence[Any], batch: bool
) -> None:
    """Shapes and dtypes of a call on symbolic tensors are those of the eager one."""
    for unknown in (False, True) if batch else (False,):

        def symbol(array: Any, unknown: bool = unknown) -> Any:
            if not isinstance(array, np.ndarray):
                return array
            shape = (None, *array.shape[1:]) if unknown and array.ndim else array.shape
            return KerasTensor(shape, dtypes.name_of(array.dtype))

        found = _flat(function, map_structure(symbol, list(arrays)), static)
        for item, other in zip(found, want, strict=True):
            if other is None:
                continue
            assert item.dtype == dtypes.name_of(other.dtype)
            assert len(item.shape) == other.ndim
            sizes = zip(item.shape, other.shape, strict=True)
            assert all(size == real or (unknown and size is None) for size, real in sizes)


def _wide(arrays: Sequence[Any]) -> list[Any]:
    """Floating arrays as float64, complex ones as complex128."""

    def widen(array: Any) -> Any:
        kind = array.dtype.kind if isinstance(array, np.ndarray) else ""
        return array.astype(_WIDE[kind]) if kind in _WIDE else array

    return map_structure(widen, list(arrays))


def _floating(arrays: Sequence[Any]) -> list[int]:
    return [
        i
        for i, array in enumerate(arrays)
        if isinstance(array, np.ndarray) and array.dtype.kind in _WIDE
    ]


def gradients(
    function: Any, arrays: Sequence[Any], static: dict[str, Any], cotangents: Sequence[Any]
) -> list[Tensor]:
    """Gradients of the floating results by the floating arrays (zeros where they do not depend)."""
    tensors = [to_tensor(array) if isinstance(array, np.ndarray) else array for array in arrays]
    sources = [tensors[i] for i in _floating(arrays)]
    with GradientTape() as tape:
        tape.watch(sources)
        results = [one for one in _flat(function, tensors, static) if _differs(one)]
    return tape.gradient(results, sources, list(cotangents), unconnected_gradients="zero")


def _differs(result: Any) -> bool:
    return result is not None and dtypes.is_differentiable(result.dtype)


def _cotangents(function: Any, arrays: Sequence[Any], static: dict[str, Any]) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    results = [np.asarray(one) for one in _flat(function, arrays, static) if _differs(one)]
    return [_normal(random, result) for result in results]


def _normal(random: np.random.Generator, like: np.ndarray) -> np.ndarray:
    """Normal numbers of the shape and dtype of an array."""
    values = random.normal(size=like.shape)
    if like.dtype.kind == "c":
        values = values + 1j * random.normal(size=like.shape)
    return values.astype(like.dtype)


def _inner(x: Any, y: Any) -> float:
    """The sum of products, of which the real part counts: so JAX pairs complex gradients."""
    return float(np.sum(np.asarray(x) * np.asarray(y)).real)


def _check_directions(value: Any, slopes: Sequence[Any], arrays: list[Any], what: str) -> None:
    """`value(arrays)` changes along random directions as the `slopes` say."""
    random = np.random.default_rng(5)
    for i, slope in zip(_floating(arrays), slopes, strict=True):
        for _ in range(DIRECTIONS):
            direction = _normal(random, arrays[i])

            def moved(step: float, i: int = i, direction: Any = direction) -> float:
                return value([a + step * direction if k == i else a for k, a in enumerate(arrays)])

            # Two central differences and Richardson's extrapolation.
            near = (moved(STEP) - moved(-STEP)) / (2 * STEP)
            wide = (moved(2 * STEP) - moved(-2 * STEP)) / (4 * STEP)
            want = (4 * near - wide) / 3
            got = _inner(slope, direction)
            scale = max(1.0, abs(want))
            assert abs(got - want) <= 2e-6 * scale, f"{what} by argument {i}: {got}, not {want}"


def check_gradient(function: Any, arrays: Sequence[Any], static: dict[str, Any]) -> None:
    """The tape's gradients against numeric ones, in float64."""
    wide = _wide(arrays)
    with registry.use_backend("numpy"):
        cotangents = _cotangents(function, wide, static)

        def value(moved: list[Any]) -> float:
            results = [np.asarray(one) for one in _flat(function, moved, static) if _differs(one)]
            return sum(_inner(c, y) for c, y in zip(cotangents, results, strict=True))

        slopes = gradients(function, wide, static, cotangents)
        for i, slope in zip(_floating(wide), slopes, strict=True):
            assert (slope.shape, slope.dtype) == (wide[i].shape, wide[i].dtype.name)
        _check_directions(value, slopes, wide, "gradient")


def check_second_order(function: Any, arrays: Sequence[Any], static: dict[str, Any]) -> None:
    """Gradients of `<gradient, u>` against numeric ones, in float64."""
    wide = _wide(arrays)
    random = np.random.default_rng(9)
    with registry.use_backend("numpy"):
        cotangents = _cotangents(function, wide, static)
        weights = [_normal(random, wide[i]) for i in _floating(wide)]

        def first(*moved: Any) -> Any:
            tensors = [to_tensor(one) if one is not None else None for one in moved]
            sources = [tensors[i] for i in _floating(wide)]
            with GradientTape() as tape:
                tape.watch(sources)
                results = [one for one in _flat(function, tensors, static) if _differs(one)]
            found = tape.gradient(results, sources, list(cotangents), unconnected_gradients="zero")
            return list(found)

        def value(moved: list[Any]) -> float:
            found = first(*moved)
            return sum(_inner(w, g) for w, g in zip(weights, found, strict=True))

        _check_directions(value, gradients(first, wide, {}, weights), wide, "second gradient")


def check_backward(
    function: Any, arrays: Sequence[Any], static: dict[str, Any], other: str
) -> None:
    """The gradients of another backend against those of the numpy backend, in the arrays' dtype."""
    found = []
    for backend in ("numpy", other):
        with registry.use_backend(backend):
            cotangents = _cotangents(function, arrays, static)
            found.append([np.asarray(g) for g in gradients(function, arrays, static, cotangents)])
    assert_same(found[1], found[0])
