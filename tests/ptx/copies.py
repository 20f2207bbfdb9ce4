"""Asynchronous copies from global to shared memory (`cp.async`).

Until the thread that asked for a copy has waited for it, its bytes can be neither read nor written.
Other threads see them behind a barrier that comes after the wait: the copy counts as a write where
it is asked for, and as another one where it is waited for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.accesses import address_of
from tests.ptx.faults import Unknown
from tests.ptx.machine import Copy, Instructed, Machine, Step, opcode
from tests.ptx.memory import PENDING, WRITTEN
from tests.ptx.parser import number
from tests.ptx.races import READ, WRITE
from tests.ptx.syntax import Immediate

Array = npt.NDArray[Any]


@opcode("cp")
def copy(one: Instructed) -> Step:
    if one.take("async") is None:
        raise Unknown("a copy of this kind")
    if one.take("commit_group"):
        return _commit(one)
    if one.take("wait_group"):
        (left,) = one.operands
        if not isinstance(left, Immediate):
            raise Unknown("a number that is computed")
        return _wait(one, int(number(left.text, "u32")))
    if one.take("wait_all"):
        return _wait(one, None)
    return _copy(one)


def _copy(one: Instructed) -> Step:
    if one.take("shared", "shared::cta") is None or one.take("global") is None:
        raise Unknown("a copy between these spaces")
    cached = one.take("ca", "cg")
    one.drop("L2::64B", "L2::128B", "L2::256B", "L2::cache_hint")
    size = one.operands[2]
    if not isinstance(size, Immediate):
        raise Unknown("a size that is computed")
    width = int(number(size.text, "u32"))
    if width not in ((4, 8, 16) if cached == "ca" else (16,)):
        raise Unknown(f"a copy of {width} bytes")
    given = one.read(one.operands[3], "u32") if len(one.operands) > 3 else None
    targets, sources = (address_of(one, operand) for operand in one.operands[:2])
    lanes, machine = one.lanes, one.machine

    def run() -> None:
        active = lanes.active
        if not active.size:
            return
        sizes = np.full(len(active), width) if given is None else given[active].astype(np.int64)
        values = _source(one, sources(active), active, sizes, width)
        ((shared, at, _),) = machine.memories.each(one, "shared", targets(active), active)
        cells = shared.check(one, at, active, width, "write")
        count = max(width >> shared.shift, 1)
        if shared.races is not None:
            shared.races.note(one, WRITE, cells, count, machine.threads[active])
        shared.set(cells, count, PENDING)
        groups = np.full(len(active), -1)
        machine.copies.append(Copy(one, active, at, values, groups))

    return run


def _source(one: Instructed, addresses: Array, lanes: Array, sizes: Array, width: int) -> Array:
    """The bytes that are copied, zeros behind the size that was given."""
    wrong = np.flatnonzero((sizes > width) | (sizes < 0))
    if wrong.size:
        message = f"{int(sizes[wrong[0]])} bytes into {width}"
        raise one.fault("out of bounds", message, int(lanes[wrong[0]]))
    values = np.zeros((len(lanes), width), np.uint8)
    ((space, at, _),) = one.machine.memories.each(one, "global", addresses, lanes)
    misplaced = np.flatnonzero((at & (width - 1) != 0) & (sizes > 0))
    if misplaced.size:
        k = int(misplaced[0])
        message = f"global memory, {width} bytes at {space.named(int(at[k]))}"
        raise one.fault("misaligned", message, int(lanes[k]))
    step = space.granule
    for begin in range(0, width, step):
        chosen = np.flatnonzero(sizes > begin)
        if not chosen.size:
            break
        cells = space.check(one, at[chosen] + begin, lanes[chosen], step, "read")
        if space.races is not None:
            space.races.note(one, READ, cells, 1, one.machine.threads[lanes[chosen]])
        for k in range(step):
            values[chosen, begin + k] = space.data[at[chosen] + begin + k]
    values[np.arange(width) >= sizes[:, None]] = 0
    return values


def _commit(one: Instructed) -> Step:
    machine, lanes = one.machine, one.lanes

    def run() -> None:
        active = lanes.mask
        for waiting in machine.copies:
            mine = active[waiting.lanes] & (waiting.groups < 0)
            waiting.groups[mine] = machine.commits[waiting.lanes[mine]]
        machine.commits[active] += 1

    return run


def _wait(one: Instructed, left: int | None) -> Step:
    """Wait until no more than `left` of the last groups are under way; None: for all copies."""
    machine, lanes = one.machine, one.lanes

    def run() -> None:
        active = lanes.mask
        kept: list[Copy] = []
        for waiting in machine.copies:
            done = active[waiting.lanes]
            if left is not None:
                last = machine.commits[waiting.lanes] - left
                done = done & (waiting.groups >= 0) & (waiting.groups < last)
            if done.any():
                _arrive(machine, waiting, done, one)
            if not done.all():
                rest = ~done
                parts = (waiting.lanes, waiting.at, waiting.values, waiting.groups)
                kept.append(Copy(waiting.one, *(part[rest] for part in parts)))
        machine.copies = kept

    return run


def _arrive(machine: Machine, copy: Copy, done: Array, wait: Instructed) -> None:
    shared = machine.memories.spaces["shared"]
    at, values = copy.at[done], copy.values[done]
    width = values.shape[1]
    for k in range(width):
        shared.data[at + k] = values[:, k]
    cells, count = at >> shared.shift, max(width >> shared.shift, 1)
    if shared.races is not None:
        threads = machine.threads[copy.lanes[done]]
        shared.races.note(copy.one, WRITE, cells, count, threads)
    shared.set(cells, count, WRITTEN)
