"""Proofs that a launch has no race, for all orders of its threads, by the PyPI tool `sentryward`.

It executes PTX symbolically, for one size of everything, and control must not depend on memory. So
what Numba compiled is made simpler first: numbers that kernels read from a constant array are
written out, and so is the size of dynamic shared memory; comparisons with NaN get their answer for
numbers (what is proved holds for arrays without NaN); an instruction that the tool does not compute
with is written as three.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.ptx.launching import Sizes, three
from tests.ptx.signatures import ArrayType

MEMORY = 8000
"""Most mebibytes that a proof may take."""


def proof(
    code: str,
    types: Sequence[ArrayType | str],
    arguments: Sequence[Any],
    grid: Sizes,
    block: Sizes,
    shared_bytes: int,
    folder: Path,
    seconds: int = 200,
) -> dict[str, Any]:
    """What the tool says about a launch.

    Args:
        code: the PTX of the kernel.
        types: of the arguments, as Numba has them.
        arguments: arrays and scalars. Arrays of int64 are taken for constants.
        grid: how many blocks.
        block: how many threads each has.
        shared_bytes: dynamic shared memory of a block.
        folder: for files.
        seconds: how long it may take.

    Returns:
        `result` is `race_free`, `potential_race` or `unsupported`; `diagnostics` say why.
    """
    names = list(dict.fromkeys(re.findall(r"\.param \.(\w+) (\S+_param_\d+)", code)))
    declarations: list[dict[str, str]] = []
    fields: list[dict[str, Any]] = []
    constants: dict[str, np.ndarray] = {}
    objects: dict[int, str] = {}
    places = iter(names)
    for kind, argument in zip(types, arguments, strict=True):
        for value in _values(kind, argument):
            type_name, name = next(places)
            field = f"p{len(declarations)}"
            declaration = {"parameter": name, "name": field, "type": type_name}
            if value is None:
                if argument.dtype == np.int64:
                    constants[name] = argument
                key = argument.ctypes.data
                declaration["type"] = "pointer"
                declaration["space"] = "global"
                declaration["object"] = objects.setdefault(key, f"array{len(objects)}")
            else:
                fields.append({"field": field, "value": value})
            declarations.append(declaration)
    launch = {
        "grid_dim": list(three(grid)),
        "block_dim": list(three(block)),
        "dynamic_shared_bytes": shared_bytes,
    }
    description = {
        "schema": "spverify.kernel-input/v1",
        "launch": launch,
        "declarations": declarations,
        "arguments": fields,
    }
    path, given = folder / "kernel.ptx", folder / "kernel.json"
    path.write_text(simplified(code, constants, shared_bytes), encoding="utf-8")
    given.write_text(json.dumps(description), encoding="utf-8")
    return _run(path, given, seconds)


def _values(kind: ArrayType | str, argument: Any) -> list[Any]:
    """The parameters that Numba makes of an argument; None is the address."""
    if isinstance(kind, ArrayType):
        size, item = argument.size, argument.itemsize
        return [0, 0, size, item, None, *argument.shape, *argument.strides]
    value = np.dtype(kind).type(argument).item()
    if isinstance(value, float):  # JSON has no infinities; no such number says where anything is
        return [value if np.isfinite(value) else 0.0]
    return [int(value) % (1 << 8 * np.dtype(kind).itemsize)]


def _run(path: Path, given: Path, seconds: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "sentryward", str(path), "--input", str(given)]
    limits = ["--timeout", str(seconds), "--memory-limit-mib", str(MEMORY)]
    done = subprocess.run([*command, *limits], capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:]) from None


def simplified(code: str, constants: dict[str, np.ndarray], shared_bytes: int) -> str:
    """The code as the top of this file says.

    Args:
        code: PTX.
        constants: arrays of int64 by the name of the parameter that has their address.
        shared_bytes: dynamic shared memory of a block.
    """
    code = code.replace("%dynamic_smem_size", str(shared_bytes))
    code = re.sub(r"\.common \.global[^;]*;", "", code)
    code = re.sub(r"setp\.nan\.(f32|f64)\s+(%p\d+), [^;]*;", r"mov.pred \2, 0;", code)
    code = re.sub(r"setp\.num\.(f32|f64)\s+(%p\d+), [^;]*;", r"mov.pred \2, 1;", code)
    code, count = _without_insertions(code)
    code = code.replace("\t.reg .", f"\t.reg .b64 %part<{2 * count + 1}>;\n\t.reg .", 1)
    return "\n".join(_with_constants(code.splitlines(), constants))


def _without_insertions(code: str) -> tuple[str, int]:
    """`bfi.b64` up to the highest bit as shift, and, or."""
    count = 0

    def write(found: re.Match[str]) -> str:
        nonlocal count
        target, field, value, position, length = found.groups()
        if int(position) + int(length) != 64:
            return found.group()
        count += 1
        high, low = f"%part{2 * count - 2}", f"%part{2 * count - 1}"
        return (
            f"shl.b64 {high}, {field}, {position};\n"
            f"and.b64 {low}, {value}, {(1 << int(position)) - 1};\n"
            f"or.b64 {target}, {high}, {low};"
        )

    pattern = r"bfi\.b64\s+(%\w+), (%\w+), (%\w+), (\d+), (\d+);"
    return re.sub(pattern, write, code), count


def _with_constants(lines: list[str], constants: dict[str, np.ndarray]) -> list[str]:
    """Loads from constant arrays as moves of numbers."""
    arrays: dict[str, np.ndarray] = {}
    result: list[str] = []
    for line in lines:
        found = re.match(r"\s*ld\.param\.u64\s+(%\w+), \[(\S+)\];", line)
        if found and found[2] in constants:
            arrays[found[1]] = constants[found[2]]
        found = re.match(r"\s*cvta\.to\.global\.u64\s+(%\w+), (%\w+);", line)
        if found and found[2] in arrays:
            arrays[found[1]] = arrays[found[2]]
        found = re.match(r"\s*ld\.global\.[us](32|64)\s+(%\w+), \[(%\w+)(?:\+(\d+))?\];", line)
        if found and found[3] in arrays:
            value = int(arrays[found[3]].reshape(-1)[int(found[4] or 0) // 8])
            line = f"\tmov.b{found[1]} \t{found[2]}, {value};"
        result.append(line)
    return result
