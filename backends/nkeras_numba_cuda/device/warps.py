"""What the threads of a team find together: a sum, or the largest of their values.

A team is a warp (32 threads) or a whole block of warps. All its threads call these functions with a
value each, and all get the same result; the order of the sums follows from the size of the team
alone. In the simulator a block has one thread, which is a team of its own.

    shared = cuda.shared.array(WARP, y.dtype)
    total = sum_in_team(value, team, shared)

Where the team is a block, all threads of the block must come here, also those without a value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nkeras_numba_cuda.cuda import SIMULATOR, cuda
from nkeras_numba_cuda.device.functions import device_function, inlined, same

WARP = 32
_EVERY_LANE = 0xFFFFFFFF


@device_function
def plus(a: Any, b: Any) -> Any:
    return a + b


@device_function
def times(a: Any, b: Any) -> Any:
    return a * b


@device_function
def larger(a: Any, b: Any) -> Any:
    """NaN wins."""
    return a if a > b or a != a else b


@device_function
def smaller(a: Any, b: Any) -> Any:
    """NaN wins."""
    return a if a < b or a != a else b


@device_function
def larger_number(a: Any, b: Any) -> Any:
    """NaN loses."""
    return a if a > b or b != b else b


@device_function
def smaller_number(a: Any, b: Any) -> Any:
    """NaN loses."""
    return a if a < b or b != b else b


def in_team(join: Any) -> Callable[[Any, Any, Any], Any]:
    """A device function `f(value, team, shared)` that joins the values of a team.

    Args:
        join: a device function of two values, which commutes.
    """
    if SIMULATOR:
        return _alone

    @device_function
    def joined(value: Any, team: Any, shared: Any) -> Any:
        distance = WARP // 2
        while distance > 0:
            value = join(value, cuda.shfl_xor_sync(_EVERY_LANE, value, distance))
            distance //= 2
        if team > WARP:
            if cuda.laneid == 0:
                shared[cuda.threadIdx.x // WARP] = value
            cuda.syncthreads()
            value = shared[0]
            for warp in range(1, team // WARP):
                value = join(value, shared[warp])
            cuda.syncthreads()
        return value

    return joined


def _alone(value: Any, team: Any, shared: Any) -> Any:
    return value


def in_lanes(join: Any, lanes: int) -> Callable[[Any], Any]:
    """A device function `f(value)` that joins the values of so many neighbouring lanes.

    Args:
        join: a device function of two values, which commutes.
        lanes: a power of two up to a warp; the simulator has one.
    """
    if SIMULATOR:
        return same

    @device_function
    def joined(value: Any) -> Any:
        distance = lanes // 2
        while distance > 0:
            value = join(value, cuda.shfl_xor_sync(_EVERY_LANE, value, distance))
            distance //= 2
        return value

    return joined


def _block_waits() -> None:
    cuda.syncthreads()


def _nobody_waits() -> None:
    """A block of the simulator has one thread."""


barrier = _nobody_waits if SIMULATOR else inlined(_block_waits)
"""`barrier()`: all threads of a block wait for each other, also from functions of other files, in
which the simulator has no such call."""

sum_in_team = in_team(plus)
max_in_team = in_team(larger)


def best_in_team(join: Any) -> Callable[[Any, Any, Any, Any, Any], Any]:
    """A device function `f(value, place, team, shared, places)`: where the best value stands.

    Of equal ones it is the first.

    Args:
        join: a device function of two values that gives the better one, NaN before numbers.
    """
    if SIMULATOR:
        return _place_alone

    @device_function
    def is_better(other: Any, other_place: Any, value: Any, place: Any) -> Any:
        if value != value:
            return other != other and other_place < place
        if other == value:
            return other_place < place
        return join(value, other) != value

    @device_function
    def joined(value: Any, place: Any, team: Any, shared: Any, places: Any) -> Any:
        distance = WARP // 2
        while distance > 0:
            other = cuda.shfl_xor_sync(_EVERY_LANE, value, distance)
            other_place = cuda.shfl_xor_sync(_EVERY_LANE, place, distance)
            if is_better(other, other_place, value, place):
                value, place = other, other_place
            distance //= 2
        if team > WARP:
            if cuda.laneid == 0:
                shared[cuda.threadIdx.x // WARP] = value
                places[cuda.threadIdx.x // WARP] = place
            cuda.syncthreads()
            value, place = shared[0], places[0]
            for warp in range(1, team // WARP):
                if is_better(shared[warp], places[warp], value, place):
                    value, place = shared[warp], places[warp]
            cuda.syncthreads()
        return place

    return joined


def _place_alone(value: Any, place: Any, team: Any, shared: Any, places: Any) -> Any:
    return place
