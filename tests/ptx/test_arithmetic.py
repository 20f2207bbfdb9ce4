"""Opcodes of the interpreter, with results that are known."""

import math

import ml_dtypes
import numpy as np
import pytest

from tests.ptx.by_hand import apply

BIG = 2**31 - 1
INF, NAN = math.inf, math.nan
ONE = np.float32(1)
LARGEST = float(np.finfo("float32").max)
TINY = float(np.finfo("float32").smallest_subnormal)
ABOVE = float(np.nextafter(ONE, np.float32(2)))


def integers(kind, *values):
    return kind, np.array(values, object).astype(
        f"int{kind[1:]}" if kind[0] == "s" else f"uint{kind[1:]}"
    )


INTEGER_CASES = [
    ("add.s32 $0, $1, $2;", "s32", [("s32", [1, BIG]), ("s32", [2, 1])], [3, -(2**31)]),
    ("add.sat.s32 $0, $1, $2;", "s32", [("s32", [1, BIG]), ("s32", [2, 1])], [3, BIG]),
    ("sub.u32 $0, $1, $2;", "u32", [("u32", [5, 0]), ("u32", [2, 1])], [3, 2**32 - 1]),
    ("mul.lo.s32 $0, $1, $2;", "s32", [("s32", [-3, 2**20]), ("s32", [7, 2**20])], [-21, 0]),
    ("mul.hi.s32 $0, $1, $2;", "s32", [("s32", [-3, 2**20]), ("s32", [7, 2**20])], [-1, 256]),
    ("mul.hi.u32 $0, $1, $2;", "u32", [("u32", [2**32 - 1]), ("u32", [2**32 - 1])], [2**32 - 2]),
    ("mul.wide.s32 $0, $1, $2;", "s64", [("s32", [-3, BIG]), ("s32", [7, BIG])], [-21, BIG * BIG]),
    ("mul.hi.u64 $0, $1, $2;", "u64", [("u64", [2**63]), ("u64", [6])], [3]),
    ("mul.hi.s64 $0, $1, $2;", "s64", [("s64", [-(2**62), -1]), ("s64", [8, -1])], [-2, 0]),
    ("mad.lo.s32 $0, $1, $2, 5;", "s32", [("s32", [3]), ("s32", [4])], [17]),
    ("div.s32 $0, $1, $2;", "s32", [("s32", [-7, 7, -7]), ("s32", [2, -2, -2])], [-3, -3, 3]),
    ("rem.s32 $0, $1, $2;", "s32", [("s32", [-7, 7, -7]), ("s32", [2, -2, -2])], [-1, 1, -1]),
    ("div.u64 $0, $1, $2;", "u64", [("u64", [2**63]), ("u64", [3])], [2**63 // 3]),
    ("min.s32 $0, $1, $2;", "s32", [("s32", [-1]), ("s32", [1])], [-1]),
    ("max.u32 $0, $1, $2;", "u32", [("u32", [2**31]), ("u32", [1])], [2**31]),
    ("abs.s32 $0, $1;", "s32", [("s32", [-4, 4])], [4, 4]),
    ("neg.s64 $0, $1;", "s64", [("s64", [-4, 4])], [4, -4]),
    ("shl.b32 $0, $1, $2;", "u32", [("u32", [3, 3, 3]), ("u32", [1, 31, 40])], [6, 2**31, 0]),
    ("shr.u32 $0, $1, $2;", "u32", [("u32", [2**31, 8]), ("u32", [31, 99])], [1, 0]),
    ("shr.s32 $0, $1, $2;", "s32", [("s32", [-8, -8]), ("u32", [1, 99])], [-4, -1]),
    ("shl.b64 $0, $1, 2;", "u64", [("u64", [3])], [12]),
    ("shf.l.wrap.b32 $0, $1, $2, 8;", "u32", [("u32", [2**24]), ("u32", [0x556677])], [0x55667701]),
    ("shf.r.clamp.b32 $0, $1, $2, 32;", "u32", [("u32", [1]), ("u32", [7])], [7]),
    ("and.b32 $0, $1, $2;", "u32", [("u32", [12]), ("u32", [10])], [8]),
    ("xor.b64 $0, $1, -1;", "u64", [("u64", [0])], [2**64 - 1]),
    ("not.b32 $0, $1;", "u32", [("u32", [0])], [2**32 - 1]),
    ("cnot.b32 $0, $1;", "u32", [("u32", [0, 9])], [1, 0]),
    ("lop3.b32 $0, $1, $2, $3, 0xE8;", "u32", [("u32", [12]), ("u32", [10]), ("u32", [6])], [14]),
    ("bfe.u32 $0, $1, 4, 8;", "u32", [("u32", [0xABCDE])], [0xCD]),
    ("bfe.s32 $0, $1, 4, 8;", "s32", [("s32", [0xABCDE])], [0xCD - 256]),
    ("bfi.b32 $0, $1, $2, 8, 4;", "u32", [("u32", [0xF5]), ("u32", [0xFFFFF])], [0xFF5FF]),
    ("bfi.b64 $0, $1, $2, 32, 32;", "u64", [("u64", [5]), ("u64", [7])], [(5 << 32) + 7]),
    ("bfind.u32 $0, $1;", "u32", [("u32", [0, 1, 0x8000])], [2**32 - 1, 0, 15]),
    ("clz.b32 $0, $1;", "u32", [("u32", [0, 1, 2**31])], [32, 31, 0]),
    ("popc.b64 $0, $1;", "u32", [("u64", [2**63 + 5])], [3]),
    ("brev.b32 $0, $1;", "u32", [("u32", [1, 6])], [2**31, 0x60000000]),
    ("prmt.b32 $0, $1, $2, 0x5410;", "u32", [("u32", [0x1100]), ("u32", [0x5544])], [0x55441100]),
    ("prmt.b32 $0, $1, $2, 0x8888;", "u32", [("u32", [0x80]), ("u32", [0])], [0xFFFFFFFF]),
    ("dp4a.s32.s32 $0, $1, $2, 10;", "s32", [("u32", [0xFF02]), ("u32", [0x0101])], [11]),
    ("dp4a.u32.u32 $0, $1, $2, 0;", "u32", [("u32", [0xFF020304]), ("u32", [0x01010101])], [264]),
    ("sad.s32 $0, $1, $2, 1;", "s32", [("s32", [3]), ("s32", [-4])], [8]),
    ("cvt.s64.s32 $0, $1;", "s64", [("s32", [-5])], [-5]),
    ("cvt.u64.u32 $0, $1;", "u64", [("u32", [2**32 - 5])], [2**32 - 5]),
    ("cvt.u32.u64 $0, $1;", "u32", [("u64", [2**40 + 3])], [3]),
    ("cvt.sat.s8.s32 $0, $1;", "s16", [("s32", [500, -500])], [127, -128]),
    ("cvt.u16.u8 $0, $1;", "u16", [("u16", [0x1FF])], [0xFF]),
    ("mov.b64 $0, {$1, $2};", "u64", [("u32", [1]), ("u32", [2])], [(2 << 32) + 1]),
    ("mov.b64 {%r30, $0}, $1;", "u32", [("u64", [(2 << 32) + 1])], [2]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("instruction", "kind", "inputs", "expected"), INTEGER_CASES, ids=lambda x: str(x)[:24]
)
def test_integers(instruction, kind, inputs, expected):
    found = apply(instruction, kind, *(integers(k, *values) for k, values in inputs))
    assert found.tolist() == expected


def test_carries_run_through():
    body = """add.cc.u32 %r10, $1, 1;
    addc.u32 $0, 5, 0;"""
    found = apply(body, "u32", integers("u32", 2**32 - 1, 3))
    assert found.tolist() == [6, 5]
    body = """mad.lo.cc.u32 %r10, $1, $1, 1;
    madc.hi.u32 $0, $1, $1, 0;"""
    found = apply(body, "u32", integers("u32", 2**32 - 1, 2))
    assert found.tolist() == [((2**32 - 1) ** 2 + 1) >> 32, 0]
    body = """sub.cc.u32 %r10, $1, 1;
    subc.u32 $0, 5, 0;"""
    assert apply(body, "u32", integers("u32", 0, 3)).tolist() == [4, 5]


FLOAT_CASES = [
    ("add.f32 $0, $1, $2;", [1, INF], [2, -INF], [3, NAN]),
    ("add.rz.f32 $0, $1, $2;", [1, -1], [TINY, -TINY], [1, -1]),
    ("add.rp.f32 $0, $1, $2;", [1], [TINY], [ABOVE]),
    ("add.rm.f32 $0, $1, $2;", [-1], [-TINY], [-ABOVE]),
    ("mul.rz.f32 $0, $1, $2;", [ABOVE], [ABOVE], [float(np.float32(ABOVE * ABOVE))]),
    ("mul.ftz.f32 $0, $1, $2;", [TINY, -TINY], [1, 1], [0.0, -0.0]),
    ("mul.sat.f32 $0, $1, $2;", [2, -2, NAN, 0.5], [2, 2, 1, 0.5], [1, 0, 0, 0.25]),
    ("div.rn.f32 $0, $1, $2;", [1, 1, 0], [3, 0, 0], [float(ONE / np.float32(3)), INF, NAN]),
    ("max.f32 $0, $1, $2;", [NAN, -0.0, 0.0, NAN], [1, 0.0, -0.0, NAN], [1, 0.0, 0.0, NAN]),
    ("min.f32 $0, $1, $2;", [NAN, -0.0, 0.0], [1, 0.0, -0.0], [1, -0.0, -0.0]),
    ("max.NaN.f32 $0, $1, $2;", [NAN, 1], [1, 2], [NAN, 2]),
    ("copysign.f32 $0, $1, $2;", [-1, 1], [3, -3], [-3, 3]),
]


@pytest.mark.parametrize(("instruction", "a", "b", "expected"), FLOAT_CASES)
def test_floats(instruction, a, b, expected):
    found = apply(instruction, "f32", ("f32", a), ("f32", b))
    np.testing.assert_array_equal(found, np.array(expected, "float32"))
    numbers = ~np.isnan(found)
    signs = np.signbit(np.array(expected, "float32"))
    np.testing.assert_array_equal(np.signbit(found)[numbers], signs[numbers])


def test_fma_rounds_once():
    a = np.float32(1 + 2**-12)
    found = apply("fma.rn.f32 $0, $1, $1, $2;", "f32", ("f32", [a]), ("f32", [-1 - 2**-11]))
    assert found[0] == 2.0**-24
    b = np.float64(1 + 2**-30)
    found = apply("fma.rn.f64 $0, $1, $1, $2;", "f64", ("f64", [b]), ("f64", [-1 - 2**-29]))
    assert found[0] == 2.0**-60
    for mode, expected in (("rm", 1 + 2**-11), ("rp", np.nextafter(np.float32(1 + 2**-11), 2))):
        found = apply(f"fma.{mode}.f32 $0, $1, $1, $2;", "f32", ("f32", [a]), ("f32", [0]))
        assert found[0] == np.float32(expected)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("ex2.approx.ftz.f32", np.exp2),
        ("lg2.approx.f32", np.log2),
        ("sin.approx.f32", np.sin),
        ("cos.approx.f32", np.cos),
        ("rsqrt.approx.f32", lambda x: 1 / np.sqrt(x)),
        ("sqrt.rn.f32", np.sqrt),
        ("rcp.rn.f32", np.reciprocal),
        ("tanh.approx.f32", np.tanh),
        ("abs.f32", np.abs),
        ("neg.f32", np.negative),
    ],
)
def test_functions(name, function):
    x = np.array([0.5, 1.0, 3.25, 1e-3], "float32")
    found = apply(f"{name} $0, $1;", "f32", ("f32", x))
    np.testing.assert_allclose(found, function(x.astype("float64")), rtol=1e-7, atol=1e-7)


CONVERSIONS = [
    ("cvt.rni.s32.f32 $0, $1;", "s32", "f32", [2.5, 3.5, -2.5, NAN, 1e20], [2, 4, -2, 0, BIG]),
    ("cvt.rzi.s32.f32 $0, $1;", "s32", "f32", [2.9, -2.9, -INF], [2, -2, -(2**31)]),
    ("cvt.rzi.u32.f32 $0, $1;", "u32", "f32", [-1, 3e9], [0, 3000000000]),
    ("cvt.rmi.f32.f32 $0, $1;", "f32", "f32", [2.9, -2.1], [2, -3]),
    ("cvt.rpi.f32.f32 $0, $1;", "f32", "f32", [2.1, -2.9], [3, -2]),
    ("cvt.rzi.s64.f64 $0, $1;", "s64", "f64", [1e300, -3.7], [2**63 - 1, -3]),
    ("cvt.rn.f32.s32 $0, $1;", "f32", "s32", [2**24 + 1, -3], [2**24, -3]),
    ("cvt.rp.f32.s32 $0, $1;", "f32", "s32", [2**24 + 1], [2**24 + 2]),
    ("cvt.rz.f32.s64 $0, $1;", "f32", "s64", [2**24 + 3, -(2**24) - 3], [2**24 + 2, -(2**24) - 2]),
    ("cvt.rz.f32.f64 $0, $1;", "f32", "f64", [1 + 2**-24 + 2**-30, -1e300], [1, -LARGEST]),
    ("cvt.f64.f32 $0, $1;", "f64", "f32", [0.1], [float(np.float32(0.1))]),
    ("cvt.sat.f32.f32 $0, $1;", "f32", "f32", [2, -1, NAN, 0.5], [1, 0, 0, 0.5]),
    ("cvt.rn.f16.f32 $0, $1;", "f16", "f32", [0.1, 70000], [float(np.float16(0.1)), INF]),
    ("cvt.rn.bf16.f32 $0, $1;", "bf16", "f32", [0.1], [float(ml_dtypes.bfloat16(0.1))]),
    ("cvt.rz.bf16.f32 $0, $1;", "bf16", "f32", [1 + 2**-8 + 2**-9], [1]),
    ("cvt.f32.f16 $0, $1;", "f32", "f16", [0.1], [float(np.float16(0.1))]),
]  # fmt: skip


@pytest.mark.parametrize(("instruction", "kind", "source", "values", "expected"), CONVERSIONS)
def test_conversions(instruction, kind, source, values, expected):
    given = integers(source, *values) if source[0] in "su" else (source, values)
    found = apply(instruction, kind, given)
    if kind == "bf16":
        found = found.astype("float32")
    np.testing.assert_array_equal(found, np.array(expected).astype(found.dtype))


def test_tf32_keeps_nineteen_bits():
    given = np.array([1 + 2**-11, 1 + 2**-11 - 2**-20, -1 - 2**-11, INF], "float32")
    found = apply("cvt.rna.tf32.f32 $0, $1;", "u32", ("f32", given))
    expected = np.array([1 + 2**-10, 1, -1 - 2**-10, INF], "float32")
    np.testing.assert_array_equal(found.view("float32"), expected)


def test_halves_lie_two_in_a_word():
    given = ("f32", [1.5]), ("f32", [-2.0])
    found = apply("cvt.rn.f16x2.f32 $0, $1, $2;", "u32", *given)
    assert found.view("float16").tolist() == [-2.0, 1.5]
    found = apply("cvt.rn.bf16x2.f32 $0, $1, $2;", "u32", *given)
    assert found.view(ml_dtypes.bfloat16).tolist() == [-2.0, 1.5]
    word = np.array([0.1, 3], "float16").view("uint32")
    found = apply("fma.rn.f16x2 $0, $1, $1, $1;", "u32", ("u32", word))
    halves = np.array([0.1, 3], "float16").astype("float64")
    np.testing.assert_array_equal(
        found.view("float16"), (halves * halves + halves).astype("float16")
    )


COMPARISONS = {
    "eq": [0, 1, 0, 0],
    "ne": [1, 0, 1, 0],
    "lt": [1, 0, 0, 0],
    "le": [1, 1, 0, 0],
    "gt": [0, 0, 1, 0],
    "ge": [0, 1, 1, 0],
    "equ": [0, 1, 0, 1],
    "neu": [1, 0, 1, 1],
    "ltu": [1, 0, 0, 1],
    "leu": [1, 1, 0, 1],
    "gtu": [0, 0, 1, 1],
    "geu": [0, 1, 1, 1],
    "num": [1, 1, 1, 0],
    "nan": [0, 0, 0, 1],
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_of_floats(name):
    body = f"setp.{name}.f32 %p1, $1, $2;\nselp.u32 $0, 1, 0, %p1;"
    found = apply(body, "u32", ("f32", [1, 2, 3, NAN]), ("f32", [2, 2, 2, 2]))
    assert found.tolist() == COMPARISONS[name]


def test_comparisons_of_integers_and_their_combinations():
    body = "setp.lo.u32 %p1, $1, $2;\nselp.u32 $0, 1, 0, %p1;"
    assert apply(body, "u32", integers("u32", 1, 2**31), integers("u32", 2, 1)).tolist() == [1, 0]
    body = "setp.lt.s32 %p1, $1, $2;\nselp.u32 $0, 1, 0, %p1;"
    assert apply(body, "u32", integers("s32", 1, -5), integers("s32", 2, 1)).tolist() == [1, 1]
    body = """setp.gt.s32 %p3, $1, 0;
    setp.lt.and.s32 %p1|%p2, $1, $2, !%p3;
    selp.u32 %r30, 1, 0, %p1;
    selp.u32 %r31, 10, 0, %p2;
    add.u32 $0, %r30, %r31;"""
    found = apply(body, "u32", integers("s32", 1, -5, 3, -1), integers("s32", 2, 1, 1, -2))
    assert found.tolist() == [0, 1, 0, 10]


def test_predicated_instructions_leave_others_alone():
    body = """mov.u32 $0, 7;
    setp.gt.s32 %p1, $1, 0;
    @%p1 mov.u32 $0, 8;
    @!%p1 add.u32 $0, $0, 2;"""
    assert apply(body, "u32", integers("s32", 1, -1, 2)).tolist() == [8, 9, 8]


def test_f32_division_rounds_as_asked():
    third = np.float32(1) / np.float32(3)
    found = apply("div.rm.f32 $0, $1, $2;", "f32", ("f32", [1, -1]), ("f32", [3, 3]))
    down = np.nextafter(third, np.float32(0))
    assert found.tolist() == [float(down), float(-third)]
    root = apply("sqrt.rp.f32 $0, $1;", "f32", ("f32", [2, 4]))
    assert float(root[0]) ** 2 > 2 > float(np.nextafter(root[0], np.float32(0))) ** 2
    assert root[1] == 2
