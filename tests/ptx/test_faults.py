"""Mistakes that are put into kernels on purpose: each is found, and without it nothing is."""

import numpy as np
import pytest

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.tensor_cores import (
    copy_16,
    end_of_copies,
    load_shared,
    wait_for_copies,
)
from nkeras_numba_cuda.device.vectors import load_4, store_4
from tests.ptx import Fault, empty, launch

THREADS = 64
SEEDS = [0, 1, 2]


def check(kernel, expected, arguments, kind, seed, **geometry):
    """A kernel that is right, if no kind of fault is named, or that has one."""
    y = arguments[0]
    y[...] = 0
    if kind is None:
        launch(kernel, arguments=arguments, seed=seed, **geometry)
        np.testing.assert_array_equal(y, expected)
        return None
    with pytest.raises(Fault) as caught:
        launch(kernel, arguments=arguments, seed=seed, **geometry)
    assert caught.value.kind in kind, str(caught.value)
    message = str(caught.value)
    for word in (kernel.__name__, "block", "thread", "PTX line", "test_faults.py"):
        assert word in message
    return message


# --- shared memory


def turning(barrier=True, beyond=0, skipped=0, part=False, across=True):
    """A kernel that turns the numbers of each block round, with mistakes."""

    def turn(y, x):
        tile = cuda.shared.array(THREADS, np.float32)
        thread = cuda.threadIdx.x
        first = cuda.blockIdx.x * THREADS if across else 0
        if thread >= skipped:
            tile[thread] = x[first + thread]
        if part:
            if thread < 16:
                cuda.syncthreads()
        elif barrier:
            cuda.syncthreads()
        y[first + thread + beyond] = tile[THREADS - 1 - thread + beyond]

    return turn


TURNING = [
    ({}, None),
    ({"barrier": False}, "race, uninitialised"),
    ({"beyond": 1}, "out of bounds"),
    ({"skipped": 3}, "uninitialised"),
    ({"part": True}, "divergent barrier"),
    ({"across": False}, "race"),
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("mistake", "kind"), TURNING, ids=str)
def test_shared_memory(mistake, kind, seed):
    x = np.arange(2 * THREADS, dtype="float32")
    message = check(
        turning(**mistake),
        x.reshape(2, -1)[:, ::-1].ravel(),
        [np.empty_like(x), x],
        kind,
        seed,
        grid=2,
        block=THREADS,
        signature="void(float32[::1], float32[::1])",
    )
    if mistake == {"across": False}:
        assert "between blocks" in message
    if mistake == {"barrier": False} and message.startswith("race"):
        assert "read by" in message
        assert "write by" in message


def waiting(apart):
    def wait(y):
        thread = cuda.threadIdx.x
        if thread < apart:
            cuda.syncthreads()
            y[thread] = 1
        else:
            y[thread] = 1

    return wait


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("apart", "kind"), [(THREADS, None), (32, "divergent barrier")])
def test_barriers_are_for_all_warps(apart, kind, seed):
    geometry = {"grid": 1, "block": THREADS, "signature": "void(float32[::1])"}
    check(waiting(apart), np.ones(THREADS), [np.zeros(THREADS, "float32")], kind, seed, **geometry)


# --- global memory


def copying(beyond=0, shift=0):
    """A kernel that copies four numbers at a time."""

    def copy(y, x):
        i = cuda.grid(1)
        if i < x.size // 4 + beyond:
            store_4(y, 4 * i, load_4(x, 4 * i + shift))

    return copy


@pytest.mark.parametrize(
    ("mistake", "kind"),
    [({}, None), ({"shift": 2}, "misaligned"), ({"beyond": 1}, "out of bounds")],
    ids=str,
)
def test_vectors(mistake, kind):
    x = np.arange(100, dtype="float32")
    arguments = [np.empty_like(x), x]
    signature = "void(float32[::1], float32[::1])"
    check(copying(**mistake), x, arguments, kind, 0, grid=1, block=32, signature=signature)


def double(y, x):
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        y[i] = x[i] + x[i]


def test_reading_what_nobody_wrote():
    x = empty(100, "float32")
    signature = "void(float32[::1], float32[::1])"
    x[:99] = 3
    with pytest.raises(Fault, match=r"element 99 of argument 1") as caught:
        launch(double, 2, 64, [empty(100, "float32"), x], signature=signature)
    assert caught.value.kind == "uninitialised"
    x[99] = 4
    y, z = empty(100, "float32"), empty(100, "float32")
    launch(double, 2, 64, [y, x], signature=signature)
    launch(double, 2, 64, [z, y], signature=signature)
    np.testing.assert_array_equal(z, 4 * x)


