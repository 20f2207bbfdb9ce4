"""Which threads go on: parting and meeting, barriers, the order of warps and blocks.

The warps of a block are cut into gangs. A gang is one vector, whose warps go on together; gangs go
on one after the other, each until all of its threads have ended or wait at a barrier. A seed
chooses gangs and their order, at each barrier anew; blocks come in an order that the seed chooses
too. Seed 0 takes a block as one gang, and several blocks at once: that is the fastest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.faults import Fault, Unknown
from tests.ptx.machine import WARP, Machine, described
from tests.ptx.memory import Space
from tests.ptx.program import Block, Program, barrier_number
from tests.ptx.syntax import Immediate, Instruction, Negated, Operand, Register, Symbol

Array = npt.NDArray[Any]
MOST_LANES = 2048
MOST_TURNS = 5_000_000
"""So many blocks of instructions are no kernel on a tiny shape any more."""


class Gang:
    """Warps that go on together.

    Args:
        machine: the vector of their threads.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.groups: dict[int, Array] = {0: machine.exists.copy()}
        """Threads that can go on, by the block of instructions that comes next."""
        self.waiting: dict[int, Array] = {}
        """Threads at a barrier, by the block that it ends."""
        self.warp_instructions = 0

    def run(self) -> None:
        """Go on until nobody can.

        Raises:
            Fault: what a thread does is wrong.
        """
        machine, blocks = self.machine, self.machine.program.blocks
        groups = self.groups
        for _ in range(MOST_TURNS):
            if not groups:
                return
            rank = min(groups)
            mask = groups.pop(rank)
            block = blocks[rank]
            everybody = not groups and not self.waiting
            machine.lanes.choose(mask)
            machine.run(block, everybody)
            warps = int(np.count_nonzero(mask.reshape(-1, WARP).any(axis=1)))
            self.warp_instructions += warps * (len(block.instructions) + 1)
            self._advance(block, mask)
        raise Fault("no end", f"after {MOST_TURNS} blocks of instructions", f"  in {machine.name}")

    def _advance(self, block: Block, mask: Array) -> None:
        last = block.last
        if last is None:
            self._join(block.next, mask)
        elif last.root == "trap":
            raise self.machine.fault("trap", "the kernel says so", last, int(np.argmax(mask)))
        elif last.root in ("ret", "exit"):
            ending = self._chosen(last, mask)
            self.machine.live[ending] = False
            self._join(block.next, mask & ~ending)
        elif last.root == "bra":
            taken = self._chosen(last, mask)
            self._join(block.target, taken)
            if last.predicate is not None:
                self._join(block.next, mask & ~taken)
        else:
            if last.predicate is not None:
                raise Unknown(f"a barrier with a predicate; {described(last)}")
            self._whole_warps(last, mask)
            self.waiting[block.rank] = self.waiting.get(block.rank, False) | mask

    def _whole_warps(self, barrier: Instruction, mask: Array) -> None:
        """A barrier of a block is for warps whose threads go together."""
        there, exist = mask.reshape(-1, WARP), self.machine.exists.reshape(-1, WARP)
        part = (there.any(axis=1, keepdims=True) & exist & ~there).ravel()
        if part.any():
            lane = int(np.argmax(part))
            message = f"threads of a warp wait at {described(barrier)}, one of them does not"
            raise Fault("divergent barrier", message, self.machine.whereabouts(lane))

    def _chosen(self, instruction: Instruction, mask: Array) -> Array:
        if instruction.predicate is None:
            return mask
        values = self.machine.view(instruction.predicate, "pred")
        return mask & ~values if instruction.unless else mask & values

    def _join(self, rank: int | None, mask: Array) -> None:
        if not mask.any():
            return
        if rank is None:
            raise Unknown("a kernel that does not end")
        if self.machine.program.blocks[rank].leaves:
            self.machine.live[mask] = False
            return
        known = self.groups.get(rank)
        self.groups[rank] = mask if known is None else known | mask


