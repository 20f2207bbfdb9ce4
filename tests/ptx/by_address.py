"""The interpreter in place of CUDA's driver: launches come as bytes, arrays as addresses."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.harness.bare_device import Call, bare_device, unpacked
from tests.ptx.compiling import program_for
from tests.ptx.launching import execute
from tests.ptx.signatures import ArrayType, parse_signature


@contextmanager
def executing() -> Iterator[list[str]]:
    """Inside the `with` block the backend works on `bare_device`, and kernels are executed.

    Yields:
        The names of what was launched.

    Raises:
        Fault: at the end, what a kernel did wrong first.
    """
    functions: dict[str, Callable[..., None]] = {}
    names: list[str] = []
    faults: list[Exception] = []

    def code(function: Callable[..., None], signature: str, capability: Any) -> str:
        functions[signature] = function
        return ""

    def run(signature: str, call: Call) -> int:
        function = functions[signature]
        grid, threads, shared, _, packed = call
        try:
            types = parse_signature(signature)
            arguments = _arguments(types, unpacked(signature, packed))
            program = program_for(function, signature)
            names.append(function.__name__)
            execute(program, function.__name__, types, arguments, grid, threads, shared)
        except Exception as error:  # the caller is a C function, which lets none through
            faults.append(error)
        return 0

    with bare_device(run, code):
        yield names
    if faults:
        raise faults[0]


def _arguments(types: list[ArrayType | str], values: tuple[Any, ...]) -> list[Any]:
    """What lies at the addresses."""
    left = list(values)
    arguments: list[Any] = []
    for kind in types:
        if isinstance(kind, str):
            arguments.append(np.dtype(kind).type(left.pop(0)) if kind != "bool" else left.pop(0))
            continue
        _, _, size, step, pointer = (left.pop(0) for _ in range(5))
        shape = [left.pop(0) for _ in range(kind.rank)]
        del left[: kind.rank]
        memory = (ctypes.c_char * (size * step)).from_address(pointer)
        arguments.append(np.frombuffer(memory, kind.dtype).reshape(shape))
    return arguments
