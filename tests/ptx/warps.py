"""What the threads of a warp do together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.bits import ones_in
from tests.ptx.faults import Unknown
from tests.ptx.kinds import DTYPES
from tests.ptx.machine import WARP, Instructed, Step, opcode
from tests.ptx.syntax import Pair

Array = npt.NDArray[Any]


def active_bits(one: Instructed) -> Array:
    """For each thread of the vector the active threads of its warp, as 32 bits."""
    bits = one.lanes.mask.reshape(-1, WARP) @ (1 << np.arange(WARP, dtype=np.int64))
    return np.repeat(bits, WARP)


def met(one: Instructed, named: Array) -> None:
    """Check that all threads are there which an instruction waits for.

    Raises:
        Fault: some have taken another way or have ended, or a thread does not name itself.
    """
    machine, active = one.machine, one.lanes.active
    there = active_bits(one)[active]
    exist = machine.exists.reshape(-1, WARP) @ (1 << np.arange(WARP, dtype=np.int64))
    wanted = named[active].astype(np.int64) & np.repeat(exist, WARP)[active]
    alone = np.flatnonzero(wanted & ~there)
    if alone.size:
        lane = int(active[alone[0]])
        missing = int((wanted & ~there)[alone[0]])
        message = f"it waits for threads {missing:#010x} of its warp, which are not here"
        raise one.fault("divergent warp", message, lane)
    own = np.flatnonzero(wanted >> (active % WARP) & 1 == 0)
    if own.size:
        raise one.fault("divergent warp", "the thread is not in its own mask", int(active[own[0]]))


def whole(one: Instructed) -> Array:
    """The places of all threads of those warps that are there, a row for each warp.

    Raises:
        Fault: a warp is there in part.
    """
    active = one.lanes.active
    if len(active) % WARP == 0:
        rows = active.reshape(-1, WARP)
        if (rows[:, 0] % WARP == 0).all() and (rows[:, -1] - rows[:, 0] == WARP - 1).all():
            return rows
    there = one.lanes.mask.reshape(-1, WARP)
    part = np.flatnonzero(there.any(axis=1) & ~there.all(axis=1))
    lane = int(np.flatnonzero(there[part[0]])[0] + part[0] * WARP)
    raise one.fault("divergent warp", "an instruction of a whole warp", lane)


@opcode("shfl")
def shuffle(one: Instructed) -> Step:
    kind = one.kind()
    if one.take("sync") is None:
        raise Unknown("a shuffle without .sync")
    mode = one.take("up", "down", "bfly", "idx")
    target = one.operands[0]
    result = one.result(kind, target.first if isinstance(target, Pair) else target)
    inside = one.result("pred", target.second) if isinstance(target, Pair) else None
    value = one.read(one.operands[1], kind)
    step, bounds, named = (one.read(operand, "b32") for operand in one.operands[2:5])
    lanes = one.lanes

    def run() -> None:
        active = lanes.active
        if not active.size:
            return
        met(one, named)
        lane, by = active % WARP, step[active].astype(np.int64) & 31
        limits = bounds[active].astype(np.int64)
        clamp, segment = limits & 31, limits >> 8 & 31
        first = lane & segment
        last = first | clamp & ~segment & 31
        if mode == "up":
            source = lane - by
            valid = source >= last
        else:
            source = {"down": lane + by, "bfly": lane ^ by}.get(mode or "", first | by & ~segment)
            valid = source <= last
        source = np.where(valid, source, lane) + active - lane
        absent = np.flatnonzero(~lanes.mask[source])
        if absent.size:
            message = f"it reads from thread {int(source[absent[0]] % WARP)} of its warp"
            raise one.fault(
                "divergent warp", message + ", which is not here", int(active[absent[0]])
            )
        result[active] = value[source].copy()
        if inside is not None:
            inside[active] = valid

    return run


@opcode("vote")
def vote(one: Instructed) -> Step:
    kind = one.kind()
    if one.take("sync") is None:
        raise Unknown("a vote without .sync")
    mode = one.take("all", "any", "uni", "ballot")
    given = one.predicate(one.operands[1])
    named = one.read(one.operands[2], "b32")
    result, lanes = one.result(kind), one.lanes

    def run() -> None:
        active = lanes.active
        if not active.size:
            return
        met(one, named)
        chosen = named[active].astype(np.int64) & active_bits(one)[active]
        yes = (given() & lanes.mask).reshape(-1, WARP) @ (1 << np.arange(WARP, dtype=np.int64))
        votes = np.repeat(yes, WARP)[active] & chosen
        if mode == "ballot":
            result[active] = votes
        elif mode == "all":
            result[active] = votes == chosen
        elif mode == "any":
            result[active] = votes != 0
        else:
            result[active] = (votes == chosen) | (votes == 0)

    return run


@opcode("activemask")
def active_mask(one: Instructed) -> Step:
    one.kind()
    result, lanes = one.result("b32"), one.lanes

    def run() -> None:
        result[lanes.active] = active_bits(one)[lanes.active]

    return run


@opcode("match")
def match(one: Instructed) -> Step:
    kind = one.kind()
    if one.take("sync") is None:
        raise Unknown("a match without .sync")
    mode = one.take("any", "all")
    target = one.operands[0]
    result = one.result("b32", target.first if isinstance(target, Pair) else target)
    equal = one.result("pred", target.second) if isinstance(target, Pair) else None
    value = one.read(one.operands[1], kind)
    named = one.read(one.operands[2], "b32")
    lanes = one.lanes

    def run() -> None:
        active = lanes.active
        if not active.size:
            return
        met(one, named)
        rows = value.reshape(-1, WARP)
        same = rows[:, :, None] == rows[:, None, :]
        bits = (same @ (1 << np.arange(WARP, dtype=np.int64))).ravel()[active]
        chosen = named[active].astype(np.int64)
        bits &= chosen & active_bits(one)[active]
        if mode == "all":
            everywhere = bits == chosen & active_bits(one)[active]
            bits = np.where(everywhere, bits, 0)
            if equal is not None:
                equal[active] = everywhere
        result[active] = bits

    return run


_REDUCE: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


@opcode("redux")
def reduce(one: Instructed) -> Step:
    kind = one.kind()
    name = one.take(*_REDUCE)
    if one.take("sync") is None or name is None or DTYPES[kind].kind == "f":
        raise Unknown("a reduction of this kind")
    value, named = one.read(one.operands[1], kind), one.read(one.operands[2], "b32")
    result, lanes = one.result(kind), one.lanes

    def run() -> None:
        active = lanes.active
        if not active.size:
            return
        met(one, named)
        groups = (active // WARP << 32) + named[active]
        for group in np.unique(groups):
            chosen = active[groups == group]
            result[chosen] = _REDUCE[name].reduce(value[chosen], dtype=value.dtype)

    return run


@opcode("elect")
def elect(one: Instructed) -> Step:
    if one.take("sync") is None:
        raise Unknown("an election without .sync")
    target = one.operands[0]
    if not isinstance(target, Pair):
        raise Unknown("a result of this kind")
    leader, chosen = one.result("b32", target.first), one.result("pred", target.second)
    named, lanes = one.read(one.operands[1], "b32"), one.lanes

    def run() -> None:
        active = lanes.active
        if not active.size:
            return
        met(one, named)
        bits = named[active].astype(np.int64) & active_bits(one)[active]
        lowest = ones_in((bits & -bits) - 1).astype(np.int64)
        leader[active] = lowest
        chosen[active] = active % WARP == lowest

    return run


@opcode("bar", "barrier")
def warp_barrier(one: Instructed) -> Step:
    """`bar.warp.sync`; barriers of a block end a basic block and are the scheduler's."""
    if one.take("warp") is None or one.take("sync") is None:
        raise Unknown("a barrier of this kind")
    named, lanes, machine = one.read(one.operands[0], "b32"), one.lanes, one.machine

    def run() -> None:
        if not lanes.active.size:
            return
        met(one, named)
        # Some threads of a warp only: that orders nothing here.
        there, live = lanes.mask.reshape(-1, WARP), machine.exists.reshape(-1, WARP)
        complete = np.repeat((there == live).all(axis=1), WARP)
        threads = machine.threads[lanes.mask & complete]
        for space in machine.memories.spaces.values():
            if space.races is not None:
                space.races.warp_barrier(threads)

    return run


@opcode("nanosleep")
def sleep(one: Instructed) -> Step:
    one.kind()
    return lambda: None
