"""Moves between registers, conversions, comparisons, choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.arithmetic import saturated
from tests.ptx.faults import Unknown
from tests.ptx.kinds import BFLOAT16, DTYPES, UNSIGNED, WIDTHS, is_float
from tests.ptx.machine import Instructed, Step, opcode
from tests.ptx.memory import LOCAL_WINDOW, SHARED_WINDOW, WINDOW
from tests.ptx.rounding import flushed, rounded
from tests.ptx.syntax import Operand, Pair, Symbol, Vector

Array = npt.NDArray[Any]

# --- mov


@opcode("mov")
def mov(one: Instructed) -> Step:
    kind = one.kind()
    target, source = one.operands
    if isinstance(target, Vector):
        return _unpack(one, target, source, kind)
    if isinstance(source, Vector):
        return _pack(one, target, source, kind)
    values = one.read(source, kind)
    if kind != "pred":  # an address, or a special register of another sign
        values = values.view(DTYPES[kind])
    return one.copy(one.result(kind), values)


def _same(values: Array) -> Array:
    return values


def _unpack(one: Instructed, target: Vector, source: Operand, kind: str) -> Step:
    width = WIDTHS[kind] // len(target.parts)
    value = one.read(source, kind)
    parts = [
        (k, one.result(f"b{8 * width}", part))
        for k, part in enumerate(target.parts)
        if not (isinstance(part, Symbol) and part.name == "_")
    ]
    mask = one.lanes.mask

    def run() -> None:
        pieces = np.ascontiguousarray(value).view(UNSIGNED[width]).reshape(-1, len(target.parts))
        pieces = pieces.copy()
        for k, result in parts:
            np.copyto(result, pieces[:, k], where=mask)

    return run


def _pack(one: Instructed, target: Operand, source: Vector, kind: str) -> Step:
    width = WIDTHS[kind] // len(source.parts)
    parts = [one.read(part, f"b{8 * width}") for part in source.parts]
    unsigned = f"b{8 * WIDTHS[kind]}"

    def compute(*parts: Array) -> Array:
        return np.stack(parts, axis=1).view(DTYPES[unsigned])[:, 0]

    return one.values(compute, one.result(unsigned, target), *parts)


# --- addresses

_WINDOWS = {"global": 0, "const": 0, "param": 0, "shared": SHARED_WINDOW, "local": LOCAL_WINDOW}


@opcode("cvta")
def convert_address(one: Instructed) -> Step:
    """Between addresses of a space and those of all memory."""
    kind = one.kind()
    back = one.take("to")
    space = one.take(*_WINDOWS)
    if space is None:
        raise Unknown("no space")
    step = np.uint64(_WINDOWS[space])
    source = one.read(one.operands[1], kind)
    if back:
        return one.values(lambda a: a - step, one.result(kind), source)
    return one.values(lambda a: a + step, one.result(kind), source)


@opcode("isspacep")
def is_space(one: Instructed) -> Step:
    space = one.take(*_WINDOWS)
    if space is None:
        raise Unknown("no space")
    if one.modifiers and one.modifiers[-1] in DTYPES:
        one.kind()
    begin = _WINDOWS[space]
    source = one.read(one.operands[1], "u64")

    def compute(address: Array) -> Array:
        if space == "global":
            return (address < SHARED_WINDOW) | (address >= LOCAL_WINDOW + WINDOW)
        return (address >= begin) & (address < begin + WINDOW)

    return one.values(compute, one.result("pred"), source)


# --- cvt

_TO_INTEGER: dict[str, Callable[[Array], Array]] = {
    "rni": np.rint,
    "rzi": np.trunc,
    "rmi": np.floor,
    "rpi": np.ceil,
}
_TO_FLOAT = ("rn", "rz", "rm", "rp", "rna")


@opcode("cvt")
def convert(one: Instructed) -> Step:
    source_kind, kind = one.kind(), one.kind()
    integral = one.take(*_TO_INTEGER)
    mode = one.take(*_TO_FLOAT)
    flush, saturate, relu = one.take("ftz"), one.take("sat"), one.take("relu")
    if kind in ("f16x2", "bf16x2"):
        return _two_halves(one, kind, source_kind, mode, relu)
    if kind == "tf32":
        return _tf32(one, mode)
    function = _conversion(kind, source_kind, integral, mode, saturate, flush)
    if relu:
        inner = function
        function = lambda x: np.where(inner(x) < 0, 0, inner(x)).astype(DTYPES[kind])  # noqa: E731
    return one.values(function, one.result(kind), *one.inputs(source_kind))


def _conversion(
    kind: str,
    source: str,
    integral: str | None,
    mode: str | None,
    saturate: str | None,
    flush: str | None,
) -> Callable[[Array], Array]:
    dtype = DTYPES[kind]
    before = flushed if flush else _same
    after = flushed if flush else _same
    if is_float(source) and not is_float(kind):
        turn = _TO_INTEGER[integral or "rzi"]
        return lambda x: _float_to_integer(turn(_wide(before(x))), dtype)
    if is_float(source):
        turn = _TO_INTEGER[integral] if integral else _same
        limit = saturated if saturate else _same
        return lambda x: after(limit(_float_to_float(turn(before(x)), dtype, mode or "rn")))
    if is_float(kind):
        limit = saturated if saturate else _same
        return lambda x: limit(_integer_to_float(x, dtype, mode or "rn"))
    if saturate:
        return lambda x: _clipped(x, dtype)
    return lambda x: x.astype(dtype)


def _wide(x: Array) -> Array:
    return x.astype(np.float64)


def _float_to_integer(x: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers out of range as the nearest, NaN as 0."""
    limits = np.iinfo(dtype)
    inside = (x >= float(limits.min)) & (x < float(limits.max) + (dtype.itemsize < 8))
    result = np.where(inside, x, 0).astype(dtype)
    result = np.where(x >= float(limits.max), limits.max, result)
    return np.where(x < float(limits.min), limits.min, result).astype(dtype)


