"""Kernels of PTX that is written by hand, for tests of the interpreter itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.ptx.kinds import DTYPES, WIDTHS
from tests.ptx.launching import Report, Sizes, execute
from tests.ptx.program import load
from tests.ptx.signatures import POINTER

_TEXT = """
.version 8.0
.target sm_90
.address_size 64
{outside}
.visible .entry by_hand({parameters})
{{
    .reg .pred %p<20>;
    .reg .b16 %rs<40>;
    .reg .b32 %r<60>;
    .reg .f32 %f<60>;
    .reg .b64 %rd<60>;
    .reg .f64 %fd<40>;
{inside}
    mov.u32 %r50, %tid.x;
    mov.u32 %r51, %ctaid.x;
    mov.u32 %r52, %ntid.x;
    mad.lo.s32 %r53, %r51, %r52, %r50;
{loads}
{body}
    ret;
}}
"""


def run_body(
    body: str,
    *arrays: np.ndarray,
    grid: Sizes = 1,
    block: Sizes = 32,
    shared_bytes: int = 0,
    seed: int = 0,
    inside: str = "",
    outside: str = "",
) -> Report:
    """Execute a body that finds its thread in `%r50`, its block in `%r51`, both in `%r53`.

    The addresses of the arrays are in `%rd40`, `%rd41` and so on.
    """
    parameters = ", ".join(f".param .u64 a{k}" for k in range(len(arrays)))
    loads = "\n".join(f"    ld.param.u64 %rd{40 + k}, [a{k}];" for k in range(len(arrays)))
    text = _TEXT.format(
        parameters=parameters, loads=loads, body=body, inside=inside, outside=outside
    )
    types = [POINTER] * len(arrays)
    return execute(load(text), "by_hand", types, arrays, grid, block, shared_bytes, seed)


_REGISTERS = {1: "%rs", 2: "%rs", 4: "%r", 8: "%rd"}


def apply(instruction: str, result: str, *inputs: tuple[str, Sequence[Any]]) -> np.ndarray:
    """What an instruction makes of numbers, one for each thread.

    Args:
        instruction: with `$0` for its result and `$1`, `$2` for inputs.
        result: the type of what it writes.
        inputs: the types and the numbers.
    """
    size = len(inputs[0][1])
    arrays = [np.zeros(size, DTYPES[result])]
    arrays += [np.array(values).astype(DTYPES[kind]) for kind, values in inputs]
    lines = []
    for k, kind in enumerate([result, *(kind for kind, _ in inputs)]):
        register = f"{_REGISTERS[WIDTHS[kind]]}{k}"
        if kind == "f32":
            register = f"%f{k}"
        if kind == "f64":
            register = f"%fd{k}"
        instruction = instruction.replace(f"${k}", register)
        address = f"mad.wide.u32 %rd{20 + k}, %r53, {WIDTHS[kind]}, %rd{40 + k};"
        word = kind if kind in ("f32", "f64") else f"b{8 * WIDTHS[kind]}"
        if k:
            lines.append(f"{address}\nld.global.{word} {register}, [%rd{20 + k}];")
        else:
            store = f"{address}\nst.global.{word} [%rd{20 + k}], {register};"
    body = "\n".join([*lines, instruction, store])
    run_body(body, *arrays, block=size)
    return arrays[0]