class Scheduler:
    """Runs all blocks of a launch.

    Args:
        program: the kernel.
        grid: how many blocks, along x, y, z.
        block: how many threads in each.
        make: a function that makes a machine of so many threads.
        spaces: global memory, and shared memory with a copy for each block that runs at once.
        seed: chooses the order.
        numbers: special registers that are the same for all.
    """

    def __init__(
        self,
        program: Program,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        make: Callable[[int], Machine],
        spaces: list[Space],
        seed: int,
        numbers: dict[str, int],
    ) -> None:
        self.program, self.grid, self.block = program, grid, block
        self.numbers = numbers
        self.make, self.spaces = make, spaces
        self.random = np.random.default_rng(seed) if seed else None
        self.threads = int(np.prod(block))
        self.padded = -(-self.threads // WARP) * WARP
        self.at_once = blocks_at_once(grid, block, seed)
        self._machines: dict[int, list[Machine]] = {}
        self.warp_instructions = 0

    def run(self) -> None:
        """Execute the launch."""
        order = np.arange(int(np.prod(self.grid)))
        if self.random is not None:
            self.random.shuffle(order)
        for begin in range(0, len(order), self.at_once):
            self._run_blocks(order[begin : begin + self.at_once])
        for space in self.spaces:
            if space.races is not None:
                space.races.look()

    def _run_blocks(self, blocks: Array) -> None:
        for space in self.spaces:
            if space.name == "shared":
                space.empty()
        gangs = [Gang(machine) for machine in self._cast(blocks)]
        while gangs:
            for gang in gangs:
                gang.run()
            for space in self.spaces:
                if space.races is not None:
                    space.races.barrier()
            if not any(gang.waiting for gang in gangs):
                break
            for place in range(len(blocks)):
                self._release(gangs, place)
            if self.random is not None:
                self.random.shuffle(gangs)  # type: ignore[arg-type]
        self.warp_instructions += sum(gang.warp_instructions for gang in gangs)

    # --- machines

    def _cast(self, blocks: Array) -> list[Machine]:
        """Machines for the warps of blocks."""
        warps = [
            (place, warp) for place in range(len(blocks)) for warp in range(self.padded // WARP)
        ]
        if self.random is None:
            parts = [warps]
        else:
            shuffled = [warps[k] for k in self.random.permutation(len(warps))]
            cuts = np.flatnonzero(self.random.integers(0, 2, len(warps) - 1)) + 1
            ends = [0, *cuts.tolist(), len(warps)]
            parts = [shuffled[a:b] for a, b in itertools.pairwise(ends)]
        used: dict[int, int] = {}
        machines = []
        for part in parts:
            size = WARP * len(part)
            pool = self._machines.setdefault(size, [])
            number = used[size] = used.get(size, 0) + 1
            if len(pool) < number:
                pool.append(self.make(size))
            machines.append(pool[number - 1])
            self._place(machines[-1], blocks, part)
        return machines

    def _place(self, machine: Machine, blocks: Array, warps: list[tuple[int, int]]) -> None:
        """Give each lane its thread."""
        lane = np.arange(WARP)
        place = np.repeat([place for place, _ in warps], WARP)
        within = np.concatenate([warp * WARP + lane for _, warp in warps])
        number = blocks[place]
        machine.block[:] = place
        machine.threads[:] = number * self.padded + within
        machine.exists[:] = within < self.threads
        machine.live[:] = machine.exists
        machine.copies.clear()
        machine.commits[:] = 0
        machine.memories.spaces["local"].empty()
        values: dict[str, Array | int] = {
            "laneid": np.tile(lane, len(warps)),
            "warpid": within // WARP,
            "nwarpid": self.padded // WARP,
            "smid": 0,
            "nsmid": 1,
            "gridid": 0,
            **self.numbers,
        }
        for name, sizes, index in (("tid", self.block, within), ("ctaid", self.grid, number)):
            for axis, size in zip("xyz", sizes, strict=True):
                values[f"{name}.{axis}"] = index % size
                values[f"n{name}.{axis}"] = size
                index = index // size
        one = np.uint64(1)
        bit = one << (lane.astype(np.uint64))
        masks = {"eq": bit, "lt": bit - one, "le": (bit << one) - one}
        masks |= {"ge": ~(bit - one), "gt": ~((bit << one) - one)}
        for name, mask in masks.items():
            values[f"lanemask_{name}"] = np.tile(mask & np.uint64(0xFFFFFFFF), len(warps))
        for name, value in values.items():
            key = f"%{name}"
            if key not in machine.special:
                machine.special[key] = np.zeros(machine.size, np.uint32)
            machine.special[key][:] = value

    # --- barriers

    def _release(self, gangs: list[Gang], place: int) -> None:
        """Let a block's threads go on behind a barrier, if all are there."""
        parts = [gang.machine.block == place for gang in gangs]
        ranks = {
            rank
            for gang, part in zip(gangs, parts, strict=True)
            for rank, mask in gang.waiting.items()
            if (mask & part).any()
        }
        if not ranks:
            return
        rank = min(ranks)
        block = self.program.blocks[rank]
        last = block.last
        assert last is not None
        count = 0
        for gang, part in zip(gangs, parts, strict=True):
            there = gang.waiting.get(rank, np.zeros_like(part)) & part
            count += int(there.sum())
            absent = np.flatnonzero(part & gang.machine.exists & ~there)
            if absent.size:
                self._divergent(gang, int(absent[0]), last)
        self._check_count(last, count)
        self._reduce(gangs, parts, last)
        for gang, part in zip(gangs, parts, strict=True):
            mask = gang.waiting.get(rank)
            if mask is None:
                continue
            gang._join(block.next, mask & part)
            rest = mask & ~part
            if rest.any():
                gang.waiting[rank] = rest
            else:
                del gang.waiting[rank]

    def _divergent(self, gang: Gang, lane: int, last: Instruction) -> None:
        """A thread of the block is not at its barrier."""
        machine = gang.machine
        doing = "has ended"
        for rank, mask in gang.waiting.items():
            if mask[lane]:
                other = self.program.blocks[rank].last
                assert other is not None
                doing = f"waits at {described(other)}"
        message = f"while others wait at {described(last)}, a thread {doing}"
        raise Fault("divergent barrier", message, machine.whereabouts(lane))

    def _check_count(self, last: Instruction, count: int) -> None:
        barrier_number(last)
        wanted = last.operands[2 if "red" in last.modifiers else 1 :]
        if "red" in last.modifiers:
            wanted = last.operands[2:-1]
        if wanted and isinstance(wanted[0], Immediate):
            if int(wanted[0].text, 0) != count:
                raise Unknown(f"a barrier of a part of the block; {described(last)}")
        elif wanted:
            raise Unknown(f"a barrier of a number of threads that is computed; {described(last)}")
        if "arrive" in last.modifiers:
            raise Unknown(f"arriving without waiting; {described(last)}")

    def _reduce(self, gangs: list[Gang], parts: list[Array], last: Instruction) -> None:
        """What `bar.red` tells all threads of a block."""
        if "red" not in last.modifiers:
            return
        chosen = [
            _predicate(gang.machine, last.operands[-1])[part & gang.machine.exists]
            for gang, part in zip(gangs, parts, strict=True)
        ]
        everyone = np.concatenate(chosen)
        target = last.operands[0]
        assert isinstance(target, Register | Symbol)
        kind = "u32" if "popc" in last.modifiers else "pred"
        if kind == "u32":
            value: Any = everyone.sum()
        else:
            value = everyone.all() if "and" in last.modifiers else everyone.any()
        if isinstance(target, Register):
            for gang, part in zip(gangs, parts, strict=True):
                gang.machine.view(target, kind)[part] = value


def _predicate(machine: Machine, operand: Operand) -> Array:
    if isinstance(operand, Negated):
        return ~machine.view(operand.register, "pred")
    if isinstance(operand, Immediate):
        return np.full(machine.size, int(operand.text, 0) != 0)
    assert isinstance(operand, Register)
    return machine.view(operand, "pred")


def blocks_at_once(grid: tuple[int, int, int], block: tuple[int, int, int], seed: int) -> int:
    """How many blocks share a vector."""
    if seed:
        return 1
    padded = -(-int(np.prod(block)) // WARP) * WARP
    return min(max(1, MOST_LANES // padded), int(np.prod(grid)))
