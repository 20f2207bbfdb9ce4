"""How Numba passes arguments to a kernel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes  # noqa: F401  makes "bfloat16" a dtype name that NumPy knows
import numpy as np

from tests.ptx.program import Program

POINTER = "pointer"
"""The type of an array in PTX that is written by hand: its address alone."""

ALIASES = {"boolean": "bool", "float": "float32", "double": "float64"}


@dataclass(frozen=True)
class ArrayType:
    """An array's type.

    Args:
        dtype: of its elements.
        rank: how many dimensions it has.
    """

    dtype: str
    rank: int


def parse_signature(text: str) -> list[ArrayType | str]:
    """The types of the parameters in `void(float32[:, ::1], int64)`."""
    inner = text[text.index("(") + 1 : text.rindex(")")]
    parts = re.findall(r"(\w+)(\[[^\]]*\])?", inner)
    types: list[ArrayType | str] = []
    for name, dimensions in parts:
        dtype = ALIASES.get(name, name)
        types.append(ArrayType(dtype, dimensions.count(",") + 1) if dimensions else dtype)
    return types


def parameters_of(
    program: Program,
    types: Sequence[ArrayType | str],
    arguments: Sequence[Any],
    addresses: Sequence[int],
) -> dict[str, bytes]:
    """The bytes of each parameter of a kernel.

    An array is seven numbers or more: two pointers that kernels do not use, the number of
    elements, their size, the address, the shape, the strides.
    """
    if len(types) != len(arguments):
        raise ValueError(f"{len(types)} arguments are declared, {len(arguments)} are given.")
    values: list[bytes] = []
    left = iter(addresses)
    for number, (kind, argument) in enumerate(zip(types, arguments, strict=True)):
        if kind == POINTER:
            values.append(np.int64(next(left)).tobytes())
        elif isinstance(kind, ArrayType):
            _check(number, kind, argument)
            numbers = (0, 0, argument.size, argument.itemsize, next(left))
            values += [
                np.int64(value).tobytes()
                for value in (*numbers, *argument.shape, *argument.strides)
            ]
        else:
            values.append(np.dtype(kind).type(argument).tobytes())
    parameters = program.entry.parameters
    sizes = [one.size for one in parameters]
    if sizes != [len(value) for value in values]:
        raise ValueError(f"Numba's parameters have {sizes} bytes, the arguments others.")
    return {one.name: value for one, value in zip(parameters, values, strict=True)}


def _check(number: int, kind: ArrayType, argument: Any) -> None:
    given = np.asarray(argument).dtype
    same = given.name == kind.dtype or (given.name, kind.dtype) == ("bfloat16", "uint16")
    if not (isinstance(argument, np.ndarray) and same and argument.ndim == kind.rank):
        raise TypeError(
            f"Argument {number} is declared as {kind.dtype} of rank {kind.rank}, "
            f"it is {given.name} of rank {np.ndim(argument)}."
        )
