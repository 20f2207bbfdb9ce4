"""Logic, shifts, fields of bits, bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.faults import Unknown
from tests.ptx.kinds import SIGNED, UNSIGNED, WIDTHS, is_signed
from tests.ptx.machine import Instructed, Step, opcode
from tests.ptx.parser import number
from tests.ptx.syntax import Immediate, Negated

Array = npt.NDArray[Any]
_LOGIC = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}


@opcode("and", "or", "xor")
def logic(one: Instructed) -> Step:
    kind = one.kind()
    function = _LOGIC[one.instruction.root]
    if any(isinstance(operand, Negated) for operand in one.operands):
        raise Unknown("a negated operand")
    return one.ufunc(function, one.result(kind), *one.inputs(kind))


@opcode("not")
def invert(one: Instructed) -> Step:
    kind = one.kind()
    return one.ufunc(np.invert, one.result(kind), *one.inputs(kind))


@opcode("cnot")
def is_zero(one: Instructed) -> Step:
    kind = one.kind()
    return one.values(lambda a: (a == 0).astype(a.dtype), one.result(kind), *one.inputs(kind))


@opcode("lop3")
def logic_of_three(one: Instructed) -> Step:
    kind = one.kind()
    table = one.operands[4]
    if not isinstance(table, Immediate):
        raise Unknown("a table that is computed")
    bits = int(number(table.text, "u32"))

    def compute(a: Array, b: Array, c: Array) -> Array:
        result = np.zeros_like(a)
        for row in range(8):
            if bits >> row & 1:
                chosen = a if row & 4 else ~a
                chosen = chosen & (b if row & 2 else ~b)
                result |= chosen & (c if row & 1 else ~c)
        return result

    inputs = [one.read(operand, kind) for operand in one.operands[1:4]]
    return one.values(compute, one.result(kind), *inputs)


@opcode("shl")
def shift_left(one: Instructed) -> Step:
    kind = one.kind()
    value, amount = one.read(one.operands[1], kind), one.read(one.operands[2], "u32")
    if isinstance(one.operands[2], Immediate) and amount[0] < 8 * WIDTHS[kind]:
        return one.ufunc(np.left_shift, one.result(kind), value, amount.astype(value.dtype))
    return one.values(shifted_left, one.result(kind), value, amount)


def shifted_left(value: Array, amount: Array) -> Array:
    """Zeros for amounts beyond the width."""
    width = 8 * value.dtype.itemsize
    kept = np.minimum(amount, width - 1).astype(value.dtype)
    return np.where(amount < width, value << kept, 0).astype(value.dtype)


@opcode("shr")
def shift_right(one: Instructed) -> Step:
    kind = one.kind()
    value, amount = one.read(one.operands[1], kind), one.read(one.operands[2], "u32")
    if isinstance(one.operands[2], Immediate) and amount[0] < 8 * WIDTHS[kind]:
        return one.ufunc(np.right_shift, one.result(kind), value, amount.astype(value.dtype))
    return one.values(shifted_right, one.result(kind), value, amount)


def shifted_right(value: Array, amount: Array) -> Array:
    """Zeros, or signs, for amounts beyond the width."""
    width = 8 * value.dtype.itemsize
    kept = np.minimum(amount, width - 1).astype(value.dtype)
    shifted = value >> kept
    if value.dtype.kind == "i":
        return shifted
    return np.where(amount < width, shifted, 0).astype(value.dtype)


@opcode("shf")
def funnel_shift(one: Instructed) -> Step:
    one.kind()
    left = one.take("l", "r") == "l"
    wrap = one.take("wrap", "clamp") == "wrap"
    low, high, amount = one.inputs("u32")

    def compute(low: Array, high: Array, amount: Array) -> Array:
        count = (amount & np.uint32(31) if wrap else np.minimum(amount, np.uint32(32))).astype(
            np.uint64
        )
        both = high.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64)
        if left:
            return (shifted_left(both, count) >> np.uint64(32)).astype(np.uint32)
        return (both >> count).astype(np.uint32)

    return one.values(compute, one.result("b32"), low, high, amount)


@opcode("bfe")
def extract_field(one: Instructed) -> Step:
    kind = one.kind()
    width = 8 * WIDTHS[kind]
    value = one.read(one.operands[1], kind)
    position, length = (one.read(operand, "u32") for operand in one.operands[2:])

    def compute(value: Array, position: Array, length: Array) -> Array:
        begin = np.minimum(position & np.uint32(255), np.uint32(width)).astype(np.int64)
        count = np.minimum(length & np.uint32(255), np.uint32(width)).astype(np.int64)
        count = np.minimum(count, width)
        if is_signed(kind):
            signed = value.astype(np.int64)
            end = np.minimum(begin + count, width)
            up = shifted_left(signed.view(np.uint64), (64 - end).astype(np.uint64)).view(np.int64)
            down = np.minimum(64 - end + begin, 63)
            field = up >> down
            beyond = np.where(signed < 0, -1, 0)
            return np.where(count == 0, 0, np.where(begin >= width, beyond, field)).astype(
                value.dtype
            )
        bits = shifted_right(value.astype(np.uint64), begin.astype(np.uint64))
        mask = shifted_left(np.ones_like(bits), count.astype(np.uint64)) - np.uint64(1)
        mask = np.where(count >= 64, ~np.uint64(0), mask)
        return (bits & mask).astype(value.dtype)

    return one.values(compute, one.result(kind), value, position, length)


@opcode("bfi")
def insert_field(one: Instructed) -> Step:
    kind = one.kind()
    width = 8 * WIDTHS[kind]
    field, value = (one.read(operand, kind) for operand in one.operands[1:3])
    position, length = (one.read(operand, "u32") for operand in one.operands[3:])

    def compute(field: Array, value: Array, position: Array, length: Array) -> Array:
        dtype = np.dtype(np.uint64)
        begin = np.minimum(position & np.uint32(255), width).astype(dtype)
        count = np.minimum(length & np.uint32(255), width).astype(dtype)
        mask = shifted_left(np.ones_like(begin), count) - np.uint64(1)
        mask = shifted_left(np.where(count >= 64, ~np.uint64(0), mask), begin)
        moved = shifted_left(field.astype(dtype), begin)
        return (value.astype(dtype) & ~mask | moved & mask).astype(value.dtype)

    return one.values(compute, one.result(kind), field, value, position, length)


@opcode("bfind")
def find_highest(one: Instructed) -> Step:
    kind = one.kind()
    amount = one.take("shiftamt")
    width = 8 * WIDTHS[kind]

    def compute(value: Array) -> Array:
        bits = value
        if is_signed(kind):
            bits = np.where(value < 0, ~value, value).astype(value.dtype)
        place = _highest(bits.view(UNSIGNED[width // 8]))
        found = width - 1 - place if amount else place
        return np.where(place < 0, -1, found).astype(np.int32).view(np.uint32)

    return one.values(compute, one.result("u32"), *one.inputs(kind))


def _highest(bits: Array) -> Array:
    """The place of the highest bit that is set, -1 where none is."""
    result = np.full(bits.shape, -1, np.int64)
    for place in range(8 * bits.dtype.itemsize):
        result = np.where(bits >> bits.dtype.type(place) & bits.dtype.type(1) != 0, place, result)
    return result


@opcode("clz")
def leading_zeros(one: Instructed) -> Step:
    kind = one.kind()
    width = 8 * WIDTHS[kind]
    return one.values(
        lambda bits: (width - 1 - _highest(bits)).astype(np.uint32),
        one.result("u32"),
        *one.inputs(kind),
    )


@opcode("popc")
def count_ones(one: Instructed) -> Step:
    kind = one.kind()
    return one.values(ones_in, one.result("u32"), *one.inputs(kind))


def ones_in(bits: Array) -> Array:
    """How many bits of each number are set."""
    each = np.ascontiguousarray(bits).view(np.uint8).reshape(len(bits), -1)
    return np.unpackbits(each, axis=1).sum(axis=1).astype(np.uint32)


@opcode("brev")
def reverse_bits(one: Instructed) -> Step:
    kind = one.kind()

    def compute(bits: Array) -> Array:
        each = np.ascontiguousarray(bits).view(np.uint8).reshape(len(bits), -1)
        turned = np.unpackbits(each[:, ::-1], axis=1)[:, ::-1]
        return np.packbits(turned, axis=1)[:, ::-1].copy().view(bits.dtype)[:, 0]

    return one.values(compute, one.result(kind), *one.inputs(kind))


_PERMUTATIONS = {
    "f4e": [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]],
    "b4e": [[0, 7, 6, 5], [1, 0, 7, 6], [2, 1, 0, 7], [3, 2, 1, 0]],
    "rc8": [[0] * 4, [1] * 4, [2] * 4, [3] * 4],
    "ecl": [[0, 1, 2, 3], [1, 1, 2, 3], [2, 2, 2, 3], [3, 3, 3, 3]],
    "ecr": [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 2, 2], [0, 1, 2, 3]],
    "rc16": [[0, 1, 0, 1], [2, 3, 2, 3], [0, 1, 0, 1], [2, 3, 2, 3]],
}


@opcode("prmt")
def permute_bytes(one: Instructed) -> Step:
    name = one.take(*_PERMUTATIONS)
    one.kind()

    def compute(a: Array, b: Array, selector: Array) -> Array:
        both = (b.astype(np.uint64) << np.uint64(32) | a).view(np.uint8).reshape(-1, 8)
        if name:
            places = np.array(_PERMUTATIONS[name])[selector & np.uint32(3)]
            return np.take_along_axis(both, places, axis=1).view(np.uint32)[:, 0]
        nibbles = np.stack([selector >> np.uint32(4 * k) & np.uint32(15) for k in range(4)], axis=1)
        chosen = np.take_along_axis(both, (nibbles & 7).astype(np.int64), axis=1)
        signs = np.where(chosen >= 128, 255, 0).astype(np.uint8)
        return np.where(nibbles >= 8, signs, chosen).astype(np.uint8).view(np.uint32)[:, 0]

    return one.values(compute, one.result("b32"), *one.inputs("b32"))


@opcode("szext")
def extend_field(one: Instructed) -> Step:
    kind = one.kind()
    clamp = one.take("clamp", "wrap") == "clamp"
    value, width = one.read(one.operands[1], kind), one.read(one.operands[2], "u32")

    def compute(value: Array, width: Array) -> Array:
        count = np.minimum(width, np.uint32(32)) if clamp else width & np.uint32(31)
        unused = (32 - count).astype(np.int64)
        wide = value.astype(np.int64).view(np.uint64) & np.uint64(0xFFFFFFFF)
        moved = shifted_left(wide, (unused + 32).astype(np.uint64))
        if is_signed(kind):
            return (moved.view(SIGNED[8]) >> np.minimum(unused + 32, 63)).astype(value.dtype)
        return shifted_right(moved, (unused + 32).astype(np.uint64)).astype(value.dtype)

    return one.values(compute, one.result(kind), value, width)
