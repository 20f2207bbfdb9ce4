"""Registers, memory and instructions of the CUDA kernels, for GPUs that need not be there.

    python benchmarks/cuda_resources.py                     all kernels, some minutes
    python benchmarks/cuda_resources.py --only 'product_'   those whose names match, others stay

Numba compiles each kernel once, for sm_80; NVIDIA's assembler makes code of that for sm_80 and
sm_90. Needs `pip install 'nkeras[cuda-compile]'`, no driver. The answer is
benchmarks/results/cuda_resources.json, a line for each kernel and signature:

- `threads` of a block and `shared` bytes that it gets at its launch;
- by architecture: `registers` and `spilled` bytes of a thread, `static` shared bytes, `blocks` that
  a multiprocessor has room for, `instructions`, how many there are of some kinds, and `loop`, those
  of the loop with most products. Its `path` is what is executed where tiles are whole and rows lie
  at multiples of 16 bytes; the others are ways for ragged tiles and rows anywhere.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parent / "backends")]

from nkeras_numba_cuda import kernels  # noqa: E402
from nkeras_numba_cuda.cuda import cuda  # noqa: E402
from nkeras_numba_cuda.launch import KERNELS, Kernel  # noqa: E402

ANSWER = FOLDER / "results" / "cuda_resources.json"
CAPABILITY = (8, 0)
ARCHITECTURES = {"sm_80": 164 * 1024, "sm_90": 228 * 1024}
"""Bytes of shared memory of a multiprocessor, of which each block costs 1 kB more than it gets."""
REGISTERS, MOST_THREADS, MOST_BLOCKS = 65536, 2048, 32
KINDS = ("HMMA", "LDSM", "LDGSTS", "LDG.E.128", "STG.E.128", "LDS", "STS", "BAR", "SHFL")
WAITING = "LDS RZ, [RZ]"
"""What assembled code has before copies to shared memory, where nothing is loaded."""
TOOLS = {"ptxas": "nvidia-cuda-nvcc", "nvdisasm": "nvidia-cuda-nvdisasm"}
PACKAGES = ("numba", "numba-cuda", "nvidia-nvvm", *TOOLS.values())
_LABEL = re.compile(r"^(\.L_x_\d+):")
_INSTRUCTION = re.compile(r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?(\S[^;]*);")
_BACK = re.compile(r"BRA\S* .*?(\.L_x_\d+)")

assert kernels.OWN


def tool(name: str) -> Path:
    """Where a program of the toolkit is.

    Raises:
        FileNotFoundError: its package is not installed.
    """
    try:
        found = [file for file in files(TOOLS[name]) or () if file.name == name]
    except PackageNotFoundError:
        found = []
    if not found:
        raise FileNotFoundError(f"{name} is missing: pip install 'nkeras[cuda-compile]'")
    return Path(str(found[0].locate()))


def versions() -> dict[str, str]:
    """What numbers depend on; Numba compiles the bytecode of a version of Python."""
    python = ".".join(map(str, sys.version_info[:2]))
    return {"python": python} | {name: version(name) for name in PACKAGES}


def measured(kernel: Kernel, signature: str) -> dict[str, Any]:
    """What a kernel takes."""
    dispatcher = vars(sys.modules["numba.cuda.dispatcher"])
    kept = dispatcher["get_current_device"]
    dispatcher["get_current_device"] = lambda: SimpleNamespace(compute_capability=CAPABILITY)
    try:
        code, _ = cuda.compile(kernel.function, signature, device=False, abi="numba", cc=CAPABILITY)
    finally:
        dispatcher["get_current_device"] = kept
    row: dict[str, Any] = {"threads": kernel.threads, "shared": kernel.shared}
    for architecture, memory in ARCHITECTURES.items():
        row[architecture] = _assembled(code, architecture)
        row[architecture]["blocks"] = _blocks(row, row[architecture], memory)
    return row


def _assembled(code: str, architecture: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / "kernel.ptx", Path(folder) / "kernel.cubin"
        source.write_text(code)
        said = _run("ptxas", "-v", f"-arch={architecture}", str(source), "-o", str(binary))
        text = _run("nvdisasm", "-c", str(binary))
    spills = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", said)
    static = re.search(r"(\d+) bytes smem", said)
    registers = re.search(r"Used (\d+) registers", said)
    assert spills, said
    assert registers, said
    row: dict[str, Any] = {
        "registers": int(registers[1]),
        "spilled": int(spills[1]) + int(spills[2]),
        "static": int(static[1]) if static else 0,
    }
    return row | _counted(text)


def _run(name: str, *arguments: str) -> str:
    command = [str(tool(name)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def _counted(text: str) -> dict[str, Any]:
    """How many instructions there are, in all and in the loop with most products."""
    instructions: list[str] = []
    labels: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    for line in text.splitlines():
        label, found = _LABEL.match(line), _INSTRUCTION.match(line)
        if label:
            labels[label[1]] = len(instructions)
        if not found or found[1].strip() == WAITING:
            continue
        instructions.append(found[1])
        back = _BACK.match(found[1])
        if back and back[1] in labels:
            loops.append((labels[back[1]], len(instructions)))
    row: dict[str, Any] = {"instructions": len(instructions)} | _of_kinds(instructions)
    first, last = max(loops, key=lambda ends: _worth(instructions[slice(*ends)]), default=(0, 0))
    loop = instructions[first:last]
    if "HMMA" not in _of_kinds(loop):
        return row
    path = _path(loop, {place - first for place in labels.values()})
    return row | {"loop": {"instructions": len(loop), "path": path} | _of_kinds(loop)}


def _worth(loop: list[str]) -> tuple[int, int]:
    """Loops with more products come first, then shorter ones."""
    return _of_kinds(loop).get("HMMA", 0), -len(loop)


def _path(loop: list[str], labels: set[int]) -> int:
    """How many instructions stand in blocks without copies of other kinds than 16 bytes for all."""
    blocks: list[list[str]] = [[]]
    for place, instruction in enumerate(loop):
        if place in labels:
            blocks.append([])
        blocks[-1].append(instruction)
        if instruction.startswith("BRA"):
            blocks.append([])
    return sum(len(block) for block in blocks if not any(map(_is_ragged, block)))


def _is_ragged(instruction: str) -> bool:
    copies = instruction.startswith("LDGSTS")
    whole = "BYPASS" in instruction and "ZFILL" not in instruction
    return (copies and not whole) or instruction.startswith("STS")


def _of_kinds(instructions: list[str]) -> dict[str, int]:
    counts = {
        kind: sum(re.match(rf"{re.escape(kind)}\b", one) is not None for one in instructions)
        for kind in KINDS
    }
    return {kind: count for kind, count in counts.items() if count}


def _blocks(row: dict[str, Any], own: dict[str, Any], memory: int) -> int:
    """How many blocks a multiprocessor has room for."""
    threads = row["threads"]
    by_registers = REGISTERS // (threads * -(-own["registers"] // 8) * 8)
    by_memory = memory // (row["shared"] + own["static"] + 1024)
    return min(by_registers, by_memory, MOST_THREADS // threads, MOST_BLOCKS)


def names() -> Iterator[tuple[str, Kernel, str]]:
    """Kernels by the names of their rows: those of several signatures show their first dtype."""
    for name, kernel in KERNELS.items():
        for signature in kernel.signatures:
            alone = len(kernel.signatures) == 1
            yield name if alone else f"{name} {signature[5:-1]}", kernel, signature


def read() -> dict[str, Any]:
    """The answer as it stands."""
    return json.loads(ANSWER.read_text()) if ANSWER.exists() else {"rows": {}}


def write(rows: dict[str, Any]) -> None:
    """Put down the answer, a line for each row."""
    lines = [f"    {json.dumps(name)}: {json.dumps(rows[name])}" for name in sorted(rows)]
    head = f'{{\n  "versions": {json.dumps(versions())},\n  "rows": {{\n'
    ANSWER.write_text(head + ",\n".join(lines) + "\n  }\n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="a regular expression for names of kernels")
    chosen = parser.parse_args()
    known = {name for name, _, _ in names()}
    rows = {name: row for name, row in read()["rows"].items() if name in known}
    for name, kernel, signature in names():
        if re.search(chosen.only, name):
            rows[name] = measured(kernel, signature)
            own = rows[name]["sm_90"]
            print(f"{name}: {own['registers']} registers, {own['spilled']} spilled", flush=True)
            write(rows)


if __name__ == "__main__":
    main()