def _float_to_float(x: Array, dtype: np.dtype[Any], mode: str) -> Array:
    if x.dtype.itemsize <= dtype.itemsize and dtype != BFLOAT16 and x.dtype != BFLOAT16:
        return x.astype(dtype)
    if mode in ("rn", "rna"):
        return x.astype(dtype)
    return rounded(x.astype(np.float64), 0.0, dtype, mode)


def _integer_to_float(x: Array, dtype: np.dtype[Any], mode: str) -> Array:
    if mode == "rn":
        if dtype.itemsize == 2:
            return x.astype(np.float64).astype(dtype)
        return x.astype(dtype)
    if x.dtype.itemsize < 8:
        return rounded(x.astype(np.float64), 0.0, dtype, mode)
    return np.array([_directed(int(one), dtype, mode) for one in x], dtype)


def _directed(exact: int, dtype: np.dtype[Any], mode: str) -> Any:
    """An integer as a float, by exact comparison."""
    near = dtype.type(exact)
    back = int(near)
    low = mode == "rm" or (mode == "rz" and exact > 0)
    if low and back > exact:
        return np.nextafter(near, dtype.type(-np.inf))
    if not low and back < exact:
        return np.nextafter(near, dtype.type(np.inf))
    return near


def _clipped(x: Array, dtype: np.dtype[Any]) -> Array:
    limits = np.iinfo(dtype)
    low = max(int(np.iinfo(x.dtype).min), int(limits.min))
    high = min(int(np.iinfo(x.dtype).max), int(limits.max))
    return np.clip(x, x.dtype.type(low), x.dtype.type(high)).astype(dtype)


def _tf32(one: Instructed, mode: str | None) -> Step:
    if mode not in ("rna", "rn"):
        raise Unknown(f"rounding {mode} to tf32")

    def compute(bits: Array) -> Array:
        half, below = np.uint32(0x1000), np.uint32(0x1FFF)
        if mode == "rn":
            half = np.uint32(0xFFF) + (bits >> np.uint32(13) & np.uint32(1))
        special = bits & np.uint32(0x7F800000) == np.uint32(0x7F800000)
        return np.where(special, bits, bits + half & ~below).astype(np.uint32)

    return one.values(compute, one.result("b32"), *one.inputs("b32"))


def _two_halves(
    one: Instructed, kind: str, source: str, mode: str | None, relu: str | None
) -> Step:
    """The second operand goes into the lower half."""
    dtype = DTYPES[kind.removesuffix("x2")]

    def compute(high: Array, low: Array) -> Array:
        parts = [_float_to_float(x, dtype, mode or "rn") for x in (low, high)]
        if relu:
            parts = [np.where(x < 0, 0, x).astype(dtype) for x in parts]
        return np.stack([x.view(np.uint16) for x in parts], axis=1).view(np.uint32)[:, 0]

    return one.values(compute, one.result("b32"), *one.inputs(source))


