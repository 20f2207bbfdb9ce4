"""Batches that threads or processes make while the model computes, in order."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from nkeras.core.errors import cut_text, warn
from nkeras.core.typing import Structure
from nkeras.utils.py_dataset import PyDataset

Item = TypeVar("Item")
Result = TypeVar("Result")


def made_ahead(
    make: Callable[[Item], Result], items: Iterable[Item], workers: int, most: int
) -> Generator[Result, None, None]:
    """What threads make of items, in their order; the threads end with the generator.

    Args:
        make: called in a thread, with the settings of the thread that asks for results, such as
            the backend.
        items: taken one by one as there is room.
        workers: number of threads.
        most: how many results wait at most.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="nkeras_dataset")

    def submit(item: Item) -> Future[Result]:
        return pool.submit(copy_context().run, make, item)

    return _in_order(pool, submit, iter(items), most)


def batches_ahead(
    dataset: PyDataset, order: Iterable[int], workers: int, processes: bool
) -> Generator[Structure, None, None]:
    """Batches of a dataset, of which up to `max_queue_size` are made ahead.

    Args:
        dataset: gives them.
        order: their indices.
        workers: number of threads or processes.
        processes: whether processes make them, each with a copy of the dataset; where they cannot
            have one, threads do, with a warning.
    """
    pool = _processes(dataset, workers) if processes else None
    if pool is None:
        return made_ahead(dataset.__getitem__, order, workers, dataset.max_queue_size)

    def submit(index: int) -> Future[Structure]:
        return pool.submit(_batch_in_worker, index)

    return _in_order(pool, submit, iter(order), dataset.max_queue_size)


def _processes(dataset: PyDataset, workers: int) -> Executor | None:
    """Processes of which one has the dataset already, or None where it cannot be copied there."""
    import multiprocessing
    import pickle
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # Not fork: threads of compiled kernels do not survive it.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_adopt, initargs=(dataset,))
    try:
        pool.submit(int).result()
    except (BrokenProcessPool, pickle.PicklingError, AttributeError, TypeError) as error:
        pool.shutdown()
        warn(
            f"Threads make the batches of {type(dataset).__name__}: for `use_multiprocessing=True` "
            "other processes import its class and copy it, which needs a class in a module, or in "
            'a script that calls `fit` under `if __name__ == "__main__":`, and attributes that can '
            f"be pickled. {cut_text(str(error), 120)}"
        )
        return None
    return pool


_worker_dataset: PyDataset


def _adopt(dataset: PyDataset) -> None:
    global _worker_dataset
    _worker_dataset = dataset


def _batch_in_worker(index: int) -> Structure:
    return _worker_dataset[index]


def _in_order(
    pool: Executor, submit: Callable[[Item], Future[Result]], items: Iterable[Item], most: int
) -> Generator[Result, None, None]:
    waiting: deque[Future[Result]] = deque()
    try:
        for item in itertools.islice(items, most):
            waiting.append(submit(item))
        while waiting:
            result = waiting.popleft().result()
            for item in itertools.islice(items, 1):
                waiting.append(submit(item))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
