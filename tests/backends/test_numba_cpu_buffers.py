"""Memory of large results: used again when no array lies in it, never before, and limited."""

import threading

import numpy as np
import pytest

import nkeras
import nkeras.backend.registry
from nkeras_numba_cpu.memory import allocation, buffers
from nkeras_numba_cpu.memory.arena import address

SHAPE = (512, 1024)  # 2 MB of float32


@pytest.fixture(autouse=True)
def nothing_unused():
    buffers.release()
    yield
    buffers.release()


def test_memory_is_used_again_when_the_last_view_is_gone():
    array = allocation.empty(SHAPE, np.float32)
    place = address(array)
    view = array.reshape(-1)[100:].view(np.int32)
    view[...] = 7
    del array
    other = allocation.empty(SHAPE, np.float32)
    other[...] = 0
    assert address(other) != place
    assert (view == 7).all()
    del view
    assert address(allocation.empty((1024, 512), np.int32)) == place


def test_the_one_that_was_used_last_comes_first():
    one, two = allocation.empty(SHAPE, np.float32), allocation.empty(SHAPE, np.float32)
    places = address(one), address(two)
    del one, two
    again = allocation.empty(SHAPE, np.float32), allocation.empty(SHAPE, np.float32)
    assert (address(again[1]), address(again[0])) == places


def test_another_size_has_another_buffer_and_small_ones_have_none():
    place = address(allocation.empty(SHAPE, np.float32))
    assert address(allocation.empty(SHAPE, np.float64)) != place
    assert allocation.empty((10, 10), np.float32).base is None


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "bool", "bfloat16"])
def test_arrays_are_like_those_of_numpy(dtype):
    array = allocation.empty((3, 1 << 19), dtype)
    assert (array.shape, array.dtype) == ((3, 1 << 19), np.dtype(dtype))
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert address(array) % 64 == 0  # a line of the cache


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (300, 7), (1024, 1024)])
def test_what_lasts_begins_at_a_line_of_the_cache(shape):
    array = nkeras.backend.registry.load("numba_cpu").empty(shape, "float32")
    assert (array.shape, array.dtype) == (shape, np.float32)
    assert address(array) % 64 == 0
    with nkeras.use_backend("numba_cpu"):
        variable = nkeras.Variable(np.ones(shape, np.float32))
    assert address(variable.storage()) % 64 == 0
    np.testing.assert_array_equal(variable.storage(), np.ones(shape))


def test_what_lies_unused_is_limited():
    count, size = 10, buffers.LIMIT // 8
    places = [allocation.empty((size,), np.int8) for _ in range(count)]
    kept = [address(place) for place in places[-8:]]
    while places:
        del places[0]
    again = [allocation.empty((size,), np.int8) for _ in range(8)]
    assert sorted(address(one) for one in again) == sorted(kept)


def test_threads_never_share_a_buffer():
    failures = []

    def work(number):
        for _ in range(300):
            array = allocation.empty((buffers.SMALLEST,), np.int8)
            array[:64] = number
            array[-64:] = number
            if not ((array[:64] == number).all() and (array[-64:] == number).all()):
                failures.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
