"""A kernel as basic blocks, in the order in which threads that have parted meet again.

Threads of a vector that disagree on a branch part. Of all places where threads stand, the first in
the order of the blocks goes on, until its threads reach a later one, where they join those that
wait there. The order puts each block behind all that lead to it but for the edges back of loops,
and all blocks of a loop before what follows it: so threads meet at the latest at the nearest place
that all must pass (the immediate post-dominator), without a stack of such places, and threads that
left a loop or took a shorter way wait for the others.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field

from tests.ptx.faults import Unknown
from tests.ptx.inlining import flatten
from tests.ptx.parser import parse
from tests.ptx.syntax import Function, Immediate, Instruction, Label, Module, Symbol, Variable

BARRIERS = ("bar", "barrier")


@dataclass
class Block:
    """Instructions without branches between them.

    Args:
        index: its place in the order of the text.
        instructions: what it computes.
        last: a branch, `ret`, `exit` or barrier, or None.
        target: the block that a branch goes to.
        next: the block behind this one.
    """

    index: int
    instructions: list[Instruction] = field(default_factory=list)
    last: Instruction | None = None
    target: int | None = None
    next: int | None = None
    rank: int = 0

    @property
    def leaves(self) -> bool:
        """Whether the kernel ends here, and nothing else happens."""
        return not self.instructions and self.ends

    @property
    def ends(self) -> bool:
        """Whether threads end here."""
        ends = self.last is not None and self.last.root in ("ret", "exit")
        return ends and self.last is not None and self.last.predicate is None

    def successors(self) -> list[int]:
        """The blocks that may come next."""
        found = [] if self.target is None else [self.target]
        always = self.last is not None and self.last.predicate is None
        if self.next is not None and not (always and self.last and self.last.root == "bra"):
            if not self.ends:
                found.append(self.next)
        return found


@dataclass
class Program:
    """A kernel that can be executed.

    Args:
        entry: its parameters.
        blocks: in the order in which they are executed.
        registers: types by name.
        variables: shared, local and global ones.
    """

    entry: Function
    blocks: list[Block]
    registers: dict[str, str]
    variables: list[Variable]

    @property
    def instructions(self) -> list[Instruction]:
        """All of them."""
        found: list[Instruction] = []
        for block in self.blocks:
            found += block.instructions
            found += [block.last] if block.last else []
        return found


def load(text: str) -> Program:
    """The kernel of a PTX file.

    Raises:
        Unknown: syntax that the interpreter lacks.
    """
    module = parse(text)
    flat = flatten(module)
    blocks = _ordered(_blocks(flat.body))
    variables = [*_shared_or_global(module), *flat.variables]
    return Program(module.entry, blocks, flat.registers, variables)


def _shared_or_global(module: Module) -> list[Variable]:
    return [one for one in module.variables if one.space in ("shared", "global", "const")]


def _blocks(body: list[Instruction | Label]) -> list[Block]:
    blocks = [Block(0)]
    labels: dict[str, int] = {}
    for statement in body:
        if isinstance(statement, Label):
            if blocks[-1].instructions or blocks[-1].last:
                blocks.append(Block(len(blocks)))
            labels[statement.name] = len(blocks) - 1
            continue
        if blocks[-1].last:
            blocks.append(Block(len(blocks)))
        if statement.root in ("bra", "ret", "exit", "trap") or _is_barrier(statement):
            blocks[-1].last = statement
        elif statement.root in ("brx", "call"):
            raise Unknown(f"PTX line {statement.line}: {statement.text}")
        else:
            blocks[-1].instructions.append(statement)
    for block, behind in itertools.pairwise(blocks):
        block.next = behind.index
    for block in blocks:
        if block.last and block.last.root == "bra":
            (target,) = block.last.operands
            assert isinstance(target, Symbol)
            block.target = labels[target.name]
    return blocks


def _is_barrier(one: Instruction) -> bool:
    return one.root in BARRIERS and "warp" not in one.modifiers


def _ordered(blocks: list[Block]) -> list[Block]:
    """The blocks that can be reached, sorted as the top of this file says."""
    successors = [block.successors() for block in blocks]
    reached = _reached(successors)
    dominators = _dominators(successors, reached)
    forward: dict[int, set[int]] = {one: set() for one in reached}
    loops: dict[int, set[int]] = {}
    for one in reached:
        for other in successors[one]:
            if other in dominators[one]:
                loops.setdefault(other, {other}).update(_loop(other, one, successors, reached))
            else:
                forward[one].add(other)
    for loop in loops.values():
        edges = [(one, other) for one in loop for other in successors[one]]
        leaves = {other for one, other in edges if other not in dominators[one]} - loop
        for one in loop:
            forward[one] |= leaves
    order = _sorted(forward)
    place = {block: rank for rank, block in enumerate(order)}
    for block in blocks:
        block.target = place.get(block.target) if block.target is not None else None
        block.next = place.get(block.next) if block.next is not None else None
        block.rank = place.get(block.index, -1)
    return [blocks[index] for index in order]


def _reached(successors: list[list[int]]) -> list[int]:
    found, waiting = {0}, [0]
    while waiting:
        for other in successors[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return sorted(found)


def _dominators(successors: list[list[int]], reached: list[int]) -> dict[int, set[int]]:
    """Those blocks through which each way to a block leads."""
    before: dict[int, list[int]] = {one: [] for one in reached}
    for one in reached:
        for other in successors[one]:
            before[other].append(one)
    found = {one: set(reached) for one in reached}
    found[0] = {0}
    changed = True
    while changed:
        changed = False
        for one in reached[1:]:
            new = set.intersection(*(found[other] for other in before[one])) | {one}
            if new != found[one]:
                found[one], changed = new, True
    return found


def _loop(head: int, last: int, successors: list[list[int]], reached: list[int]) -> set[int]:
    """The blocks of the loop whose edge back leads from `last` to `head`."""
    before: dict[int, list[int]] = {one: [] for one in reached}
    for one in reached:
        for other in successors[one]:
            before[other].append(one)
    found, waiting = {head}, [last]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += before[one]
    return found


def _sorted(forward: dict[int, set[int]]) -> list[int]:
    """Each block behind those that lead to it; in the order of the text where that is open."""
    missing = dict.fromkeys(forward, 0)
    for others in forward.values():
        for other in others:
            missing[other] += 1
    ready = [one for one, count in missing.items() if count == 0]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        one = heapq.heappop(ready)
        order.append(one)
        for other in forward[one]:
            missing[other] -= 1
            if missing[other] == 0:
                heapq.heappush(ready, other)
    if len(order) < len(forward):
        raise Unknown("a loop with two ways in")
    return order


def barrier_number(one: Instruction) -> int:
    """Which of the sixteen barriers an instruction waits at."""
    position = 1 if "red" in one.modifiers else 0
    number = one.operands[position]
    if not isinstance(number, Immediate):
        raise Unknown(f"PTX line {one.line}: a barrier whose number is computed: {one.text}")
    return int(number.text, 0)
