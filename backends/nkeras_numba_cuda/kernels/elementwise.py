"""Elementwise kernels, made from the scalar functions that all backends share.

For each scalar function and dtype there is a kernel for arrays of one shape, and one for broadcast
arrays, which walks up to four dimensions by strides.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from nkeras.backend.scalar import Scalar
from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import device_function, table
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.launch import Kernel
from nkeras_numba_cuda.memory import Array, array_module, constants, contiguous, empty
from nkeras_numpy.elementwise import elementwise as in_numpy
from nkeras_numpy.namespace import in_float32

DIMENSIONS = 4


def _size(dimension: int) -> str:
    """The size of a dimension but the first, in the geometry of a broadcasting kernel."""
    return f"geometry[{dimension - 1}]"


def _stride(array: int, dimension: int) -> str:
    """The stride of an array along a dimension there: behind the sizes, array by array."""
    return f"geometry[{DIMENSIONS - 1 + DIMENSIONS * array + dimension}]"


_SAME_SHAPE = """
def {name}(y, {arrays}):
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        y[i] = function({elements})
"""

_BROADCAST = """
def {name}(y, geometry, {arrays}):
    size_1, size_2, size_3 = {sizes}
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        rest = udiv(i, size_3)
        i_3 = i - rest * size_3
        i_2 = umod(rest, size_2)
        rest = udiv(rest, size_2)
        i_1 = umod(rest, size_1)
        i_0 = udiv(rest, size_1)
        y[i] = function({elements})
"""


@functools.cache
def elementwise(scalar: Scalar) -> Callable[..., Array]:
    """A kernel `f(*arrays)` that maps a scalar function over broadcast arrays of one dtype."""

    @in_float32
    def mapped(*arrays: Array) -> Array:
        dtype = _compute_dtype(scalar, arrays)
        if np.dtype(dtype).kind == "c":
            return in_numpy(scalar)(*arrays)
        if scalar.name == "power" and np.dtype(dtype).kind in "iu":
            return array_module().power(*arrays)  # Numba takes integers to a power in float64
        result = "bool" if scalar.result == "bool" else dtype
        y = empty(np.broadcast_shapes(*[a.shape for a in arrays]), result)
        if y.size:
            _launch(scalar, dtype, y, arrays)
        return y

    mapped.__name__ = mapped.__qualname__ = scalar.name
    return mapped


def _compute_dtype(scalar: Scalar, arrays: tuple[Array, ...]) -> str:
    pairs = zip(scalar.parameters, arrays, strict=True)
    dtypes = [array.dtype.name for name, array in pairs if name not in scalar.conditions]
    return dtypes[0] if dtypes else "bool"


def _launch(scalar: Scalar, dtype: str, y: Array, arrays: tuple[Array, ...]) -> None:
    arrays = tuple(map(_without_repetition, arrays, [y.ndim] * len(arrays)))
    geometry = _collapse(y.shape, tuple(a.shape for a in arrays))
    if geometry is None:  # too many dimensions: repeat what is broadcast
        xp = array_module()
        arrays = tuple(contiguous(xp.broadcast_to(a, y.shape)) for a in arrays)
        geometry = ()
    if geometry:
        kernel_for(scalar, dtype, True).launch(y.size, y, constants(*geometry), *arrays)
    else:
        kernel_for(scalar, dtype, False).launch(y.size, y, *arrays)


def _without_repetition(array: Array, rank: int) -> Array:
    """The array with `rank` dimensions, contiguous, and of size 1 where it repeats itself."""
    array = array.reshape((1,) * (rank - array.ndim) + array.shape) if array.ndim < rank else array
    if 0 in array.strides:
        index = (slice(0, 1) if step == 0 else slice(None) for step in array.strides)
        array = array[tuple(index)]
    return contiguous(array)


@functools.lru_cache(maxsize=4096)
def _collapse(
    shape: tuple[int, ...], operands: tuple[tuple[int, ...], ...]
) -> tuple[int, ...] | None:
    """What the broadcasting kernel needs to know; empty if no operand is broadcast.

    Neighbouring dimensions are joined where every operand either walks both or repeats over both;
    None says that more than four remain.
    """
    joined: list[tuple[int, tuple[bool, ...]]] = []  # size, and which operands walk it
    for dimension, size in enumerate(shape):
        if size == 1:
            continue
        walks = tuple(operand[dimension] != 1 for operand in operands)
        if joined and joined[-1][1] == walks:
            joined[-1] = (joined[-1][0] * size, walks)
        else:
            joined.append((size, walks))
    if all(all(walks) for _, walks in joined):
        return ()
    if len(joined) > DIMENSIONS:
        return None
    joined = [(1, (False,) * len(operands))] * (DIMENSIONS - len(joined)) + joined
    numbers = [size for size, _ in joined[1:]]
    for operand in range(len(operands)):
        strides, step = [], 1
        for size, walks in reversed(joined):
            strides.append(step if walks[operand] else 0)
            step *= size if walks[operand] else 1
        numbers += reversed(strides)
    return tuple(numbers)


@functools.cache
def kernel_for(scalar: Scalar, dtype: str, broadcast: bool) -> Kernel:
    """The kernel of a scalar function for a compute dtype.

    It is generated as source, for a kernel has no variable number of arguments.
    """
    names = [f"x_{k}" for k in range(len(scalar.parameters))]
    elements = []
    for k, array in enumerate(names):
        index = "i"
        if broadcast:
            terms = [f"i_{d} * {_stride(k, d)}" for d in range(DIMENSIONS)]
            index = " + ".join(terms)
        elements.append(f"{array}[{index}]")
    name = scalar.name if scalar.name.isidentifier() else "unnamed"  # a lambda
    source = (_BROADCAST if broadcast else _SAME_SHAPE).format(
        name=name,
        arrays=", ".join(names),
        elements=", ".join(elements),
        sizes=", ".join(map(_size, range(1, DIMENSIONS))),
    )
    function = scalar.bind_with(table(dtype), dtype, device_function)
    names_seen = {"cuda": cuda, "udiv": udiv, "umod": umod, "function": function}
    exec(compile(source, f"<elementwise kernel of {scalar.name}>", "exec"), names_seen)
    return Kernel(names_seen[name], (signature(scalar, dtype, broadcast),))


def signature(scalar: Scalar, dtype: str, broadcast: bool) -> str:
    """The types that the kernel is launched with."""
    result = "boolean" if scalar.result == "bool" else _numba_name(dtype)
    types = [f"{result}[::1]", *(["int64[::1]"] if broadcast else [])]
    for name in scalar.parameters:
        element = "boolean" if name in scalar.conditions else _numba_name(dtype)
        types.append(f"{element}[::1]")
    return f"void({', '.join(types)})"


def _numba_name(dtype: str) -> str:
    return "boolean" if dtype == "bool" else dtype
