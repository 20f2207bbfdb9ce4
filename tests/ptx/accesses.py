"""Loads, stores, atomic accesses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.faults import Unknown
from tests.ptx.kinds import DTYPES, UNSIGNED, WIDTHS
from tests.ptx.machine import Instructed, Step, opcode
from tests.ptx.memory import Memories, Space
from tests.ptx.races import ATOMIC
from tests.ptx.syntax import Address, Immediate, Operand, Register, Symbol, Vector

Array = npt.NDArray[Any]
SPACES = ("global", "shared", "local", "const", "param")
_WITHOUT_EFFECT = (
    *("ca", "cg", "cs", "lu", "cv", "cop", "nc", "wb", "wt", "weak", "volatile", "relaxed"),
    *("acquire", "release", "acq_rel", "cta", "cluster", "gpu", "sys", "L2::64B", "L2::128B"),
    *("L2::256B", "L1::evict_last", "L1::evict_first", "L1::no_allocate", "L1::evict_unchanged"),
    *("L1::evict_normal", "L2::evict_first", "L2::evict_last", "L2::evict_normal"),
)


def take_space(one: Instructed) -> str | None:
    """The space that an opcode names; None for addresses of all memory."""
    if "shared::cta" in one.modifiers:
        one.modifiers.remove("shared::cta")
        return "shared"
    return one.take(*SPACES)


def address_of(one: Instructed, operand: Operand) -> Callable[[Array], Array]:
    """A function that gives the addresses of active threads."""
    if not isinstance(operand, Address):
        raise Unknown(f"{operand} as an address")
    base, offset = operand.base, operand.offset
    if isinstance(base, Register):
        width = WIDTHS[one.machine.program.registers[base.name]]
        values = one.read(base, f"b{8 * width}")
        if width == 8:
            signed = values.view(np.int64)
            return lambda lanes: signed[lanes] + offset if offset else signed[lanes]
        return lambda lanes: values[lanes].astype(np.int64) + offset
    if isinstance(base, Symbol):
        constant = one.machine.symbol(base, "b64").view(np.int64)
    else:
        assert isinstance(base, Immediate)
        constant = one.machine.constant(base.text, "s64")
    return lambda lanes: constant[lanes] + offset


def _parts(one: Instructed, operand: Operand) -> tuple[Operand, ...]:
    """The registers of a vector, or the one there is."""
    count = one.take("v2", "v4", "v8")
    parts = operand.parts if isinstance(operand, Vector) else (operand,)
    if len(parts) != int(count[1:] if count else 1):
        raise Unknown("a vector of another size")
    return parts


@opcode("ld", "ldu")
def load(one: Instructed) -> Step:
    kind = one.kind()
    space = take_space(one)
    one.drop(*_WITHOUT_EFFECT)
    targets = _parts(one, one.operands[0])
    if space == "param":
        return _parameter(one, kind, targets)
    width, dtype = WIDTHS[kind], DTYPES[kind]
    results = [one.result(kind, target) for target in targets]
    addresses, lanes = address_of(one, one.operands[1]), one.lanes
    memories = one.machine.memories
    count = len(targets)

    def run() -> None:
        active = lanes.active
        if not active.size:
            return
        for place, at, chosen in memories.each(one, space, addresses(active), active):
            who = active if len(chosen) == len(active) else active[chosen]
            for result, values in zip(results, place.load(one, at, who, width, count), strict=True):
                result[who] = values.view(dtype)

    return run


def _parameter(one: Instructed, kind: str, targets: tuple[Operand, ...]) -> Step:
    address = one.operands[1]
    if not (isinstance(address, Address) and isinstance(address.base, Symbol)):
        raise Unknown("a parameter's address that is computed")
    data = one.machine.parameters.get(address.base.name)
    if data is None:
        raise Unknown(f"no parameter {address.base.name}")
    width = WIDTHS[kind]
    pairs: list[tuple[Array, Any]] = []
    for k, target in enumerate(targets):
        begin = address.offset + k * width
        part = data[begin : begin + width]
        if len(part) != width:
            raise Unknown("bytes behind a parameter")
        pairs.append((one.result(kind, target), np.frombuffer(part, DTYPES[kind])[0]))
    mask = one.lanes.mask

    def run() -> None:
        for result, value in pairs:
            np.copyto(result, value, where=mask, casting="unsafe")

    return run


@opcode("st")
def store(one: Instructed) -> Step:
    kind = one.kind()
    space = take_space(one)
    one.drop(*_WITHOUT_EFFECT)
    sources = _parts(one, one.operands[1])
    dtype = UNSIGNED[WIDTHS[kind]]
    values = [one.read(source, f"b{8 * WIDTHS[kind]}") for source in sources]
    addresses, lanes = address_of(one, one.operands[0]), one.lanes
    memories = one.machine.memories

    def run() -> None:
        active = lanes.active
        if not active.size:
            return
        for place, at, chosen in memories.each(one, space, addresses(active), active):
            who = active if len(chosen) == len(active) else active[chosen]
            place.store(one, at, who, [value[who].astype(dtype, copy=False) for value in values])

    return run


# --- atomic accesses


def _increased(old: Any, limit: Any) -> Any:
    return old.dtype.type(0) if old >= limit else old + old.dtype.type(1)


def _decreased(old: Any, limit: Any) -> Any:
    return limit if old == 0 or old > limit else old - old.dtype.type(1)


_ATOMIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda old, value: old + value,
    "exch": lambda old, value: value,
    "and": lambda old, value: old & value,
    "or": lambda old, value: old | value,
    "xor": lambda old, value: old ^ value,
    "min": np.minimum,
    "max": np.maximum,
    "inc": _increased,
    "dec": _decreased,
}


@opcode("atom", "red")
def atomic(one: Instructed) -> Step:
    """The threads of a vector one by one, in their order."""
    kind = one.kind()
    space = take_space(one)
    one.drop(*_WITHOUT_EFFECT, "noftz")
    name = one.take(*_ATOMIC, "cas")
    if name is None or kind.endswith("x2"):
        raise Unknown("an atomic operation of this kind")
    returns = one.instruction.root == "atom"
    operands = one.operands[1:] if returns else one.operands
    result = one.result(kind) if returns else None
    values = [one.read(operand, kind) for operand in operands[1:]]
    addresses, lanes = address_of(one, operands[0]), one.lanes
    memories: Memories = one.machine.memories

    def run() -> None:
        active = lanes.active
        if not active.size:
            return
        for place, at, chosen in memories.each(one, space, addresses(active), active):
            who = active[chosen]
            olds = _each(place, one, at, who, kind, name, [value[who] for value in values])
            if result is not None:
                result[who] = olds

    return run


def _each(
    place: Space,
    one: Instructed,
    at: Array,
    lanes: Array,
    kind: str,
    name: str,
    values: list[Array],
) -> Array:
    width = WIDTHS[kind]
    cells = place.check(one, at, lanes, width, "read")
    if place.races is not None:
        count = max(width >> place.shift, 1)
        place.races.note(one, ATOMIC, cells, count, one.machine.threads[lanes])
    view = place.data.view(DTYPES[kind])
    olds = np.empty(len(lanes), DTYPES[kind])
    for k, index in enumerate((at // width).tolist()):
        old = olds[k] = view[index]
        if name == "cas":
            if old == values[0][k]:
                view[index] = values[1][k]
        else:
            view[index] = _ATOMIC[name](old, values[0][k])
    return olds


@opcode("membar", "fence")
def fence(one: Instructed) -> Step:
    """Orders nothing that is executed in order already, and threads only together with more."""
    one.drop("cta", "gl", "sys", "gpu", "cluster", "sc", "acq_rel", "acquire", "release")
    return lambda: None


@opcode("prefetch", "prefetchu")
def prefetch(one: Instructed) -> Step:
    one.drop(*SPACES, "L1", "L2", *_WITHOUT_EFFECT)
    return lambda: None
