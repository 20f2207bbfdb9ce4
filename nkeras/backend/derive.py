"""Derivatives of scalar functions: trace, apply the chain rule, print Python.

Forward mode, one argument at a time: the tangent of `where(c, a, b)` is `where(c, da, db)`, so a
NaN in the branch that was not taken never reaches the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nkeras.core.errors import short

Operand = Any  # an Expression or a Python number


class Expression:
    """A node of the traced formula: an operation name and its operands."""

    __hash__ = object.__hash__
    __slots__ = ("operands", "operation")

    def __init__(self, operation: str, *operands: Operand) -> None:
        self.operation = operation
        self.operands = operands

    def __bool__(self) -> bool:
        raise TypeError(
            "A scalar function must be free of branches: use where(condition, a, b) instead of "
            "`if`, `and`, `or` and chained comparisons."
        )

    def __add__(self, other: Operand) -> Operand:
        return _add(self, other)

    def __radd__(self, other: Operand) -> Operand:
        return _add(other, self)

    def __sub__(self, other: Operand) -> Operand:
        return _subtract(self, other)

    def __rsub__(self, other: Operand) -> Operand:
        return _subtract(other, self)

    def __mul__(self, other: Operand) -> Operand:
        return _multiply(self, other)

    def __rmul__(self, other: Operand) -> Operand:
        return _multiply(other, self)

    def __truediv__(self, other: Operand) -> Operand:
        return _divide(self, other)

    def __rtruediv__(self, other: Operand) -> Operand:
        return _divide(other, self)

    def __neg__(self) -> Operand:
        return Expression("neg", self)

    def __invert__(self) -> Operand:
        return Expression("~", self)


def _binary(symbol: str, reflected: bool) -> Callable[[Expression, Operand], Expression]:
    if reflected:
        return lambda self, other: Expression(symbol, other, self)
    return lambda self, other: Expression(symbol, self, other)


for _name, _symbol in {
    "pow": "**",
    "floordiv": "//",
    "mod": "%",
    "and": "&",
    "or": "|",
    "xor": "^",
    "lshift": "<<",
    "rshift": ">>",
}.items():
    setattr(Expression, f"__{_name}__", _binary(_symbol, reflected=False))
    setattr(Expression, f"__r{_name}__", _binary(_symbol, reflected=True))
for _name, _symbol in {
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
}.items():
    setattr(Expression, f"__{_name}__", _binary(_symbol, reflected=False))

INFIX = frozenset("+ - * / ** // % & | ^ << >> < <= > >= == !=".split())


def _is_number(value: Operand, number: float) -> bool:
    return isinstance(value, (int, float)) and value == number


def _add(a: Operand, b: Operand) -> Operand:
    if _is_number(a, 0.0):
        return b
    if _is_number(b, 0.0):
        return a
    return Expression("+", a, b)


def _subtract(a: Operand, b: Operand) -> Operand:
    if _is_number(b, 0.0):
        return a
    if _is_number(a, 0.0):
        return Expression("neg", b)
    return Expression("-", a, b)


def _multiply(a: Operand, b: Operand) -> Operand:
    if _is_number(a, 0.0) or _is_number(b, 0.0):
        return 0.0
    if _is_number(a, 1.0):
        return b
    if _is_number(b, 1.0):
        return a
    for factor, other in ((a, b), (b, a)):
        if _is_number(factor, -1.0):
            return Expression("neg", other)
        if isinstance(factor, Expression) and factor.operation == "/":
            if _is_number(factor.operands[0], 1.0):
                return Expression("/", other, factor.operands[1])
    return Expression("*", a, b)


def _divide(a: Operand, b: Operand) -> Operand:
    if _is_number(a, 0.0):
        return 0.0
    if _is_number(b, 1.0):
        return a
    return Expression("/", a, b)


class Function:
    """A name of the function table; a backend binds it to its own implementation.

    `partials(y, *arguments)` gives the partial derivative for each argument, in terms of table
    functions; `None` says that the function is flat.
    """

    __slots__ = ("name", "partials")

    def __init__(self, name: str, partials: Callable[..., Sequence[Operand]] | None = None) -> None:
        self.name = name
        self.partials = partials

    def __call__(self, *arguments: Operand) -> Operand:
        """The traced call; numbers alone are an error because only backends can evaluate."""
        if not any(isinstance(argument, Expression) for argument in arguments):
            raise TypeError(
                f"{self.name}() needs at least one traced argument, got {short(arguments)}."
            )
        return Expression(self.name, *arguments)


where = Function("where")
exp = Function("exp", lambda y, x: (y,))
expm1 = Function("expm1", lambda y, x: (y + 1.0,))
log = Function("log", lambda y, x: (1.0 / x,))
log1p = Function("log1p", lambda y, x: (1.0 / (1.0 + x),))
log2 = Function("log2", lambda y, x: (1.4426950408889634 / x,))
log10 = Function("log10", lambda y, x: (0.4342944819032518 / x,))
sqrt = Function("sqrt", lambda y, x: (0.5 / y,))
sin = Function("sin", lambda y, x: (cos(x),))
cos = Function("cos", lambda y, x: (-sin(x),))
tan = Function("tan", lambda y, x: (1.0 + y * y,))
arcsin = Function("arcsin", lambda y, x: (1.0 / sqrt(1.0 - x * x),))
arccos = Function("arccos", lambda y, x: (-1.0 / sqrt(1.0 - x * x),))
arctan = Function("arctan", lambda y, x: (1.0 / (1.0 + x * x),))
arctan2 = Function("arctan2", lambda y, a, b: (b / (a * a + b * b), -a / (a * a + b * b)))
sinh = Function("sinh", lambda y, x: (cosh(x),))
cosh = Function("cosh", lambda y, x: (sinh(x),))
tanh = Function("tanh", lambda y, x: (1.0 - y * y,))
arcsinh = Function("arcsinh", lambda y, x: (1.0 / sqrt(x * x + 1.0),))
arccosh = Function("arccosh", lambda y, x: (1.0 / sqrt(x * x - 1.0),))
arctanh = Function("arctanh", lambda y, x: (1.0 / (1.0 - x * x),))
erf = Function("erf", lambda y, x: (1.1283791670955126 * exp(-(x * x)),))
absolute = Function("absolute", lambda y, x: (where(x > 0.0, 1.0, where(x < 0.0, -1.0, 0.0)),))
floor = Function("floor")
ceil = Function("ceil")
trunc = Function("trunc")
rint = Function("rint")
isnan = Function("isnan")
isinf = Function("isinf")
isfinite = Function("isfinite")
signbit = Function("signbit")

FUNCTIONS: dict[str, Function] = {
    value.name: value for value in list(globals().values()) if isinstance(value, Function)
}


def _tangent(node: Operand, argument: Expression, known: dict[Expression, Operand]) -> Operand:
    if not isinstance(node, Expression):
        return 0.0
    if node in known:
        return known[node]
    if node is argument:
        return 1.0
    tangents = [_tangent(operand, argument, known) for operand in node.operands]
    known[node] = result = _chain(node, tangents)
    return result


def _chain(node: Expression, tangents: list[Operand]) -> Operand:
    operation, operands = node.operation, node.operands
    if operation == "where":
        if _is_number(tangents[1], 0.0) and _is_number(tangents[2], 0.0):
            return 0.0
        return Expression("where", operands[0], tangents[1], tangents[2])
    if all(_is_number(tangent, 0.0) for tangent in tangents):
        return 0.0
    if operation in FUNCTIONS:
        partials = FUNCTIONS[operation].partials
        if partials is None:
            return 0.0
        terms = zip(partials(node, *operands), tangents, strict=True)
        total: Operand = 0.0
        for partial, tangent in terms:
            total = _add(total, _multiply(partial, tangent))
        return total
    if operation in _RULES:
        return _RULES[operation](node, *operands, *tangents)
    return 0.0  # comparisons, logic, integer operations: flat


def _power_rule(y: Operand, a: Operand, b: Operand, da: Operand, db: Operand) -> Operand:
    by_base: Operand = 0.0
    if not _is_number(da, 0.0):
        # 0 ** (b - 1) is infinite where b is 0, but the power is flat there.
        slope = _power(a, _subtract(b, 1.0) if is_traced(b) else b - 1.0)
        if is_traced(b):
            slope = where(b == 0.0, 0.0, slope)
        by_base = _multiply(_multiply(b, slope), da)
    by_exponent: Operand = 0.0
    if not _is_number(db, 0.0):
        logarithm = log(where(a > 0.0, a, 1.0)) if is_traced(a) else _log(a)
        by_exponent = _multiply(_multiply(y, logarithm), db)
    return _add(by_base, by_exponent)


def _power(a: Operand, b: Operand) -> Operand:
    if _is_number(b, 0.0):
        return 1.0
    return a if _is_number(b, 1.0) else Expression("**", a, b)


def is_traced(value: Operand) -> bool:
    """Whether it is an expression rather than a number."""
    return isinstance(value, Expression)


def _log(number: float) -> float:
    import math

    return math.log(number) if number > 0.0 else 0.0


_RULES: dict[str, Callable[..., Operand]] = {
    "+": lambda y, a, b, da, db: _add(da, db),
    "-": lambda y, a, b, da, db: _subtract(da, db),
    "*": lambda y, a, b, da, db: _add(_multiply(da, b), _multiply(a, db)),
    "/": lambda y, a, b, da, db: _divide(_subtract(da, _multiply(y, db)), b),
    "**": _power_rule,
    "%": lambda y, a, b, da, db: _subtract(da, _multiply(a // b, db)),
    "neg": lambda y, a, da: Expression("neg", da),
}


def derivative(
    trace: Callable[..., Operand], arguments: Sequence[str], by: str
) -> tuple[Operand, list[str]]:
    """The derivative of `trace` by its argument `by`, and the names of the arguments it uses."""
    symbols = {name: Expression("argument", name) for name in arguments}
    result = _tangent(trace(*symbols.values()), symbols[by], {})
    used = _arguments_in(result)
    return result, [name for name in arguments if name in used]


def _arguments_in(node: Operand) -> set[str]:
    seen: set[int] = set()
    names: set[str] = set()
    stack = [node]
    while stack:
        item = stack.pop()
        if not isinstance(item, Expression) or id(item) in seen:
            continue
        seen.add(id(item))
        if item.operation == "argument":
            names.add(item.operands[0])
        else:
            stack.extend(item.operands)
    return names


_OF_REAL_NUMBERS = frozenset(
    "< <= > >= // % ^ << >> absolute arctan2 erf floor ceil trunc rint signbit".split()
)
_OF_BITS_OR_CONDITIONS = frozenset("& | ~".split())


def takes_complex(node: Operand) -> bool:
    """Whether a traced formula means something for complex numbers: none has to be compared."""
    if not isinstance(node, Expression) or node.operation == "argument":
        return True
    if node.operation in _OF_REAL_NUMBERS:
        return False
    if node.operation in _OF_BITS_OR_CONDITIONS and any(
        isinstance(operand, Expression) and operand.operation == "argument"
        for operand in node.operands
    ):
        return False
    return all(takes_complex(operand) for operand in node.operands)


def to_source(name: str, parameters: Sequence[str], result: Operand) -> str:
    """Python source of a function that returns `result`; equal subexpressions are shared."""
    lines: list[str] = []
    names: dict[str, str] = {}

    def emit(node: Operand, known: dict[Expression, str]) -> str:
        if not isinstance(node, Expression):
            return _number(node)
        if node.operation == "argument":
            return node.operands[0]
        if node not in known:
            text = _print(node.operation, [emit(operand, known) for operand in node.operands])
            if text not in names:
                names[text] = f"t{len(names)}"
                lines.append(f"    {names[text]} = {text}")
            known[node] = names[text]
        return known[node]

    value = emit(result, {})
    return "\n".join([f"def {name}({', '.join(parameters)}):", *lines, f"    return {value}", ""])


def _number(value: float) -> str:
    value = float(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"A derivative contains the constant {short(value)}.")
    return repr(value) if value >= 0.0 else f"({value!r})"


def _print(operation: str, operands: list[str]) -> str:
    if operation == "neg":
        return f"-{operands[0]}"
    if operation == "~":
        return f"~{operands[0]}"
    if operation in INFIX:
        return f" {operation} ".join(operands)
    return f"{operation}({', '.join(operands)})"