# --- setp, selp

_COMPARE: dict[str, np.ufunc] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lo": np.less,
    "ls": np.less_equal,
    "hi": np.greater,
    "hs": np.greater_equal,
}
_UNORDERED: dict[str, np.ufunc] = {  # what is not so
    "equ": np.not_equal,
    "ltu": np.greater_equal,
    "leu": np.greater,
    "gtu": np.less_equal,
    "geu": np.less,
}
_COMBINE = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}


def _comparison(name: str, kind: str) -> Callable[[Array, Array], Array]:
    half = kind in ("f16", "bf16")

    def prepared(function: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
        if not half:
            return function
        return lambda a, b: function(a.astype(np.float32), b.astype(np.float32))

    if name == "ne" and is_float(kind):
        return prepared(lambda a, b: (a < b) | (a > b))
    if name == "neu":
        return prepared(np.not_equal)
    if name == "equ":
        return prepared(lambda a, b: ~((a < b) | (a > b)))
    if name in _UNORDERED:
        return prepared(lambda a, b: ~_UNORDERED[name](a, b))
    if name in ("num", "nan"):
        return prepared(lambda a, b: (np.isnan(a) | np.isnan(b)) == (name == "nan"))
    return prepared(_COMPARE[name])


@opcode("setp")
def set_predicate(one: Instructed) -> Step:
    kind = one.kind()
    name = one.take(*_COMPARE, *_UNORDERED, "neu", "num", "nan")
    combine = one.take(*_COMBINE)
    flush = one.take("ftz")
    if name is None or kind in ("f16x2", "bf16x2"):
        raise Unknown("a comparison of this kind")
    target = one.operands[0]
    a, b = (one.read(operand, kind) for operand in one.operands[1:3])
    plain = not (combine or flush or isinstance(target, Pair))
    if plain and name in _COMPARE and not (name == "ne" and is_float(kind)):
        if kind not in ("f16", "bf16"):
            return one.ufunc(_COMPARE[name], one.result("pred"), a, b)
    compare = _comparison(name, kind)
    if plain:
        return one.values(compare, one.result("pred"), a, b)
    other = one.predicate(one.operands[3]) if combine else None
    results = (target.first, target.second) if isinstance(target, Pair) else (target,)
    places = [one.result("pred", operand) for operand in results]
    mask = one.lanes.mask

    def run() -> None:
        given = (flushed(a), flushed(b)) if flush else (a, b)
        found = compare(*given)
        both = [found, ~found]
        if combine and other:
            third = other().copy()
            both = [_COMBINE[combine](value, third) for value in both]
        for place, value in zip(places, both, strict=False):
            np.copyto(place, value, where=mask)

    return run


@opcode("selp")
def select(one: Instructed) -> Step:
    kind = one.kind()
    a, b = (one.read(operand, kind) for operand in one.operands[1:3])
    chosen = one.read(one.operands[3], "pred")
    return one.values(_where, one.result(kind), chosen, a, b)


def _where(chosen: Array, a: Array, b: Array) -> Array:
    return np.where(chosen, a, b)


@opcode("slct")
def select_by_sign(one: Instructed) -> Step:
    other, kind = one.kind(), one.kind()
    one.take("ftz")
    a, b = (one.read(operand, kind) for operand in one.operands[1:3])
    sign = one.read(one.operands[3], other)
    return one.values(lambda s, a, b: np.where(s >= 0, a, b), one.result(kind), sign, a, b)


@opcode("set")
def set_value(one: Instructed) -> Step:
    source, kind = one.kind(), one.kind()
    name = one.take(*_COMPARE, *_UNORDERED, "neu", "num", "nan")
    one.take("ftz")
    if name is None or source.endswith("x2") or len(one.operands) != 3:
        raise Unknown("a comparison of this kind")
    compare = _comparison(name, source)
    yes = np.float32(1) if kind == "f32" else np.array(~np.uint32(0)).view(DTYPES[kind])[()]
    return one.values(
        lambda a, b: np.where(compare(a, b), yes, DTYPES[kind].type(0)),
        one.result(kind),
        *one.inputs(source),
    )
