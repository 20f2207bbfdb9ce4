"""Launching the kernels of the backend, or functions of a test, in the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.ptx.compiling import program_for
from tests.ptx.launching import Report, Sizes, execute
from tests.ptx.signatures import parse_signature

BLOCK = 256
"""Threads of a block of a grid-stride kernel (`THREADS_PER_BLOCK`)."""


def launch(
    kernel: Any,
    grid: Sizes,
    block: Sizes,
    arguments: Sequence[Any],
    shared_bytes: int = 0,
    seed: int = 0,
    signature: str | None = None,
) -> Report:
    """Compile a kernel and execute it.

    Args:
        kernel: a `Kernel` of the backend, or a function.
        grid: how many blocks, one number or up to three.
        block: how many threads each has.
        arguments: contiguous arrays, which the kernel writes into, and scalars.
        shared_bytes: dynamic shared memory of a block.
        seed: chooses the order of warps and blocks; 0 is the fastest one.
        signature: the types as Numba writes them; by default the one of the kernel's that fits.

    Raises:
        Fault: the kernel does something wrong.
        Unknown: it has an instruction that the interpreter lacks.
        TypeError: no signature fits.
    """
    function: Callable[..., None] = getattr(kernel, "function", kernel)
    known: tuple[str, ...] = getattr(kernel, "signatures", ())
    chosen = signature or fitting(function.__name__, known, arguments)
    return execute(
        program_for(function, chosen),
        function.__name__,
        parse_signature(chosen),
        arguments,
        grid,
        block,
        shared_bytes,
        seed,
    )


def launch_elements(kernel: Any, size: int, *arguments: Any, seed: int = 0) -> Report:
    """A grid-stride kernel as `Kernel.launch` launches it: arrays flat, blocks of 256 threads."""
    flat = [a.reshape(-1) if isinstance(a, np.ndarray) else a for a in arguments]
    return launch(kernel, -(-size // BLOCK), BLOCK, flat, seed=seed)


def fitting(name: str, known: tuple[str, ...], arguments: Sequence[Any]) -> str:
    """The signature that has the types of the arguments."""
    wanted = [_type_names(argument) for argument in arguments]
    for text in known:
        types = [part.strip() for part in _split(text[text.index("(") + 1 : text.rindex(")")])]
        if len(types) == len(wanted) and all(t in w for t, w in zip(types, wanted, strict=True)):
            return text
    given = ", ".join(names[0] for names in wanted)
    raise TypeError(
        f"{name} is launched with ({given}); it is declared for\n  " + "\n  ".join(known)
    )


def _split(text: str) -> list[str]:
    parts, depth, begin = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]


def _type_names(argument: Any) -> tuple[str, ...]:
    """How Numba may write the type of an argument."""
    if not hasattr(argument, "dtype"):
        return ({bool: "boolean", int: "int64", float: "float64"}[type(argument)],)
    name = "boolean" if argument.dtype == bool else argument.dtype.name
    names = (name, "uint16") if name == "bfloat16" else (name,)
    if isinstance(argument, np.generic):
        return names
    dimensions = ", ".join([":"] * (argument.ndim - 1) + ["::1"])
    return tuple(f"{one}[{dimensions}]" for one in names)
