"""What PTX consists of: operands, instructions, labels, variables, functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias


@dataclass(frozen=True)
class Register:
    """A register by its name, which is unique in a function."""

    name: str


@dataclass(frozen=True)
class Immediate:
    """A number as it is written."""

    text: str


@dataclass(frozen=True)
class Symbol:
    """The address of a variable, or a special register such as `%tid.x`."""

    name: str
    offset: int = 0


@dataclass(frozen=True)
class Address:
    """`[base + offset]`."""

    base: Register | Symbol | Immediate
    offset: int


@dataclass(frozen=True)
class Vector:
    """`{a, b}`."""

    parts: tuple[Operand, ...]


@dataclass(frozen=True)
class Negated:
    """`!p`."""

    register: Register


@dataclass(frozen=True)
class Pair:
    """`p|q`, two results."""

    first: Operand
    second: Operand


Operand: TypeAlias = Register | Immediate | Symbol | Address | Vector | Negated | Pair


@dataclass(frozen=True)
class Instruction:
    """One instruction, and where it stands.

    Args:
        opcode: as written, such as `add.s32`.
        operands: results first.
        predicate: the register that says whether it is executed.
        unless: whether the predicate is negated.
        line: of the PTX.
        text: as written.
        source: file and line of the Python, as far as `.loc` tells.
    """

    opcode: str
    operands: tuple[Operand, ...]
    predicate: Register | None
    unless: bool
    line: int
    text: str
    source: str = ""

    @cached_property
    def root(self) -> str:
        """The first word of the opcode."""
        return self.opcode.split(".", 1)[0]

    @property
    def modifiers(self) -> list[str]:
        """The other words of the opcode."""
        return self.opcode.split(".")[1:]


@dataclass(frozen=True)
class Label:
    """A place that branches name."""

    name: str


@dataclass(frozen=True)
class Call:
    """A call of a function: names of result, function and arguments."""

    results: tuple[str, ...]
    function: str
    arguments: tuple[str, ...]
    line: int


Statement: TypeAlias = Instruction | Label | Call


@dataclass(frozen=True)
class Variable:
    """A variable in memory.

    Args:
        name: unique in its function, or in the module.
        space: `global`, `const`, `shared`, `local` or `param`.
        type: of its elements.
        size: bytes; 0 for the array that the launch gives its size.
        align: bytes.
        values: what it begins with.
    """

    name: str
    space: str
    type: str
    size: int
    align: int
    values: tuple[int | float, ...] | None = None


@dataclass
class Function:
    """An `.entry` or `.func`."""

    name: str
    entry: bool
    parameters: list[Variable]
    results: list[Variable]
    body: list[Statement] = field(default_factory=list)
    registers: dict[str, str] = field(default_factory=dict)
    """Types by name."""
    variables: list[Variable] = field(default_factory=list)
    most_threads: int | None = None
    """What `.maxntid` says."""


@dataclass
class Module:
    """A PTX file."""

    functions: dict[str, Function]
    variables: list[Variable]

    @property
    def entry(self) -> Function:
        """The kernel."""
        (entry,) = [one for one in self.functions.values() if one.entry]
        return entry
