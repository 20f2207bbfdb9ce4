"""Executing a kernel.

    from tests.ptx import launch

    launch(kernel, grid=2, block=64, arguments=[y, x, 3], shared_bytes=1024, seed=5)

What a kernel does wrong is a `Fault`; see races.py, memory.py and scheduling.py for what is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.ptx import accesses, arithmetic, bits, copies, functions, matrices, moving, warps
from tests.ptx.arrays import Placed, place
from tests.ptx.faults import Unknown
from tests.ptx.kinds import WIDTHS
from tests.ptx.machine import OPCODES, Machine, described
from tests.ptx.memory import Memories, Piece, Space, smallest_access
from tests.ptx.program import Program
from tests.ptx.races import Races
from tests.ptx.scheduling import Scheduler, blocks_at_once
from tests.ptx.signatures import ArrayType, parameters_of

OPCODE_FILES = (accesses, arithmetic, bits, copies, functions, matrices, moving, warps)

Sizes = int | Sequence[int]
STATIC_GUARD = 32
"""Bytes of shared memory that belong to nobody, behind each of its arrays."""


class Table:
    """An argument that is a table of addresses.

    Args:
        arrays: contiguous arrays.
    """

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self.arrays = list(arrays)
        self.addresses = np.zeros(len(self.arrays), np.int64)
        self.dtype, self.ndim = self.addresses.dtype, 1


@dataclass(frozen=True)
class Report:
    """What a launch took.

    Args:
        warp_instructions: how many instructions warps have executed.
        shared_bytes: of a block.
    """

    warp_instructions: int
    shared_bytes: int


def three(sizes: Sizes) -> tuple[int, int, int]:
    """Sizes along x, y, z."""
    given = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    x, y, z = (*given, 1, 1, 1)[:3]
    return x, y, z


def execute(
    program: Program,
    name: str,
    types: Sequence[ArrayType | str],
    arguments: Sequence[Any],
    grid: Sizes,
    block: Sizes,
    shared_bytes: int = 0,
    seed: int = 0,
) -> Report:
    """Execute a program.

    Args:
        program: the kernel.
        name: what messages call it.
        types: of the arguments, as Numba has them.
        arguments: contiguous arrays and scalars.
        grid: how many blocks.
        block: how many threads each has.
        shared_bytes: dynamic shared memory of a block.
        seed: chooses the order of warps and blocks; 0 is the fastest one.

    Raises:
        Fault: the kernel does something wrong.
        Unknown: the kernel has an instruction that the interpreter lacks.
    """
    _check_known(program)
    grid, block = three(grid), three(block)
    threads = int(np.prod(block))
    most = program.entry.most_threads
    if most is not None and threads > most:
        raise ValueError(f"{name} is made for {most} threads in a block, not for {threads}.")
    tables = [a for a in arguments if isinstance(a, Table)]
    arguments = [a.addresses if isinstance(a, Table) else a for a in arguments]
    arrays = [a for a in arguments if isinstance(a, np.ndarray)]
    names = [f"argument {k}" for k, a in enumerate(arguments) if isinstance(a, np.ndarray)]
    for number, table in enumerate(tables):
        names += [f"array {k} of table {number}" for k in range(len(table.arrays))]
        arrays += table.arrays
    granule = smallest_access([*_widths(program), *(a.itemsize for a in arrays)])
    variables = [one for one in program.variables if one.space in ("global", "const")]
    names = [f"{text} ({a.dtype}{list(a.shape)})" for text, a in zip(names, arrays, strict=True)]
    placed, symbols = place(arrays, names, variables, granule)
    if tables:  # now it is known where arrays lie
        left = placed.addresses[len(arrays) - sum(len(table.arrays) for table in tables) :]
        for table in tables:
            table.addresses[:], left = left[: len(table.arrays)], left[len(table.arrays) :]
        placed, symbols = place(arrays, names, variables, granule)
    parameters = parameters_of(program, types, arguments, placed.addresses)
    at_once = blocks_at_once(grid, block, seed)
    shared, more = _shared(program, granule, shared_bytes, at_once)
    symbols |= more
    local, more = _local(program, granule)
    symbols |= more
    _watch(program, placed, shared, grid, block, name)

    def make(size: int) -> Machine:
        own = Space("local", local.size, granule, size, local.pieces)
        spaces = {"global": placed.space, "shared": shared, "local": own}
        return Machine(program, size, parameters, Memories(spaces, symbols), name)

    spaces = [placed.space, shared]
    numbers = {"dynamic_smem_size": shared_bytes, "total_smem_size": shared.size}
    scheduler = Scheduler(program, grid, block, make, spaces, seed, numbers)
    with np.errstate(all="ignore"):
        scheduler.run()
    placed.back()
    return Report(scheduler.warp_instructions, shared.size)


def _check_known(program: Program) -> None:
    """Also of instructions that this launch does not reach."""
    for one in program.instructions:
        if one.root not in (*OPCODES, "bra", "ret", "exit", "trap"):
            raise Unknown(f"unknown opcode {one.opcode}, {described(one)}")


def _widths(program: Program) -> list[int]:
    """Sizes of accesses to memory that the kernel has, but for parameters."""
    widths: list[int] = []
    for one in program.instructions:
        if one.root in ("ld", "st", "atom", "red", "ldu") and "param" not in one.modifiers[:1]:
            widths.append(WIDTHS.get(one.modifiers[-1], 1))
        elif one.root == "cp":
            widths.append(4)
    return widths


def _shared(
    program: Program, granule: int, dynamic: int, at_once: int
) -> tuple[Space, dict[str, int]]:
    """Shared memory: arrays of fixed sizes, then those of the launch, which begin together."""
    addresses: dict[str, int] = {}
    pieces: list[Piece] = []
    end = 0
    ones = [one for one in program.variables if one.space == "shared"]
    for one in ones:
        if one.size:
            end = -(-end // one.align) * one.align
            addresses[one.name] = end
            item = WIDTHS[one.type]
            pieces.append(Piece(f"shared array {one.name[-40:]}", end, one.size, item))
            end += one.size + STATIC_GUARD
    end = -(-end // 128) * 128
    if dynamic:
        pieces.append(Piece("dynamic shared memory", end, dynamic, granule))
    for one in ones:
        if not one.size:
            addresses[one.name] = end
    return Space("shared", end + dynamic, granule, at_once, pieces), addresses


def _local(program: Program, granule: int) -> tuple[Space, dict[str, int]]:
    """What threads have for themselves."""
    addresses: dict[str, int] = {}
    pieces: list[Piece] = []
    end = 0
    for one in program.variables:
        if one.space == "local":
            end = -(-end // one.align) * one.align
            addresses[one.name] = end
            pieces.append(Piece(f"local array {one.name}", end, one.size, granule))
            end += one.size
    return Space("local", end, granule, 1, pieces), addresses


def _watch(
    program: Program,
    placed: Placed,
    shared: Space,
    grid: tuple[int, int, int],
    block: tuple[int, int, int],
    name: str,
) -> None:
    """Note who reads and writes global and shared memory."""
    padded = -(-int(np.prod(block)) // 32) * 32
    warps = any(
        one.root in ("bar", "barrier") and "warp" in one.modifiers for one in program.instructions
    )

    def whereabouts(thread: int) -> str:
        number, within = divmod(thread, padded)
        place, position = [], []
        for size, other in zip(grid, block, strict=True):
            place.append(number % size)
            position.append(within % other)
            number, within = number // size, within // other
        return f"block {tuple(place)}, thread {tuple(position)} of {name}"

    for space in (placed.space, shared):
        several = int(np.prod(grid)) > 1 and space is placed.space
        space.races = Races(
            space.name,
            len(space.states),
            warps,
            padded if several else None,
            whereabouts,
            lambda cell, space=space: space.named(cell << space.shift),
        )
