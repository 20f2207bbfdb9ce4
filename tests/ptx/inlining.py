"""A kernel with the functions that it calls written out, and parameters of calls as registers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.ptx.faults import Unknown
from tests.ptx.syntax import (
    Address,
    Call,
    Function,
    Instruction,
    Label,
    Module,
    Negated,
    Operand,
    Pair,
    Register,
    Symbol,
    Variable,
    Vector,
)

_BITS = {1: "b8", 2: "b16", 4: "b32", 8: "b64"}


@dataclass
class Flat:
    """The statements of a kernel, without calls."""

    body: list[Instruction | Label] = field(default_factory=list)
    registers: dict[str, str] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)


def flatten(module: Module) -> Flat:
    """The entry of a module with all calls written out."""
    flat = Flat()
    _write(module, module.entry, flat, "", {}, None, itertools.count(1))
    return flat


def _write(
    module: Module,
    function: Function,
    flat: Flat,
    prefix: str,
    parameters: dict[str, str],
    after: str | None,
    numbers: itertools.count[int],
) -> None:
    """Append a function's statements; `parameters` says by which registers its own are known."""
    own = {one.name for one in function.variables if one.space == "param"}
    known = {one.name for one in (*function.parameters, *function.results)}
    passed = own | (set() if function.entry else known)
    for name, kind in function.registers.items():
        flat.registers[prefix + name] = kind
    for one in function.variables:
        if one.space != "param":
            local = one.space == "local"
            flat.variables.append(replace(one, name=prefix + one.name if local else one.name))
    locals_of = {one.name for one in function.variables if one.space == "local"}

    def renamed(operand: Operand) -> Operand:
        return _renamed(operand, lambda name: prefix + name if name in locals_of else name, prefix)

    for statement in function.body:
        if isinstance(statement, Label):
            flat.body.append(Label(prefix + statement.name))
        elif isinstance(statement, Call):
            called = module.functions.get(statement.function)
            if called is None:
                raise Unknown(f"PTX line {statement.line}: no function {statement.function}")
            given = dict(
                zip(
                    [one.name for one in (*called.results, *called.parameters)],
                    [
                        parameters.get(name, prefix + name)
                        for name in (*statement.results, *statement.arguments)
                    ],
                    strict=True,
                )
            )
            number = next(numbers)
            back = f"after call {number}"
            _write(module, called, flat, f"{number}:", given, back, numbers)
            flat.body.append(Label(back))
        elif after is not None and statement.root == "ret":
            operands = (Symbol(after),)
            flat.body.append(
                replace(
                    statement,
                    opcode="bra",
                    operands=operands,
                    predicate=_guard(statement, prefix),
                )
            )
        elif statement.root == "bra":
            (target,) = statement.operands
            assert isinstance(target, Symbol)
            flat.body.append(
                replace(
                    statement,
                    operands=(Symbol(prefix + target.name),),
                    predicate=_guard(statement, prefix),
                )
            )
        else:
            if prefix:
                statement = replace(
                    statement,
                    operands=tuple(renamed(operand) for operand in statement.operands),
                    predicate=_guard(statement, prefix),
                )
            flat.body += _moves(statement, passed, parameters, prefix, flat)


def _guard(statement: Instruction, prefix: str) -> Register | None:
    return Register(prefix + statement.predicate.name) if statement.predicate else None


def _renamed(operand: Operand, symbol: Callable[[str], str], prefix: str) -> Operand:
    if isinstance(operand, Register):
        return Register(prefix + operand.name)
    if isinstance(operand, Symbol):
        return Symbol(symbol(operand.name), operand.offset)
    if isinstance(operand, Address):
        base = _renamed(operand.base, symbol, prefix)
        assert not isinstance(base, Address | Vector | Negated | Pair)
        return Address(base, operand.offset)
    if isinstance(operand, Vector):
        return Vector(tuple(_renamed(part, symbol, prefix) for part in operand.parts))
    if isinstance(operand, Negated):
        return Negated(Register(prefix + operand.register.name))
    if isinstance(operand, Pair):
        parts = (operand.first, operand.second)
        return Pair(*(_renamed(part, symbol, prefix) for part in parts))
    return operand


def _moves(
    statement: Instruction,
    passed: set[str],
    parameters: dict[str, str],
    prefix: str,
    flat: Flat,
) -> list[Instruction]:
    """`ld.param` and `st.param` of what calls pass as moves of registers; others as they are."""
    if statement.root not in ("ld", "st") or statement.modifiers[0] != "param":
        return [statement]
    words = statement.opcode.split(".")
    address, values = statement.operands[:: -1 if words[0] == "ld" else 1]
    assert isinstance(address, Address)
    if not isinstance(address.base, Symbol) or address.base.name not in passed:
        return [statement]
    name = parameters.get(address.base.name, prefix + address.base.name)
    width = int(words[-1].lstrip("bsuf")) // 8
    kind = _BITS[width]
    moves: list[Instruction] = []
    parts = values.parts if isinstance(values, Vector) else (values,)
    for k, value in enumerate(parts):
        cell = f"{name}+{address.offset + k * width}"
        flat.registers.setdefault(cell, kind)
        if flat.registers[cell] != kind:
            raise Unknown(f"PTX line {statement.line}: a parameter of two sizes")
        pair = (value, Register(cell)) if words[0] == "ld" else (Register(cell), value)
        # Integers may be loaded into wider registers.
        opcode = f"cvt.{words[-1]}.{words[-1]}" if words[-1][0] in "us" else f"mov.{words[-1]}"
        moves.append(replace(statement, opcode=opcode, operands=pair))
    return moves