def test_a_view_ends_before_its_array():
    whole = np.arange(64, dtype="float32")
    y = np.zeros(32, "float32")
    launch(double, 1, 32, [y, whole[:32]], signature="void(float32[::1], float32[::1])")
    y = np.zeros(33, "float32")
    with pytest.raises(Fault, match="0 bytes behind the end of argument 1"):
        launch(double, 1, 64, [y, whole[:32]], signature="void(float32[::1], float32[::1])")


# --- asynchronous copies

STAGES, STEPS = 3, 6


def staged(left=STAGES - 2, barrier=True, stage=0, shift=0, last=True):
    """A kernel that sums steps of 128 numbers, which are copied two steps ahead."""
    width = 128

    def sums(y, x):
        tile = cuda.shared.array(0, np.float32)
        thread = cuda.threadIdx.x
        total = np.float32(0)
        for step in range(STAGES - 1):
            copy_16(tile, step * width + thread * 4, x, step * width + thread * 4, np.int32(16))
            end_of_copies()
        for step in range(STEPS):
            if last or step < STEPS - 1:
                wait_for_copies(left)
            if barrier:
                cuda.syncthreads()
            coming = step + STAGES - 1
            if coming < STEPS:
                place = (coming + stage) % STAGES * width + thread * 4
                copy_16(tile, place, x, coming * width + thread * 4 + shift, np.int32(16))
            end_of_copies()
            # What another thread has copied.
            total += load_shared(tile, step % STAGES * width + (thread * 4 + 77) % width)
        y[thread] = total

    return sums


STAGED = [
    ({}, None),
    ({"left": STAGES - 1}, ("copy under way", "race")),
    ({"last": False}, ("copy under way",)),
    ({"barrier": False}, ("race", "copy under way")),
    ({"stage": 1}, ("race", "copy under way")),
    ({"stage": 2}, ("race", "copy under way")),
    ({"shift": 1}, ("misaligned",)),
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("mistake", "kinds"), STAGED, ids=str)
def test_asynchronous_copies(mistake, kinds, seed):
    x = np.arange(STEPS * 128, dtype="float32")
    y = np.zeros(32, "float32")
    geometry = {"grid": 1, "block": 32, "shared_bytes": 4 * 128 * STAGES}
    signature = "void(float32[::1], float32[::1])"
    kernel = staged(**mistake)
    if kinds is None:
        launch(kernel, arguments=[y, x], seed=seed, signature=signature, **geometry)
        places = (np.arange(32) * 4 + 77) % 128
        np.testing.assert_array_equal(y, x.reshape(STEPS, 128)[:, places].sum(axis=0))
        return
    with pytest.raises(Fault) as caught:
        launch(kernel, arguments=[y, x], seed=seed, signature=signature, **geometry)
    assert caught.value.kind in kinds, str(caught.value)


# --- warps


def summing(steps=5, sync=True):
    """A kernel whose warps sum through shared memory, with nothing but their own barrier."""

    def total(y, x):
        tile = cuda.shared.array(THREADS, np.float32)
        thread = cuda.threadIdx.x
        lane = thread % 32
        tile[thread] = x[thread]
        for step in range(steps):
            cuda.syncwarp()
            other = tile[thread ^ (1 << step)]
            if sync:
                cuda.syncwarp()
            tile[thread] += other
        if lane == 0:
            y[thread // 32] = tile[thread]

    return total


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("mistake", "kind"),
    [({}, None), ({"sync": False}, "race"), ({"steps": 6}, "race, uninitialised")],
    ids=str,
)
def test_barriers_of_warps(mistake, kind, seed):
    x = np.arange(THREADS, dtype="float32")
    check(
        summing(**mistake),
        x.reshape(2, 32).sum(axis=1),
        [np.zeros(2, "float32"), x],
        kind,
        seed,
        grid=1,
        block=THREADS,
        signature="void(float32[::1], float32[::1])",
    )


def shuffling(part):
    def total(y, x):
        thread = cuda.threadIdx.x
        value = x[thread]
        if thread < part:
            for step in (16, 8, 4, 2, 1):
                value += cuda.shfl_xor_sync(-1, value, step)
        y[thread] = value

    return total


@pytest.mark.parametrize(("part", "kind"), [(32, None), (20, "divergent warp")])
def test_shuffles_need_the_threads_they_name(part, kind):
    x = np.arange(32, dtype="float32")
    check(
        shuffling(part),
        np.full(32, x.sum()),
        [np.zeros(32, "float32"), x],
        kind,
        0,
        grid=1,
        block=32,
        signature="void(float32[::1], float32[::1])",
    )
