"""Conversion, creation and control: what `keras.ops` has beside the maths."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, overload

import numpy as np

from nkeras.core import dtypes, graph, in_tensorflow, tape
from nkeras.core.errors import short
from nkeras.core.primitive import op, primitive, shape_of, to_tensor
from nkeras.core.spec import Shape, Spec, Typed
from nkeras.core.strings import STRING
from nkeras.core.tensor import Tensor, as_tensor, filled
from nkeras.core.typing import DTypeLike, Gradients, ShapeLike, Structure, TensorLike
from nkeras.core.variable import Variable
from nkeras.ops.elementwise import where_
from nkeras.ops.shape import broadcast_to, cast


def convert_to_tensor(x: TensorLike, dtype: DTypeLike = None, sparse: bool | None = None) -> Tensor:
    """A tensor on the active backend from an array, number, list, variable or tensor.

    Args:
        x: what to convert; arrays are copied.
        dtype: dtype name; by default that of an array, `floatx` for floats, `int32` for ints,
            `"string"` for text, which stays on the host.
        sparse: must not be True: nkeras has no sparse tensors.

    Returns:
        Tensor.

    Raises:
        ValueError: `x` is ragged, or neither numbers nor text throughout, or `sparse` is True.

    Example:
        >>> import nkeras
        >>> nkeras.ops.convert_to_tensor([1, 2]).dtype
        'int32'

    Source: https://keras.io/api/ops/core/
    """
    if sparse:
        raise ValueError("convert_to_tensor: argument `sparse` must not be True in nkeras.")
    if isinstance(x, np.ndarray):
        x = x.copy()
    if dtype is None:
        return to_tensor(x)
    name = dtypes.standardize_dtype(dtype)
    return to_tensor(x, name) if name == STRING else cast(to_tensor(x), name)


def convert_to_numpy(x: TensorLike) -> np.ndarray:
    """A NumPy copy of a tensor's values.

    Args:
        x: tensor, variable, array, number or list.

    Returns:
        NumPy array.
    """
    if isinstance(x, (Tensor, Variable)):
        return np.array(x.numpy())
    return np.array(x)


def is_tensor(x: TensorLike) -> bool:
    """Whether `x` is a tensor (symbolic ones too; variables are none)."""
    return isinstance(x, (Tensor, graph.KerasTensor))


def shape(x: TensorLike) -> Shape:
    """The shape as tuple of int; unknown sizes of symbolic tensors are None.

    Those of a tensor in a function that TensorFlow traces are tensors there.
    """
    return in_tensorflow.sizes(x) if in_tensorflow.is_traced(x) else shape_of(x)


def ndim(x: TensorLike) -> int:
    """The number of axes."""
    return len(shape_of(x))


@op
def size(x: TensorLike) -> Tensor:
    """The number of elements, as int32 tensor of rank 0."""
    return as_tensor(math.prod(shape_of(x)), "int32")


@op
def copy(x: TensorLike) -> Tensor:
    """A tensor of the same values; tensors are immutable, so nothing is copied."""
    return to_tensor(x)


def dtype(x: TensorLike) -> str:
    """The dtype name of a tensor."""
    return to_tensor(x).dtype


@primitive(flat=("variable",), takes_complex=True)
def _stop_gradient(variable: Typed) -> Spec:
    return Spec(variable.shape, variable.dtype)


@_stop_gradient.decomposition
def _(variable: Tensor) -> Tensor:
    return variable.handle()


def stop_gradient(variable: TensorLike) -> Tensor:
    """The same values, through which no gradient flows.

    Args:
        variable: tensor or variable.

    Returns:
        Tensor.
    """
    return _stop_gradient(variable)


_P = ParamSpec("_P")
_R = TypeVar("_R")


def custom_gradient(
    f: Callable[_P, tuple[_R, Callable[..., object]]],
) -> Callable[_P, _R]:
    """Decorator: give a function its gradient by hand.

    Args:
        f: function of tensors that returns `(outputs, grad_fn)`; `grad_fn(*upstream)` or
            `grad_fn(upstream=...)` returns the gradient by each positional argument.

    Returns:
        The function without `grad_fn` in its result.

    Example:
        >>> import nkeras
        >>> @nkeras.ops.custom_gradient
        ... def clipped(x):
        ...     return x, lambda upstream: nkeras.ops.clip(upstream, -1.0, 1.0)
    """
    call: Callable[..., Structure] = f

    @functools.wraps(f)
    def wrapper(*arguments: Any, **named: Any) -> Structure:
        for name, value in named.items():
            if isinstance(value, (Tensor, Variable)):
                raise TypeError(
                    f"custom_gradient: pass the tensor {short(name)} of {f.__name__} by position; "
                    "the gradient function has gradients for positional arguments only."
                )
        tensors = [
            to_tensor(argument) if not isinstance(argument, (str, bytes)) else argument
            for argument in arguments
        ]
        if any(isinstance(tensor, graph.KerasTensor) for tensor in tensors):
            return call(*tensors, **named)[0]
        with tape.paused():
            returned = call(*tensors, **named)
        if not (isinstance(returned, tuple) and len(returned) == 2 and callable(returned[1])):
            raise TypeError(
                f"custom_gradient: {f.__name__} must return its outputs and a gradient function. "
                f"Received: {short(returned)}"
            )
        outputs, grad_fn = returned
        flat = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        # Fresh handles: an output may be an input, which has gradients of its own.
        flat = [to_tensor(leaf).handle() for leaf in flat]

        def backward(grads: Gradients, specs: Sequence[Spec]) -> list[Tensor | None]:
            upstream = [
                tape.zeros(spec) if grad is None else grad
                for grad, spec in zip(grads, specs, strict=True)
            ]
            found = _call_gradient(grad_fn, upstream)
            found = list(found) if isinstance(found, (list, tuple)) else [found]
            if len(found) != len(tensors):
                raise ValueError(
                    f"custom_gradient: the gradient function of {f.__name__} returned {len(found)} "
                    f"gradients for {len(tensors)} arguments."
                )
            gradients = [None if item is None else to_tensor(item) for item in found]
            for gradient, tensor in zip(gradients, tensors, strict=True):
                if (
                    gradient is not None
                    and isinstance(tensor, Tensor)
                    and gradient.shape != tensor.shape
                ):
                    raise ValueError(
                        f"custom_gradient: the gradient function of {f.__name__} returned a "
                        f"gradient of shape {gradient.shape} for an argument of shape "
                        f"{tensor.shape}."
                    )
            return gradients

        for watching in tape.active():
            inputs = watching.tracked([t if isinstance(t, Tensor) else None for t in tensors])
            if any(uid is not None for uid in inputs):
                watching.append(backward, inputs, flat)
        return type(outputs)(flat) if isinstance(outputs, (list, tuple)) else flat[0]

    return wrapper


def _call_gradient(grad_fn: Callable[..., Structure], upstream: list[Tensor]) -> Structure:
    import inspect

    parameters = inspect.signature(grad_fn).parameters
    if "upstream" in parameters:
        return grad_fn(upstream=upstream[0] if len(upstream) == 1 else upstream)
    return grad_fn(*upstream)


def zeros(shape: ShapeLike | int, dtype: DTypeLike = None) -> Tensor:
    """A tensor of zeros.

    Args:
        shape: int or tuple of int.
        dtype: dtype name; `floatx` by default.

    Returns:
        Tensor of `shape`.
    """
    return full(shape, 0, dtypes.standardize(dtype))


def ones(shape: ShapeLike | int, dtype: DTypeLike = None) -> Tensor:
    """A tensor of ones.

    Args:
        shape: int or tuple of int.
        dtype: dtype name; `floatx` by default.

    Returns:
        Tensor of `shape`.
    """
    return full(shape, 1, dtypes.standardize(dtype))


def full(shape: ShapeLike | int, fill_value: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """A tensor filled with one value, or with a value broadcast to `shape`.

    Args:
        shape: int or tuple of int.
        fill_value: number or tensor.
        dtype: dtype name; `floatx` for a Python number by default.

    Returns:
        Tensor of `shape`.
    """
    sizes = sizes_of(shape)
    if isinstance(fill_value, (bool, int, float)):
        name = dtypes.standardize(dtype)
        if graph.tracing() and math.prod(sizes) > graph.LARGE:
            return graph.symbolic(sizes, name)
        return filled(sizes, fill_value, name)
    value = to_tensor(fill_value)
    return broadcast_to(value if dtype is None else cast(value, dtype), sizes)


def sizes_of(shape: ShapeLike | int) -> Shape:
    """A shape that may be one number."""
    if isinstance(shape, (int, np.integer)):
        return (int(shape),)
    return tuple(int(size) for size in shape)


@op
def zeros_like(x: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """Zeros with the shape (and dtype) of `x`."""
    x = to_tensor(x)
    return zeros(x.shape, dtype or x.dtype)


@op
def ones_like(x: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """Ones with the shape (and dtype) of `x`."""
    x = to_tensor(x)
    return ones(x.shape, dtype or x.dtype)


@op
def full_like(x: TensorLike, fill_value: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """One value in the shape (and dtype) of `x`."""
    x = to_tensor(x)
    return full(x.shape, fill_value, dtype or x.dtype)


@overload
def where(condition: TensorLike) -> tuple[Tensor, ...]: ...
@overload
def where(condition: TensorLike, x1: TensorLike, x2: TensorLike) -> Tensor: ...
@op
def where(
    condition: TensorLike, x1: TensorLike | None = None, x2: TensorLike | None = None
) -> Tensor | tuple[Tensor, ...]:
    """`x1` where the condition holds, else `x2`; with the condition alone, the indices that hold.

    Args:
        condition: bool tensor.
        x1: tensor or number.
        x2: tensor or number.

    Returns:
        Tensor of the broadcast shape; or a tuple of index tensors, one for each axis.

    Raises:
        ValueError: only one of `x1` and `x2` is given.
    """
    if (x1 is None) != (x2 is None):
        raise ValueError("where: `x1` and `x2` must both be given, or neither.")
    if x1 is None or x2 is None:
        return tuple(
            as_tensor(array, "int32") for array in np.nonzero(to_tensor(condition).numpy())
        )
    return where_(condition, x1, x2)
