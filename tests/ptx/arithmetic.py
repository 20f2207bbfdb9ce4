"""Arithmetic of integers and floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.ptx.faults import Unknown
from tests.ptx.kinds import BFLOAT16, DTYPES, UNSIGNED, WIDTHS, is_float, is_signed
from tests.ptx.machine import Instructed, Step, opcode
from tests.ptx.rounding import MODES, directed, flushing, fma

Array = npt.NDArray[Any]
HALVES = ("f16", "bf16", "f16x2", "bf16x2")


def in_halves(kind: str, function: Callable[..., Array]) -> Callable[..., Array]:
    """A function of float32 or float64 on half types, one or two in a register, rounded once."""
    dtype = BFLOAT16 if kind.startswith("bf16") else np.dtype(np.float16)

    def compute(*inputs: Array) -> Array:
        halves = [np.ascontiguousarray(one).view(dtype) for one in inputs]
        result = np.asarray(function(*(one.astype(np.float32) for one in halves)))
        return result.astype(dtype).view(inputs[0].dtype)

    return compute


def _simple(one: Instructed, function: np.ufunc, kind: str) -> Step:
    """A function that is a ufunc for all plain types."""
    flush = one.take("ftz")
    if kind in HALVES:
        compute = in_halves(kind, function)
        return one.values(compute, one.result(kind), *one.inputs(kind))
    if flush:
        return one.values(flushing(function), one.result(kind), *one.inputs(kind))
    return one.ufunc(function, one.result(kind), *one.inputs(kind))


def with_rounding(one: Instructed, name: str, function: np.ufunc, kind: str) -> Step:
    """The same, with a rounding mode."""
    mode = one.take(*MODES) or "rn"
    saturate = one.take("sat") if is_float(kind) else None
    if mode == "rn" and not saturate:
        return _simple(one, function, kind)
    compute: Callable[..., Array] = function
    if mode != "rn":
        if kind != "f32":
            raise Unknown(f"rounding {mode} of {kind}")
        compute = directed(name, mode)
    if one.take("ftz"):
        compute = flushing(compute)
    if saturate:
        inner = compute

        def compute(*inputs: Array) -> Array:
            return saturated(inner(*inputs))

    return one.values(compute, one.result(kind), *one.inputs(kind))


def saturated(x: Array) -> Array:
    """In [0, 1], NaN as 0."""
    return np.nan_to_num(np.clip(x, 0, 1), nan=0.0).astype(x.dtype)


@opcode("add", "sub")
def add(one: Instructed) -> Step:
    kind = one.kind()
    function = np.add if one.instruction.root == "add" else np.subtract
    if one.take("cc"):
        return _with_carry(one, kind, out=True, into=False)
    if not is_float(kind) and one.take("sat"):
        return one.values(_saturating(function), one.result(kind), *one.inputs(kind))
    return with_rounding(one, one.instruction.root, function, kind)


@opcode("addc", "subc")
def add_with_carry(one: Instructed) -> Step:
    kind = one.kind()
    return _with_carry(one, kind, out=bool(one.take("cc")), into=True)


def _with_carry(one: Instructed, kind: str, out: bool, into: bool) -> Step:
    dtype = UNSIGNED[WIDTHS[kind]]
    minus = one.instruction.root.startswith("sub")
    a, b = (x.view(dtype) for x in one.inputs(kind))
    result, carry = one.result(kind).view(dtype), one.machine.carry
    mask = one.lanes.mask

    def run() -> None:
        carried = carry.astype(dtype) if into else np.zeros_like(a)
        if minus:
            total = a - b - carried
            overflow = (a < b) | ((a == b) & (carried != 0))
        else:
            total = a + b + carried
            overflow = (total < a) | ((total == a) & (carried != 0) & (b != 0))
        np.copyto(result, total, where=mask)
        if out:
            np.copyto(carry, overflow, where=mask)

    return run


def _saturating(function: np.ufunc) -> Callable[..., Array]:
    def compute(a: Array, b: Array) -> Array:
        limits = np.iinfo(a.dtype)
        wide = function(a.astype(np.int64), b.astype(np.int64))
        return np.clip(wide, limits.min, limits.max).astype(a.dtype)

    return compute


@opcode("mul")
def mul(one: Instructed) -> Step:
    kind = one.kind()
    if is_float(kind) or kind in HALVES:
        return with_rounding(one, "mul", np.multiply, kind)
    part = one.take("lo", "hi", "wide")
    if part == "lo":
        return one.ufunc(np.multiply, one.result(kind), *one.inputs(kind))
    if part == "hi":
        return one.values(high_product, one.result(kind), *one.inputs(kind))
    return one.values(wide_product, one.result(_wide(kind)), *one.inputs(kind))


def _wide(kind: str) -> str:
    return f"{kind[0]}{16 * WIDTHS[kind]}"


def wide_product(a: Array, b: Array) -> Array:
    """The product in twice the bits."""
    wide = np.dtype(f"{a.dtype.kind}{2 * a.dtype.itemsize}")
    return a.astype(wide) * b.astype(wide)


def high_product(a: Array, b: Array) -> Array:
    """The upper half of the product."""
    bits = 8 * a.dtype.itemsize
    if bits < 64:
        product = wide_product(a, b)
        return (product >> product.dtype.type(bits)).astype(a.dtype)
    x, y = a.view(np.uint64), b.view(np.uint64)
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    x0, x1, y0, y1 = x & low, x >> half, y & low, y >> half
    middle = x1 * y0 + (x0 * y0 >> half)
    other = x0 * y1 + (middle & low)
    high = x1 * y1 + (middle >> half) + (other >> half)
    if a.dtype.kind == "i":
        high = high - np.where(a < 0, y, 0).astype(np.uint64)
        high = high - np.where(b < 0, x, 0).astype(np.uint64)
    return high.view(a.dtype)


@opcode("mad")
def mad(one: Instructed) -> Step:
    kind = one.kind()
    if is_float(kind):
        return _fma(one, kind)
    return _mad(one, kind, into=False)


@opcode("madc")
def mad_with_carry(one: Instructed) -> Step:
    return _mad(one, one.kind(), into=True)


def _mad(one: Instructed, kind: str, into: bool) -> Step:
    part = one.take("lo", "hi", "wide")
    out = bool(one.take("cc"))
    wide = _wide(kind) if part == "wide" else kind
    product = {"wide": wide_product, "hi": high_product, "lo": np.multiply}[part or "lo"]
    a, b = (one.read(x, kind) for x in one.operands[1:3])
    c = one.read(one.operands[3], wide)
    result = one.result(wide)
    if not (out or into):
        return one.values(lambda a, b, c: product(a, b) + c, result, a, b, c)
    carry, mask, dtype = one.machine.carry, one.lanes.mask, UNSIGNED[WIDTHS[wide]]

    def run() -> None:
        left, right = product(a, b).view(dtype), c.view(dtype)
        carried = carry.astype(dtype) if into else np.zeros_like(right)
        total = left + right + carried
        overflow = (total < left) | ((total == left) & (carried != 0) & (right != 0))
        np.copyto(result, total.view(result.dtype), where=mask)
        if out:
            np.copyto(carry, overflow, where=mask)

    return run


@opcode("fma")
def fused(one: Instructed) -> Step:
    return _fma(one, one.kind())


def _fma(one: Instructed, kind: str) -> Step:
    if kind not in HALVES:
        return with_rounding(one, "fma", fma, kind)
    one.take("rn")
    relu = one.take("relu")

    def compute(a: Array, b: Array, c: Array) -> Array:
        total = fma(*(x.astype(np.float64) for x in (a, b, c)))
        return np.where(total < 0, 0.0, total) if relu else total

    return one.values(in_halves(kind, compute), one.result(kind), *one.inputs(kind))


@opcode("div")
def div(one: Instructed) -> Step:
    kind = one.kind()
    if is_float(kind):
        one.drop("approx", "full")
        return with_rounding(one, "div", np.divide, kind)
    return _integer_division(one, kind, _quotient if is_signed(kind) else np.floor_divide)


@opcode("rem")
def rem(one: Instructed) -> Step:
    return _integer_division(one, one.kind(), np.fmod)


def _quotient(a: Array, b: Array) -> Array:
    return (a - np.fmod(a, b)) // b


def _integer_division(one: Instructed, kind: str, function: Callable[..., Array]) -> Step:
    a, b = one.inputs(kind)
    result, lanes = one.result(kind), one.lanes

    def run() -> None:
        active = lanes.active
        dividend, divisor = a[active], b[active]
        zeros = np.flatnonzero(divisor == 0)
        if zeros.size:
            raise one.fault("division by zero", "of integers", int(active[zeros[0]]))
        result[active] = function(dividend, divisor)

    return run


@opcode("min", "max")
def extreme(one: Instructed) -> Step:
    kind = one.kind()
    largest = one.instruction.root == "max"
    if not (is_float(kind) or kind in HALVES):
        return one.ufunc(np.maximum if largest else np.minimum, one.result(kind), *one.inputs(kind))
    keep = one.take("NaN")
    flush = one.take("ftz")
    if keep:
        function = np.maximum if largest else np.minimum
    else:
        function = np.fmax if largest else np.fmin

    def compute(a: Array, b: Array) -> Array:
        both_zero = (a == 0) & (b == 0)
        signs = np.signbit(a), np.signbit(b)
        negative = signs[0] & signs[1] if largest else signs[0] | signs[1]
        zero = np.where(negative, -0.0, 0.0).astype(a.dtype)
        return np.where(both_zero, zero, function(a, b))

    if kind in HALVES:
        compute = in_halves(kind, compute)
    elif flush:
        compute = flushing(compute)
    return one.values(compute, one.result(kind), *one.inputs(kind))


@opcode("abs")
def absolute(one: Instructed) -> Step:
    return _simple(one, np.absolute, one.kind())


@opcode("neg")
def negative(one: Instructed) -> Step:
    return _simple(one, np.negative, one.kind())


@opcode("copysign")
def copysign(one: Instructed) -> Step:
    kind = one.kind()
    sign, size = one.inputs(kind)
    return one.ufunc(np.copysign, one.result(kind), size, sign)


@opcode("testp")
def test_property(one: Instructed) -> Step:
    kind = one.kind()
    tests: dict[str, Callable[[Array], Array]] = {
        "finite": np.isfinite,
        "infinite": np.isinf,
        "number": lambda x: ~np.isnan(x),
        "notanumber": np.isnan,
        "normal": lambda x: np.isfinite(x) & (np.abs(x) >= np.finfo(x.dtype).tiny),
        "subnormal": lambda x: (x != 0) & (np.abs(x) < np.finfo(x.dtype).tiny),
    }
    name = one.take(*tests)
    if name is None:
        raise Unknown("no property")
    return one.values(tests[name], one.result("pred"), *one.inputs(kind))


@opcode("dp4a")
def dot_of_bytes(one: Instructed) -> Step:
    kind_b, kind_a = one.kind(), one.kind()
    a, b = one.read(one.operands[1], kind_a), one.read(one.operands[2], kind_b)
    signed = is_signed(kind_a) or is_signed(kind_b)
    kind = "s32" if signed else "u32"
    c = one.read(one.operands[3], kind)

    def compute(a: Array, b: Array, c: Array) -> Array:
        left = np.ascontiguousarray(a).view(DTYPES[f"{kind_a[0]}8"]).reshape(-1, 4)
        right = np.ascontiguousarray(b).view(DTYPES[f"{kind_b[0]}8"]).reshape(-1, 4)
        products = left.astype(np.int64) * right.astype(np.int64)
        return (c.astype(np.int64) + products.sum(axis=1)).astype(c.dtype)

    return one.values(compute, one.result(kind), a, b, c)


@opcode("sad")
def sum_of_difference(one: Instructed) -> Step:
    kind = one.kind()

    def compute(a: Array, b: Array, c: Array) -> Array:
        return np.maximum(a, b) - np.minimum(a, b) + c

    return one.values(compute, one.result(kind), *one.inputs(kind))
