"""What threads of a warp do together: shuffles, votes, matrices; and how they part and meet."""

import ml_dtypes
import numpy as np
import pytest

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.tensor_cores import (
    load_matrices,
    load_transposed,
    multiply_bf16,
    multiply_f16,
    multiply_tf32,
)
from tests.ptx import Unknown, launch
from tests.ptx.by_hand import run_body
from tests.ptx.program import load

ALL = 0xFFFFFFFF
LANES = np.arange(32)


def of_warp(body, *arrays, block=32, **options):
    """Execute a body that leaves a number in `%r0`; `%r1` is the thread's own number."""
    y = np.zeros(block, "uint32")
    before = "mov.u32 %r1, %r50;"
    after = """mad.wide.u32 %rd1, %r53, 4, %rd40;
    st.global.u32 [%rd1], %r0;"""
    run_body("\n".join([before, body, after]), y, *arrays, block=block, **options)
    return y


@pytest.mark.parametrize(
    ("mode", "step", "bounds", "expected"),
    [
        ("bfly", 5, 31, LANES ^ 5),
        ("down", 3, 31, np.where(LANES + 3 < 32, LANES + 3, LANES)),
        ("up", 3, 0, np.where(LANES >= 3, LANES - 3, LANES)),
        ("idx", 7, 31, np.full(32, 7)),
        ("idx", 9, 0x181F, LANES // 8 * 8 + 1),
        ("bfly", 1, 0x1C1F, LANES ^ 1),
        ("down", 2, 0x1C1F, np.where(LANES % 4 < 2, LANES + 2, LANES)),
    ],
)
def test_shuffles(mode, step, bounds, expected):
    found = of_warp(f"shfl.sync.{mode}.b32 %r0|%p1, %r1, {step}, {bounds}, {ALL};", block=64)
    np.testing.assert_array_equal(found, np.concatenate([expected, expected + 32]))


def test_votes():
    odd = "and.b32 %r2, %r1, 1;\nsetp.ne.u32 %p1, %r2, 0;\n"
    found = of_warp(f"{odd}vote.sync.ballot.b32 %r0, %p1, {ALL};")
    assert set(found.tolist()) == {0xAAAAAAAA}
    found = of_warp(f"{odd}vote.sync.any.pred %p2, %p1, {ALL};\nselp.u32 %r0, 1, 0, %p2;")
    assert set(found.tolist()) == {1}
    found = of_warp(f"{odd}vote.sync.all.pred %p2, !%p1, {ALL};\nselp.u32 %r0, 1, 0, %p2;")
    assert set(found.tolist()) == {0}
    found = of_warp("shr.u32 %r2, %r1, 3;\nmatch.any.sync.b32 %r0, %r2, -1;")
    np.testing.assert_array_equal(found, np.uint32(0xFF) << (LANES // 8 * 8).astype("uint32"))
    found = of_warp("redux.sync.add.u32 %r0, %r1, -1;", block=64)
    assert found[[0, 32]].tolist() == [496, 496 + 1024]
    found = of_warp("activemask.b32 %r0;", block=40)
    assert found[[0, 39]].tolist() == [ALL, 0xFF]
    found = of_warp("mov.u32 %r0, %lanemask_lt;")
    assert found[:4].tolist() == [0, 1, 3, 7]


def test_threads_part_and_meet():
    """Each thread goes round as often as its number says; then all shuffle together."""
    body = f"""
    mov.u32 %r0, 0;
    mov.u32 %r2, 0;
    setp.eq.u32 %p1, %r1, 0;
    @%p1 bra $out;
$again:
    add.u32 %r2, %r2, 1;
    and.b32 %r3, %r2, 1;
    setp.ne.u32 %p2, %r3, 0;
    @%p2 bra $odd;
    add.u32 %r0, %r0, 10;
    bra $behind;
$odd:
    add.u32 %r0, %r0, 1;
$behind:
    setp.lt.u32 %p1, %r2, %r1;
    @%p1 bra $again;
$out:
    shfl.sync.bfly.b32 %r0, %r0, 1, 31, {ALL};
"""
    own = (LANES + 1) // 2 + LANES // 2 * 10
    np.testing.assert_array_equal(of_warp(body), own[LANES ^ 1])
    np.testing.assert_array_equal(of_warp(body, block=64, seed=3)[:32], own[LANES ^ 1])


def test_a_block_meets_behind_what_stands_after_it():
    """The way of the odd threads stands behind the place where they join the others."""
    body = f"""
    and.b32 %r2, %r1, 1;
    setp.ne.u32 %p1, %r2, 0;
    mov.u32 %r0, 5;
    @%p1 bra $odd;
$meet:
    shfl.sync.bfly.b32 %r0, %r0, 1, 31, {ALL};
    bra $end;
$odd:
    mov.u32 %r0, 6;
    bra $meet;
$end:
"""
    assert of_warp(body)[:4].tolist() == [6, 5, 6, 5]


def test_barriers_tell_all_threads():
    body = """and.b32 %r2, %r1, 3;
    setp.eq.u32 %p1, %r2, 0;
    bar.red.popc.u32 %r0, 1, %p1;
    bar.red.or.pred %p2, 0, !%p1;
    @!%p2 add.u32 %r0, %r0, 100;"""
    assert set(of_warp(body, block=96).tolist()) == {24}
    assert set(of_warp(body, block=96, seed=5).tolist()) == {24}


def test_atomic_additions_of_all_blocks():
    total = np.zeros(1, "uint32")
    body = "atom.global.add.u32 %r0, [%rd41], 2;"
    found = of_warp(body, total, block=64)
    assert total[0] == 128
    assert sorted(found.tolist()) == list(range(0, 128, 2))
    run_body("red.global.max.u32 [%rd40], %r53;", total, block=64, grid=3, seed=2)
    assert total[0] == 191


def test_local_memory_is_a_threads_own():
    inside = ".local .align 4 .b8 own[16];"
    body = """mov.u64 %rd2, own;
    and.b32 %r2, %r1, 3;
    mul.wide.u32 %rd3, %r2, 4;
    add.s64 %rd4, %rd2, %rd3;
    st.local.u32 [%rd4], %r1;
    cvta.local.u64 %rd5, %rd4;
    ld.u32 %r0, [%rd5];"""
    np.testing.assert_array_equal(of_warp(body, inside=inside), LANES)


def test_constants_of_the_module():
    outside = ".const .align 4 .b32 table[4] = {7, 8, 9, 0x10};"
    body = """mov.u64 %rd2, table;
    and.b32 %r2, %r1, 3;
    mul.wide.u32 %rd3, %r2, 4;
    add.s64 %rd4, %rd2, %rd3;
    ld.const.u32 %r0, [%rd4];"""
    assert of_warp(body, outside=outside)[:5].tolist() == [7, 8, 9, 16, 7]


def test_functions_are_called():
    outside = """.func (.param .b32 back) twice(.param .b32 given)
{
    .reg .b32 %r<4>;
    .reg .pred %p<2>;
    ld.param.u32 %r1, [given];
    setp.gt.u32 %p1, %r1, 10;
    @%p1 ret;
    add.u32 %r2, %r1, %r1;
    st.param.b32 [back+0], %r2;
    ret;
}
"""
    body = """{
    .reg .b32 temp_param_reg;
    .param .b32 param0;
    st.param.b32 [param0+0], %r1;
    .param .b32 retval0;
    st.param.b32 [retval0+0], 99;
    call.uni (retval0), twice, (param0);
    ld.param.b32 %r0, [retval0+0];
    }"""
    np.testing.assert_array_equal(
        of_warp(body, outside=outside), np.where(LANES > 10, 99, 2 * LANES)
    )


@pytest.mark.parametrize(
    "line", ["frobnicate.b32 %r0, %r1;", "add.frob.s32 %r0, %r1, 1;", "mma.sync.odd %r0;"]
)
def test_what_is_unknown_is_named(line):
    with pytest.raises(Unknown, match=line.split()[0].split(".")[0] + r".*PTX line \d+"):
        of_warp(line)


def test_a_loop_with_two_ways_in_is_unknown():
    text = """.version 8.0
.target sm_90
.address_size 64
.visible .entry two(.param .u64 a)
{
    .reg .pred %p<2>;
    @%p1 bra $b;
$a:
    @%p1 bra $b;
    ret;
$b:
    bra $a;
}
"""
    with pytest.raises(Unknown, match="two ways in"):
        load(text)


# --- matrices


def product(multiply, inner, transposed):
    """`y = x @ w + y`, 16 rows and 8 columns; w is `(columns, inner)`, or `(inner, columns)`."""
    half = inner == 16

    def kernel(y, x, w):
        tile = cuda.shared.array((768,), np.uint16)
        lane = cuda.threadIdx.x
        for i in range(lane, 256, 32):
            tile[i] = x[i]
            if i < 128 or not half:
                tile[256 + i] = w[i] if i < w.size else 0
        cuda.syncthreads()
        matrix, row = lane // 8, lane % 8
        a = load_matrices(tile, (row + matrix % 2 * 8) * 16 + matrix // 2 * 8)
        if transposed:
            b = load_transposed(tile, 256 + (lane % 16) * 8)
        elif half:
            b = load_matrices(tile, 256 + row * 16 + matrix % 2 * 8)
        else:
            b = load_matrices(tile, 256 + row * 16 + matrix % 2 * 8)
        at = lane // 4 * 8 + lane % 4 * 2
        c = multiply(a, (b[0], b[1]), (y[at], y[at + 1], y[at + 64], y[at + 65]))
        y[at], y[at + 1], y[at + 64], y[at + 65] = c

    return kernel


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
def test_products_of_halves(dtype, transposed):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 16)).astype(dtype)
    w = rng.normal(size=(16, 8) if transposed else (8, 16)).astype(dtype)
    y = rng.normal(size=(16, 8)).astype("float32")
    right = (w if transposed else w.T).astype("float64")
    expected = x.astype("float64") @ right + y
    multiply = multiply_bf16 if dtype != np.float16 else multiply_f16
    flat = [a.reshape(-1) for a in (y, x.view("uint16"), w.view("uint16"))]
    signature = "void(float32[::1], uint16[::1], uint16[::1])"
    launch(product(multiply, 16, transposed), 1, 32, flat, signature=signature)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_products_of_tf32_use_nineteen_bits():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 8)).astype("float32")
    w = rng.normal(size=(8, 8)).astype("float32")
    y = rng.normal(size=(16, 8)).astype("float32")
    cut = [(a.view("uint32") & 0xFFFFE000).view("float32").astype("float64") for a in (x, w)]
    expected = cut[0] @ cut[1].T + y
    flat = [y.reshape(-1), x.reshape(-1).view("uint16"), w.reshape(-1).view("uint16")]
    signature = "void(float32[::1], uint16[::1], uint16[::1])"
    launch(product(multiply_tf32, 8, False), 1, 32, flat, signature=signature)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
