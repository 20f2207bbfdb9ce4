"""PTX text as objects."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator

from tests.ptx.faults import Unknown
from tests.ptx.kinds import WIDTHS
from tests.ptx.syntax import (
    Address,
    Call,
    Function,
    Immediate,
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

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_WORD = re.compile(r"\s*([\w$%.]+)(:?)")
_ONE_LINE = (".version", ".target", ".address_size", ".file", ".loc")
_NUMBER = re.compile(r"-?(0[xX][0-9a-fA-F]+|0[fFdD][0-9a-fA-F]+|\d[\d.eE+-]*U?)$")
_INSTRUCTION = re.compile(r"(?:@(!?)([\w$%]+)\s+)?([a-z][\w.:]*)\s*(.*)$", re.S)
_VARIABLE = re.compile(r"([\w$%]+)((?:\[\d*\])*)(?:\s*=\s*(.*))?$", re.S)
_FAMILY = re.compile(r"([\w$%.]+?)<(\d+)>$")


def parse(text: str) -> Module:
    """The functions and variables of a PTX file.

    Raises:
        Unknown: a directive that the interpreter lacks.
    """
    text = _COMMENT.sub(lambda found: "\n" * found.group().count("\n"), text)
    module = Module({}, [])
    reader: _Body | None = None
    source = _Source(text)
    for line, statement in _statements(text):
        first = statement.split(None, 1)[0] if statement else ""
        if first == ".loc":
            source.read(statement)
        elif first in (*_ONE_LINE, ".pragma"):
            continue
        elif reader is not None:
            if not reader.read(line, statement, str(source)):
                reader = None
        elif re.search(r"\.(entry|func)\b", statement):
            function = _header(statement)
            if statement.endswith("{"):
                module.functions[function.name] = function
                reader = _Body(function)
        else:
            module.variables += _variables(statement, line)
    return module


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with its line; scopes are statements, a function's header ends with `{`."""
    at, line = 0, 1
    while at < len(text):
        start = at
        while at < len(text) and text[at].isspace():
            at += 1
        line += text.count("\n", start, at)
        if at == len(text):
            return
        begin = at
        word = _WORD.match(text, at)
        if text[at] in "{}":
            at += 1
        elif word and word.group(2):
            at = word.end()
        elif word and word.group(1) in _ONE_LINE:
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        else:
            at = _end(text, at)
        yield line, text[begin:at].strip().removesuffix(";").strip()
        line += text.count("\n", begin, at)


def _end(text: str, at: int) -> int:
    """Where the statement ends that begins there."""
    stop = text.find(";", at)
    brace = text.find("{", at, None if stop < 0 else stop)
    if brace >= 0 and re.search(r"\.(entry|func)\b", text[at:brace]):
        return brace + 1
    if stop < 0:
        raise Unknown(f"PTX that does not end: {text[at : at + 80]!r}")
    return stop + 1


class _Source:
    """The Python line that `.loc` names."""

    def __init__(self, text: str) -> None:
        files = re.findall(r'^\s*\.file\s+(\d+)\s+"([^"]*)"', text, re.M)
        self.files = {number: path.rpartition("/")[2] for number, path in files}
        self.here = ""

    def read(self, statement: str) -> None:
        words = statement.replace(",", " ").split()
        self.here = f"{self.files.get(words[1], words[1])}:{words[2]}"

    def __str__(self) -> str:
        return self.here


def _header(statement: str) -> Function:
    found = re.search(
        r"\.(entry|func)\s*(?:\(([^)]*)\))?\s*([\w$%]+)\s*(?:\(([^)]*)\))?(.*)$", statement, re.S
    )
    assert found, statement
    kind, results, name, parameters, rest = found.groups()
    most = re.search(r"\.(?:maxntid|reqntid)\s+(\d+)(?:\s*,\s*(\d+))?(?:\s*,\s*(\d+))?", rest)
    threads = None
    if most:
        threads = int(most[1]) * int(most[2] or 1) * int(most[3] or 1)
    function = Function(
        name, kind == "entry", _parameters(parameters), _parameters(results), most_threads=threads
    )
    return function


def _parameters(text: str | None) -> list[Variable]:
    parts = [part.strip() for part in (text or "").split(",")]
    return [_variable(part) for part in parts if part]


def _variables(statement: str, line: int) -> list[Variable]:
    if not re.match(r"\.(common|visible|extern|weak|global|const|shared|local|param)\b", statement):
        raise Unknown(f"PTX line {line}: {statement[:200]}")
    return [_variable(statement)]


def _variable(text: str) -> Variable:
    """`.global .align 4 .b8 name[16] = {...}` and its like."""
    align, space, kind = 0, "param", ""
    rest = text
    while rest.startswith("."):
        word, _, rest = rest.partition(" ")
        rest = rest.strip()
        name = word[1:].strip()
        if name == "align":
            number, _, rest = rest.partition(" ")
            align, rest = int(number), rest.strip()
        elif name in ("global", "const", "shared", "local", "param"):
            space = name
        elif name in WIDTHS:
            kind = name
        elif name == "ptr":
            pass
    found = _VARIABLE.match(rest)
    if not found or not kind:
        raise Unknown(f"a variable written {text[:200]!r}")
    name, dimensions, values = found.groups()
    width = WIDTHS[kind]
    size = width
    for dimension in re.findall(r"\[(\d*)\]", dimensions):
        size *= int(dimension or 0)
    return Variable(name, space, kind, size, align or width, _values(values, kind))


