"""Tensor cores: loading pieces of matrices, and their products.

Fragments lie on the threads of a warp as the PTX manual says: with `group = lane // 4` and
`place = lane % 4`, a thread has rows `group` and `group + 8` of the left and the sum, column
`group` of the right, and of each row, or column, the elements that begin at `place` words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.accesses import address_of, take_space
from tests.ptx.faults import Unknown
from tests.ptx.kinds import BFLOAT16
from tests.ptx.machine import WARP, Instructed, Step, opcode
from tests.ptx.syntax import Operand, Vector
from tests.ptx.warps import whole

Array = npt.NDArray[Any]
_LANE = np.arange(WARP)
_GROUP, _PLACE = _LANE // 4, _LANE % 4
_ROW_BYTES = 16


def _registers(one: Instructed, operand: Operand) -> list[Array]:
    if not isinstance(operand, Vector):
        raise Unknown("a matrix that is no vector")
    return [one.read(part, "b32") for part in operand.parts]


@opcode("ldmatrix")
def load_matrices(one: Instructed) -> Step:
    """Thread `8 k + r` names row `r` of the k-th matrix of 8 times 8 halves."""
    count, transposed = _shape(one)
    target = one.operands[0]
    parts = target.parts if isinstance(target, Vector) else (target,)
    results = [one.result("b32", part) for part in parts]
    if len(results) != count:
        raise Unknown("a vector of another size")
    addresses, machine = address_of(one, one.operands[1]), one.machine

    def run() -> None:
        rows = whole(one)
        if not rows.size:
            return
        named = rows[:, : 8 * count].ravel()
        ((space, at, _),) = machine.memories.each(one, "shared", addresses(named), named)
        pieces = space.load(one, at, named, 8, 2)
        halves = np.stack(pieces, axis=1).view(np.uint16).reshape(len(rows), count, 8, 8)
        if transposed:
            halves = halves.swapaxes(2, 3)
        words = np.ascontiguousarray(halves).view(np.uint32).reshape(len(rows), count, WARP)
        for k, result in enumerate(results):
            result[rows] = words[:, k]

    return run


@opcode("stmatrix")
def store_matrices(one: Instructed) -> Step:
    count, transposed = _shape(one)
    source = one.operands[1]
    parts = source.parts if isinstance(source, Vector) else (source,)
    values = [one.read(part, "b32") for part in parts]
    if len(values) != count:
        raise Unknown("a vector of another size")
    addresses, machine = address_of(one, one.operands[0]), one.machine

    def run() -> None:
        rows = whole(one)
        if not rows.size:
            return
        words = np.stack([value[rows] for value in values], axis=1)
        halves = np.ascontiguousarray(words).view(np.uint16).reshape(len(rows), count, 8, 8)
        if transposed:
            halves = halves.swapaxes(2, 3)
        pieces = np.ascontiguousarray(halves).view(np.uint64).reshape(-1, 2)
        named = rows[:, : 8 * count].ravel()
        ((space, at, _),) = machine.memories.each(one, "shared", addresses(named), named)
        space.store(one, at, named, [pieces[:, 0], pieces[:, 1]])

    return run


def _shape(one: Instructed) -> tuple[int, bool]:
    if one.kind() != "b16" or one.take("m8n8") is None:
        raise Unknown("matrices of this kind")
    one.drop("sync", "aligned")
    if take_space(one) not in ("shared", None):
        raise Unknown("matrices in this space")
    count = one.take("x1", "x2", "x4")
    if count is None:
        raise Unknown("no number of matrices")
    return int(count[1]), bool(one.take("trans"))


@dataclass(frozen=True)
class Fragments:
    """How the left and the right matrix lie on registers.

    Args:
        inner: how many columns the left one has.
        pack: elements in a register.
    """

    inner: int
    pack: int

    def left(self) -> tuple[Array, Array]:
        """Rows and columns `(32, registers * pack)` of what a thread has of the left."""
        per_row = self.inner // (4 * self.pack)
        rows, columns = [], []
        for half in range(per_row):
            for row in (0, 8):
                for k in range(self.pack):
                    rows.append(_GROUP + row)
                    columns.append(_PLACE * self.pack + k + half * 4 * self.pack)
        return np.stack(rows, axis=1), np.stack(columns, axis=1)

    def right(self) -> tuple[Array, Array]:
        """The same of the right matrix."""
        rows, columns = [], []
        for half in range(self.inner // (4 * self.pack)):
            for k in range(self.pack):
                rows.append(_PLACE * self.pack + k + half * 4 * self.pack)
                columns.append(_GROUP)
        return np.stack(rows, axis=1), np.stack(columns, axis=1)


_SUM_ROWS = np.stack([_GROUP, _GROUP, _GROUP + 8, _GROUP + 8], axis=1)
_SUM_COLUMNS = np.stack([_PLACE * 2, _PLACE * 2 + 1, _PLACE * 2, _PLACE * 2 + 1], axis=1)
_PACKS = {"tf32": 1, "bf16": 2, "f16": 2, "s8": 4, "u8": 4}


def _numbers(words: Array, kind: str) -> Array:
    """Registers `(warps, 32, n)` as numbers; tf32 is the upper 19 bits of float32."""
    if kind == "tf32":
        return (words & np.uint32(0xFFFFE000)).view(np.float32)
    words = np.ascontiguousarray(words)
    if kind == "bf16":
        return words.view(BFLOAT16).astype(np.float32)
    if kind == "f16":
        return words.view(np.float16).astype(np.float32)
    return words.view(np.int8 if kind == "s8" else np.uint8).astype(np.int32)


@opcode("mma")
def multiply(one: Instructed) -> Step:
    """Sums of float32: the inner product as NumPy rounds it, then the addend."""
    last, right_kind, left_kind, first = one.kind(), one.kind(), one.kind(), one.kind()
    one.drop("sync", "aligned")
    shape = one.modifiers.pop(0)
    if one.take("row") is None or one.take("col") is None or not shape.startswith("m16n8k"):
        raise Unknown("matrices of this layout")
    wanted = "s32" if left_kind in ("s8", "u8") else "f32"
    if left_kind not in _PACKS or _PACKS[left_kind] != _PACKS.get(right_kind) or first != last:
        raise Unknown("matrices of these types")
    if first != wanted:
        raise Unknown(f"sums of type {first}")
    fragments = Fragments(int(shape[6:]), _PACKS[left_kind])
    at_left, at_right = fragments.left(), fragments.right()
    target = one.operands[0]
    if not isinstance(target, Vector):
        raise Unknown("a matrix that is no vector")
    results = [one.result(first, part) for part in target.parts]
    left, right = (_registers(one, operand) for operand in one.operands[1:3])
    addend = one.operands[3]
    if not isinstance(addend, Vector):
        raise Unknown("a matrix that is no vector")
    sums = [one.read(part, first) for part in addend.parts]
    if (len(left) * fragments.pack, len(right) * fragments.pack) != (
        at_left[0].shape[1],
        at_right[0].shape[1],
    ):
        raise Unknown("matrices of another size")
    dtype = np.dtype(np.int32 if first == "s32" else np.float32)

    def run() -> None:
        rows = whole(one)
        if not rows.size:
            return
        a = np.empty((len(rows), 16, fragments.inner), dtype)
        b = np.empty((len(rows), fragments.inner, 8), dtype)
        a[:, at_left[0], at_left[1]] = _numbers(
            np.stack([x[rows] for x in left], axis=2), left_kind
        )
        b[:, at_right[0], at_right[1]] = _numbers(
            np.stack([x[rows] for x in right], axis=2), right_kind
        )
        product = (a @ b)[:, _SUM_ROWS, _SUM_COLUMNS]
        for k, (result, value) in enumerate(zip(results, sums, strict=True)):
            result[rows] = product[:, :, k] + value[rows]

    return run
