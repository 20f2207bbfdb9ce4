"""The one parallel region: runs numbered tasks, given by the address of their function."""

from __future__ import annotations

import functools

from numba import prange, types

from nkeras_numba_cpu.compile import cached, cached_address
from nkeras_numba_cpu.drivers import call_address


def address() -> int:
    """The address of `region(task function, count, what the tasks share)`."""
    return cached_address(types.void(types.int64, types.int64, types.int64), _region)


@functools.partial(cached, parallel=True)
def _spread(function, count, shared):
    for task in prange(count):
        call_address(function, (task, shared))


def _region(function, count, shared):
    _spread(function, count, shared)
