"""What memory and caches can do at most: copies between buffers that are used again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache

import numpy as np

ROUNDS, SECONDS = 7, 0.004


@cache
def copy_speed(threads: int, size: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Bytes per second, read and written, of threads that copy: the best of several rounds.

    Args:
        threads: how many copy at once, each between two buffers of its own.
        size: bytes of all buffers together, which decides in which cache they lie.
        clock: gives seconds.
    """
    count = max(64, size // (2 * threads))
    buffers = [(np.ones(count, np.uint8), np.ones(count, np.uint8)) for _ in range(threads)]
    started = clock()
    np.copyto(*buffers[0])
    copies = max(1, int(SECONDS / max(clock() - started, 1e-7)))

    def work(barrier: threading.Barrier, target: np.ndarray, source: np.ndarray) -> None:
        barrier.wait()
        for _ in range(copies):
            np.copyto(target, source)

    seconds = []
    for _ in range(ROUNDS):
        barrier = threading.Barrier(threads + 1)
        workers = [threading.Thread(target=work, args=(barrier, *pair)) for pair in buffers]
        for worker in workers:
            worker.start()
        barrier.wait()
        started = clock()
        for worker in workers:
            worker.join()
        seconds.append(clock() - started)
    return 2.0 * count * threads * copies / min(seconds)


if __name__ == "__main__":
    for count in (1, 2):
        for size in (1 << 18, 1 << 20, 1 << 23, 1 << 26, 1 << 28):
            print(f"{count} threads, {size >> 10:,} KB: {copy_speed(count, size) / 1e9:.1f} GB/s")
