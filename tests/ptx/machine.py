"""Some warps of a kernel as one vector: registers, who is active, and instructions made ready.

A register is a row of eight bytes for each thread, of which its type uses the first; an
instruction becomes a function without arguments that works on views of such rows. Each is made in
two forms: one for all threads of the vector, and one that leaves out those that have parted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tests.ptx.faults import Fault, Unknown
from tests.ptx.kinds import DTYPES, SIGNED, UNSIGNED, WIDTHS, is_float, is_signed
from tests.ptx.parser import number
from tests.ptx.program import Block, Program
from tests.ptx.syntax import Immediate, Instruction, Negated, Operand, Register, Symbol

if TYPE_CHECKING:
    from tests.ptx.memory import Memories

WARP = 32

Array: TypeAlias = npt.NDArray[Any]
Step: TypeAlias = Callable[[], None]
Opcode: TypeAlias = Callable[["Instructed"], Step]

OPCODES: dict[str, Opcode] = {}
"""What makes an instruction ready, by the first word of its opcode."""


def opcode(*roots: str) -> Callable[[Opcode], Opcode]:
    """Decorator: the function makes instructions ready whose opcodes begin so."""

    def register(function: Opcode) -> Opcode:
        for root in roots:
            assert root not in OPCODES, root
            OPCODES[root] = function
        return function

    return register


class Lanes:
    """Which threads of the vector execute an instruction."""

    def __init__(self, size: int) -> None:
        self.mask: npt.NDArray[np.bool_] = np.ones(size, bool)
        self._active: npt.NDArray[np.intp] | None = None

    def choose(self, mask: npt.NDArray[np.bool_]) -> None:
        """Let those go on that the mask names."""
        self.mask[:] = mask
        self._active = None

    def again(self) -> None:
        """The mask was written."""
        self._active = None

    @property
    def active(self) -> npt.NDArray[np.intp]:
        """Their places."""
        if self._active is None:
            self._active = np.flatnonzero(self.mask)
        return self._active


@dataclass
class Copy:
    """An asynchronous copy to shared memory that nobody has waited for.

    Args:
        one: the instruction.
        lanes: the threads that wait for it.
        at: the first of the bytes that each writes.
        values: what is written there, a row of bytes for each.
        groups: the number of each thread's group; -1 before it is committed.
    """

    one: Instructed
    lanes: Array
    at: Array
    values: Array
    groups: Array


class Machine:
    """A program on a vector of threads.

    Args:
        program: the kernel.
        size: how many threads, a multiple of 32.
        parameters: the bytes of each parameter, by name.
        memories: what loads and stores reach.
        name: of the kernel, for messages.
    """

    def __init__(
        self,
        program: Program,
        size: int,
        parameters: dict[str, bytes],
        memories: Memories,
        name: str,
    ) -> None:
        self.program, self.size, self.name = program, size, name
        self.parameters, self.memories = parameters, memories
        self.rows = np.zeros((len(program.registers) + 1, size), np.uint64)
        self.places = {register: k for k, register in enumerate(program.registers)}
        self.special: dict[str, Array] = {}
        self.lanes = Lanes(size)
        self.exists = np.ones(size, bool)
        """Threads that the launch has: its block may not fill its last warp."""
        self.live = np.ones(size, bool)
        """Threads that have not ended."""
        self.block = np.zeros(size, np.int64)
        """The place of each thread's block among those of the vector."""
        self.threads = np.zeros(size, np.int64)
        """The number of each thread in the grid, with full warps."""
        self.carry = np.zeros(size, bool)
        self.copies: list[Copy] = []
        self.commits = np.zeros(size, np.int64)
        """How many groups of copies each thread has committed."""
        self._constants: dict[tuple[str, str], Array] = {}
        self._steps: dict[tuple[int, bool], list[Step]] = {}

    # --- executing

    def run(self, block: Block, everybody: bool) -> None:
        """Execute a block's instructions with the active threads."""
        for step in self.steps(block, everybody):
            step()

    def steps(self, block: Block, everybody: bool) -> list[Step]:
        """A block's instructions, ready; for all threads of the vector or for the active ones."""
        key = block.rank, everybody
        if key not in self._steps:
            found: list[Step] = []
            for instruction in block.instructions:
                found += self._ready(instruction, everybody)
            self._steps[key] = found
        return self._steps[key]

    def _ready(self, instruction: Instruction, everybody: bool) -> list[Step]:
        make = OPCODES.get(instruction.root)
        if make is None:
            raise Unknown(_unknown(instruction))
        if instruction.predicate is None:
            return [Instructed(self, instruction, self.lanes, everybody).made(make)]
        lanes = Lanes(self.size)
        predicate = self.view(instruction.predicate, "pred")
        choose = functools.partial(_choose, lanes, self.lanes.mask, predicate, instruction.unless)
        return [choose, Instructed(self, instruction, lanes, False).made(make)]

    def fault(self, kind: str, message: str, instruction: Instruction, lane: int) -> Fault:
        """An error of a thread."""
        return Fault(kind, message, f"{self.whereabouts(lane)}, {described(instruction)}")

    def whereabouts(self, lane: int) -> str:
        """Kernel, block and thread of a place in the vector."""
        block = tuple(int(self.special[f"%ctaid.{axis}"][lane]) for axis in "xyz")
        thread = tuple(int(self.special[f"%tid.{axis}"][lane]) for axis in "xyz")
        return f"  in {self.name}, block {block}, thread {thread}"

    # --- operands

    def view(self, register: Register, kind: str) -> Array:
        """The values of a register as a type."""
        own = self.program.registers[register.name]
        row = self.rows[self.places[register.name]]
        if own == "pred" or kind == "pred":
            if own != kind:
                raise Unknown(f"register {register.name} of type {own} as {kind}")
            return row.view(np.bool_)[: self.size]
        width, wanted = WIDTHS[own], WIDTHS[kind]
        values = row.view(UNSIGNED[width])[: self.size]
        if width == wanted:
            return values.view(DTYPES[kind])
        if width < wanted:
            raise Unknown(f"register {register.name} of type {own} as {kind}")
        return values.view(DTYPES[kind])[:: width // wanted]

    def constant(self, text: str, kind: str) -> Array:
        """A number for each thread."""
        key = text, kind
        if key not in self._constants:
            self._constants[key] = np.full(self.size, _bits(text, kind))
        return self._constants[key]

    def symbol(self, operand: Symbol, kind: str) -> Array:
        """A special register, or the address of a variable."""
        if operand.name in self.special:
            return self.special[operand.name]
        address = self.memories.addresses.get(operand.name)
        if address is None:
            raise Unknown(f"no variable or special register {operand.name}")
        return self.constant(str(address + operand.offset), kind)


def described(instruction: Instruction) -> str:
    """Where an instruction stands, and how it is written."""
    source = f" ({instruction.source})" if instruction.source else ""
    text = " ".join(
        word if len(word) < 60 else word[:20] + "..." for word in instruction.text.split()
    )
    return f"PTX line {instruction.line}{source}: {text}"


def _unknown(instruction: Instruction) -> str:
    return f"unknown opcode {instruction.opcode}, {described(instruction)}"


def _choose(lanes: Lanes, mask: Array, predicate: Array, unless: bool) -> None:
    if unless:
        np.greater(mask, predicate, out=lanes.mask)
    else:
        np.logical_and(mask, predicate, out=lanes.mask)
    lanes.again()


def _bits(text: str, kind: str) -> Any:
    """The NumPy scalar of a number as PTX writes it."""
    dtype = DTYPES[kind]
    if kind == "pred":
        return np.bool_(int(text, 0) != 0)
    if text[:2].lower() in ("0f", "0d") and not is_float(kind):
        return np.array(int(text[2:], 16), UNSIGNED[WIDTHS[kind]]).view(dtype)[()]
    value = number(text, kind)
    if is_float(kind):
        if isinstance(value, int) and kind in ("f16", "bf16"):  # written as bits
            return np.array(value, np.uint16).view(dtype)[()]
        return np.array(value, np.float64).astype(dtype)[()]
    assert isinstance(value, int)
    width = 8 * WIDTHS[kind]
    return np.array(value & ((1 << width) - 1), UNSIGNED[WIDTHS[kind]]).view(dtype)[()]


class Instructed:
    """An instruction that is made ready for a vector.

    Args:
        machine: the vector.
        instruction: what it executes.
        lanes: which threads do.
        everybody: whether results of the others do not count.
    """

    def __init__(
        self, machine: Machine, instruction: Instruction, lanes: Lanes, everybody: bool
    ) -> None:
        self.machine, self.instruction, self.lanes = machine, instruction, lanes
        self.everybody = everybody
        self.operands = instruction.operands
        self.modifiers = instruction.modifiers

    def made(self, make: Opcode) -> Step:
        """The function that executes it.

        Raises:
            Unknown: with the opcode and its line.
        """
        try:
            step = make(self)
        except Unknown as error:
            raise Unknown(f"{error}; {_unknown(self.instruction)}") from None
        if self.modifiers:
            raise Unknown(f"unknown {', '.join(self.modifiers)}; {_unknown(self.instruction)}")
        return step

    # --- the opcode

    def take(self, *names: str) -> str | None:
        """The first of these words that the opcode has, which is done with then."""
        for name in names:
            if name in self.modifiers:
                self.modifiers.remove(name)
                return name
        return None

    def drop(self, *names: str) -> None:
        """These words change nothing here."""
        self.modifiers = [word for word in self.modifiers if word not in names]

    def kind(self) -> str:
        """The type, which is the last word."""
        if not self.modifiers or self.modifiers[-1] not in DTYPES:
            raise Unknown("no type")
        return self.modifiers.pop()

    # --- values

    def read(self, operand: Operand, kind: str) -> Array:
        """What an operand has for each thread; registers as views."""
        if isinstance(operand, Register):
            return self.machine.view(operand, kind)
        if isinstance(operand, Immediate):
            return self.machine.constant(operand.text, kind)
        if isinstance(operand, Symbol):
            return self.machine.symbol(operand, kind)
        raise Unknown(f"operand {operand}")

    def predicate(self, operand: Operand) -> Callable[[], Array]:
        """A function that gives a predicate, which may be negated."""
        if isinstance(operand, Negated):
            values = self.read(operand.register, "pred")
            return lambda: ~values
        values = self.read(operand, "pred")
        return lambda: values

    def inputs(self, kind: str, first: int = 1) -> list[Array]:
        """The operands from one on."""
        return [self.read(operand, kind) for operand in self.operands[first:]]

    def result(self, kind: str, operand: Operand | None = None) -> Array:
        """Where results go: a view that may be of a wider type."""
        operand = self.operands[0] if operand is None else operand
        if isinstance(operand, Symbol) and operand.name == "_":
            return np.empty(self.machine.size, DTYPES[kind])
        if not isinstance(operand, Register):
            raise Unknown(f"a result in {operand}")
        own = self.machine.program.registers[operand.name]
        if kind != "pred" and own != "pred" and WIDTHS[own] > WIDTHS[kind]:
            if is_float(kind):
                raise Unknown(f"a result of type {kind} in {operand.name} of type {own}")
            row = self.machine.rows[self.machine.places[operand.name]]
            kinds = SIGNED if is_signed(kind) else UNSIGNED
            return row.view(kinds[WIDTHS[own]])[: self.machine.size]
        return self.machine.view(operand, kind)

    # --- functions

    def ufunc(self, function: np.ufunc, result: Array, *inputs: Array) -> Step:
        """A function of NumPy that writes where results go."""
        if self.everybody:
            return functools.partial(function, *inputs, out=result)
        if function.nin > 2:  # Numba's, which take no `where`
            return self.values(function, result, *inputs)
        return functools.partial(function, *inputs, out=result, where=self.lanes.mask)

    def copy(self, result: Array, values: Array) -> Step:
        """A move."""
        if self.everybody:
            return functools.partial(np.copyto, result, values)
        return functools.partial(np.copyto, result, values, where=self.lanes.mask)

    def values(self, function: Callable[..., Array], result: Array, *inputs: Array) -> Step:
        """A function of arrays that makes new ones."""
        if self.everybody:
            return functools.partial(_assign, function, result, inputs)
        return functools.partial(_assign_where, function, result, inputs, self.lanes.mask)

    def fault(self, kind: str, message: str, lane: int) -> Fault:
        """An error of a thread in this instruction."""
        return self.machine.fault(kind, message, self.instruction, lane)


def _assign(function: Callable[..., Array], result: Array, inputs: tuple[Array, ...]) -> None:
    result[:] = function(*inputs)


def _assign_where(
    function: Callable[..., Array], result: Array, inputs: tuple[Array, ...], mask: Array
) -> None:
    np.copyto(result, function(*inputs), where=mask, casting="unsafe")