def _values(text: str | None, kind: str) -> tuple[int | float, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.strip("{} \n\t").split(",")]
    return tuple(number(part, kind) for part in parts if part)


def number(text: str, kind: str) -> int | float:
    """The value of a number as PTX writes it, for a type."""
    text = text.strip().removesuffix("U")
    if text[:2] in ("0f", "0F"):
        return struct.unpack(">f", bytes.fromhex(text[2:]))[0]
    if text[:2] in ("0d", "0D"):
        return struct.unpack(">d", bytes.fromhex(text[2:]))[0]
    if kind.startswith(("f", "bf")) and not text.startswith("0x"):
        return float(text)
    try:
        return int(text, 0)
    except ValueError:
        raise Unknown(f"a number written {text!r}") from None


class _Body:
    """Reads the statements of a function."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.scopes: list[dict[str, str]] = [{}]
        self.families: list[tuple[str, str]] = []
        self.numbers = itertools.count(1)
        self.parameters = {one.name for one in (*function.parameters, *function.results)}

    def read(self, line: int, statement: str, source: str) -> bool:
        """Take a statement; False when the function has ended."""
        if statement == "{":
            self.scopes.append({})
        elif statement == "}":
            self.scopes.pop()
            return bool(self.scopes)
        elif statement.endswith(":"):
            self.function.body.append(Label(statement[:-1]))
        elif statement.startswith(".reg"):
            self._declare(statement)
        elif statement.startswith("."):
            self._variable(statement, line)
        elif statement:
            self._instruction(line, statement, source)
        return True

    def _declare(self, statement: str) -> None:
        kind, names = statement[4:].strip().split(None, 1)
        for name in (part.strip() for part in names.split(",")):
            family = _FAMILY.match(name)
            if family:
                self.families.append((family[1], kind[1:]))
            else:
                unique = name if len(self.scopes) == 1 else f"{name}~{next(self.numbers)}"
                self.scopes[-1][name] = unique
                self.function.registers[unique] = kind[1:]

    def _variable(self, statement: str, line: int) -> None:
        (variable,) = _variables(statement, line)
        unique = variable.name
        if len(self.scopes) > 1:
            unique = f"{variable.name}~{next(self.numbers)}"
        self.scopes[-1][variable.name] = unique
        if variable.space == "param":
            self.parameters.add(unique)
        self.function.variables.append(
            Variable(
                unique,
                variable.space,
                variable.type,
                variable.size,
                variable.align,
                variable.values,
            )
        )

    def _instruction(self, line: int, statement: str, source: str) -> None:
        text = " ".join(statement.split())
        found = _INSTRUCTION.match(text)
        if not found:
            raise Unknown(f"PTX line {line}: {text[:200]}")
        unless, predicate, opcode, rest = found.groups()
        parts = _split(rest)
        if opcode.split(".")[0] == "call":
            self.function.body.append(self._call(parts, line))
            return
        operands = tuple(self._operand(part) for part in parts)
        guard = self._register(predicate) if predicate else None
        assert guard is None or isinstance(guard, Register)
        self.function.body.append(
            Instruction(opcode, operands, guard, bool(unless), line, text, source)
        )

    def _call(self, parts: list[str], line: int) -> Call:
        groups = [part.strip("() ").split(",") if part.startswith("(") else part for part in parts]
        names = [group for group in groups if isinstance(group, str)]
        lists = [
            tuple(self._name(name.strip()) for name in group if name.strip())
            for group in groups
            if not isinstance(group, str)
        ]
        before = bool(parts) and parts[0].startswith("(")
        results = lists[0] if before else ()
        arguments = lists[1 if before else 0] if len(lists) > before else ()
        return Call(results, names[0], arguments, line)

    def _name(self, name: str) -> str:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return name

    def _register(self, text: str) -> Register | Symbol:
        name = self._name(text)
        if name in self.function.registers:
            return Register(name)
        stem = text.rstrip("0123456789")
        for family, kind in self.families:
            if family == stem and stem != text:
                self.function.registers[text] = kind
                return Register(text)
        return Symbol(name)

    def _operand(self, text: str) -> Operand:
        if text.startswith("["):
            return self._address(text[1:-1].strip())
        if text.startswith("{"):
            return Vector(tuple(self._operand(part) for part in _split(text[1:-1])))
        if text.startswith("!"):
            register = self._register(text[1:])
            assert isinstance(register, Register), text
            return Negated(register)
        if "|" in text:
            first, second = text.split("|")
            return Pair(self._operand(first.strip()), self._operand(second.strip()))
        if _NUMBER.match(text):
            return Immediate(text)
        base, sign, offset = text.partition("+")
        if sign:
            return Symbol(self._name(base.strip()), int(offset, 0))
        return self._register(text)

    def _address(self, text: str) -> Address:
        found = re.match(r"([\w$%.]+)\s*(?:\+\s*(-?\w+))?$", text)
        if not found:
            raise Unknown(f"an address written [{text}]")
        name, offset = found.group(1), int(found.group(2) or "0", 0)
        if _NUMBER.match(name):
            return Address(Immediate(name), offset)
        return Address(self._register(name), offset)


def _split(text: str) -> list[str]:
    """The operands, at commas outside of all brackets."""
    if not any(letter in text for letter in "{[("):
        return [part for piece in text.split(",") if (part := piece.strip())]
    parts, depth, begin = [], 0, 0
    for at, letter in enumerate(text):
        if letter in "{[(":
            depth += 1
        elif letter in "}])":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[begin:at].strip())
            begin = at + 1
    parts.append(text[begin:].strip())
    return [part for part in parts if part]
