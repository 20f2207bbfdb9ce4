"""Optimizer updates: all variables of a step in one launch.

`TOGETHER` has the updates of many variables, `f(calls, **static)`, and the table of kernels those
of one. What is new in each step is a number, or a cell of float64 (`cells`); other settings are
rounded to the dtype of the arrays on the host. A buffer that the settings do not use is None for
the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nkeras_numba_cuda.cells import cell, reads_cell
from nkeras_numba_cuda.cuda import TARGET
from nkeras_numba_cuda.device.intrinsics import square_root
from nkeras_numba_cuda.kernels.indexing import take_grad
from nkeras_numba_cuda.kernels.registry import OWN, TOGETHER
from nkeras_numba_cuda.kernels.updates import update
from nkeras_numba_cuda.launch import FLOATING
from nkeras_numba_cuda.memory import Array
from nkeras_numpy.kernels import KERNELS as REFERENCE
from nkeras_numpy.namespace import in_float32

Calls = Sequence[Sequence[Array]]
Results = list[tuple[Any, ...]]


@update("w grad", outputs="w", live="learning_rate")
def sgd_plain(x, s):
    x[0] -= s[0] * x[1]


@update("w grad velocity", outputs="w velocity", live="learning_rate", settings="momentum nesterov")
def sgd_momentum(x, s):
    step = s[0] * x[1]
    x[2] = s[1] * x[2] - step
    x[0] += s[1] * x[2] - step if s[2] != s.dtype.type(0) else x[2]


@update("w grad m v", outputs="w m v", live="alpha", settings="rest_1 rest_2 epsilon")
def adam(x, s):
    x[2] += (x[1] - x[2]) * s[1]
    x[3] += (x[1] * x[1] - x[3]) * s[2]
    x[0] -= x[2] * s[0] / (square_root(x[3]) + s[3])


@update("w grad m v v_hat", outputs="w m v v_hat", live="alpha", settings="rest_1 rest_2 epsilon")
def amsgrad(x, s):
    x[2] += (x[1] - x[2]) * s[1]
    x[3] += (x[1] * x[1] - x[3]) * s[2]
    if x[3] > x[4] or x[3] != x[3]:  # NaN is kept
        x[4] = x[3]
    x[0] -= x[2] * s[0] / (square_root(x[4]) + s[3])


@update("w grad v", outputs="w v", live="learning_rate", settings="rho rest epsilon")
def rmsprop(x, s):
    x[2] = s[1] * x[2] + s[2] * x[1] * x[1]
    x[0] -= s[0] * x[1] / square_root(x[2] + s[3])


@update(
    "w grad v buffer average",
    outputs="w v buffer average",
    live="learning_rate",
    settings="rho rest epsilon momentum centered",
)
def rmsprop_full(x, s):
    x[2] = s[1] * x[2] + s[2] * x[1] * x[1]
    denominator = x[2] + s[3]
    if s[5] != s.dtype.type(0):
        x[4] = s[1] * x[4] + s[2] * x[1]
        denominator -= x[4] * x[4]
    increment = s[0] * x[1] / square_root(denominator)
    if s[4] > s.dtype.type(0):
        increment += s[4] * x[3]
    x[3] = increment
    x[0] -= increment


@update("w grad a", outputs="w a", live="learning_rate", settings="epsilon")
def adagrad(x, s):
    x[2] += x[1] * x[1]
    x[0] -= s[0] * x[1] / square_root(x[2] + s[1])


@update("w grad a steps", outputs="w a steps", live="learning_rate", settings="rho rest epsilon")
def adadelta(x, s):
    x[2] = s[1] * x[2] + s[2] * (x[1] * x[1])
    delta = x[1] * (square_root(x[3] + s[3]) / square_root(x[2] + s[3]))
    x[0] -= s[0] * delta
    x[3] = s[1] * x[3] + s[2] * (delta * delta)


@update("w grad m", outputs="w m", live="learning_rate", settings="beta_1 rest_1 beta_2 rest_2")
def lion(x, s):
    zero = s.dtype.type(0)
    direction = s[1] * x[2] + s[2] * x[1]
    if direction > zero:
        x[0] -= s[0]
    elif direction < zero:
        x[0] += s[0]
    else:
        x[0] -= s[0] * direction  # 0 or NaN
    x[2] = s[3] * x[2] + s[4] * x[1]


@update("w grad m norm", outputs="w m norm", live="alpha", settings="rest_1 beta_2 epsilon")
def adamax(x, s):
    x[2] += (x[1] - x[2]) * s[1]
    size = abs(x[1])
    x[3] *= s[2]
    if size > x[3] or size != size:  # NaN is kept
        x[3] = size
    x[0] -= s[0] * x[2] / (x[3] + s[3])


@update(
    "w grad m v",
    outputs="w m v",
    live="of_m of_grad of_root",
    settings="rest_1 rest_2 epsilon",
)
def nadam(x, s):
    x[2] += (x[1] - x[2]) * s[3]
    x[3] += (x[1] * x[1] - x[3]) * s[4]
    x[0] -= (x[2] * s[0] + x[1] * s[1]) / (square_root(x[3]) * s[2] + s[5])


@update(
    "w grad n z",
    outputs="w n z",
    live="learning_rate",
    settings="power l1 twice_l2 shrinkage beta",
)
def ftrl(x, s):
    total = x[2] + x[1] * x[1]
    grown = total ** s[1]
    z = x[3] + (x[1] + s[4] * x[0]) - (grown - x[2] ** s[1]) / s[0] * x[0]
    quadratic = grown / s[0] + (s[3] + s[5] / s[0])
    clipped = z
    if clipped < -s[2]:
        clipped = -s[2]
    elif clipped > s[2]:
        clipped = s[2]
    x[0] = (clipped - z) / quadratic
    x[2] = total
    x[3] = z


@update("grad m v", outputs="grad m v", live="of_m of_root", settings="rest_1 rest_2 epsilon")
def lamb(x, s):
    x[1] += (x[0] - x[1]) * s[2]
    x[2] += (x[0] * x[0] - x[2]) * s[3]
    x[0] = x[1] * s[0] / (square_root(x[2]) * s[1] + s[4])


@update("w change", outputs="w", live="by")
def accumulate(x, s):
    x[0] += s[0] * x[1]


@update("w", outputs="w", live="keep")
def decay(x, s):
    x[0] *= s[0]


def _many(live: str) -> Callable[[Callable[..., Results]], Callable[..., Results]]:
    """Decorator: updates of many variables, and with them those of one.

    Args:
        live: the argument that is new in each step.
    """

    def register(together: Callable[..., Results]) -> Callable[..., Results]:
        name = together.__name__
        if name not in REFERENCE:  # one call alone is made of simpler operations
            if TARGET == "numba-cuda":
                TOGETHER.register(together)
            return together
        reference = reads_cell(REFERENCE[name], live)

        @in_float32
        def one(*arrays: Any, **static: Any) -> Any:
            if arrays[0].dtype.name not in FLOATING:
                return reference(*arrays, **static)
            return together([arrays], **static)[0]

        one.__name__ = name
        if TARGET == "numba-cuda":
            OWN.register(one)
            TOGETHER.register(together)
        else:  # numba-cuda-mlir takes no intrinsics
            OWN[name] = reference
        return together

    return register


def _numbers(value: Any) -> Any:
    """What is new in each step: a sequence of numbers, or a cell."""
    return value if hasattr(value, "dtype") and value.shape else (value,)


def _without(calls: Calls, *places: int) -> Calls:
    return [[a for i, a in enumerate(arrays) if i not in places] for arrays in calls]


@_many("by")
def accumulate_update(calls: Calls, *, by: float) -> Results:
    """Sums over steps."""
    return accumulate(calls, _numbers(by))


@_many("keep")
def decay_update(calls: Calls, *, keep: float) -> Results:
    """Weight decay."""
    return decay(calls, _numbers(keep))


@_many("learning_rate")
def sgd_update(calls: Calls, *, learning_rate: float, momentum: float, nesterov: bool) -> Results:
    """Gradient descent, with momentum if there is a velocity."""
    if calls[0][2] is None:
        return [(w, None) for (w,) in sgd_plain(_without(calls, 2), _numbers(learning_rate))]
    return sgd_momentum(calls, _numbers(learning_rate), (momentum, nesterov))


@_many("alpha")
def adam_update(
    calls: Calls, *, alpha: float, beta_1: float, beta_2: float, epsilon: float
) -> Results:
    """Adam; `alpha` is the learning rate with the bias corrections."""
    return adam(calls, _numbers(alpha), (1 - beta_1, 1 - beta_2, epsilon))


@_many("alpha")
def amsgrad_update(
    calls: Calls, *, alpha: float, beta_1: float, beta_2: float, epsilon: float
) -> Results:
    """Adam with the largest second moment so far under the root."""
    return amsgrad(calls, _numbers(alpha), (1 - beta_1, 1 - beta_2, epsilon))


@_many("learning_rate")
def rmsprop_update(
    calls: Calls,
    *,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
) -> Results:
    """RMSprop, optionally centered and with momentum."""
    live, settings = _numbers(learning_rate), (rho, 1 - rho, epsilon)
    if not momentum > 0 and not centered:
        made = rmsprop(_without(calls, 3, 4), live, settings)
        return [(*new, *old[3:]) for new, old in zip(made, calls, strict=True)]
    filled = [[arrays[0] if a is None else a for a in arrays] for arrays in calls]
    made = rmsprop_full(filled, live, (*settings, momentum, centered))
    return [
        (w, v, buffer if momentum > 0 else old[3], average if centered else old[4])
        for (w, v, buffer, average), old in zip(made, calls, strict=True)
    ]


@_many("learning_rate")
def adagrad_update(calls: Calls, *, learning_rate: float, epsilon: float) -> Results:
    """Adagrad."""
    return adagrad(calls, _numbers(learning_rate), (epsilon,))


@_many("learning_rate")
def adadelta_update(calls: Calls, *, learning_rate: float, rho: float, epsilon: float) -> Results:
    """Adadelta."""
    return adadelta(calls, _numbers(learning_rate), (rho, 1 - rho, epsilon))


@_many("learning_rate")
def lion_update(calls: Calls, *, learning_rate: float, beta_1: float, beta_2: float) -> Results:
    """Lion."""
    return lion(calls, _numbers(learning_rate), (beta_1, 1 - beta_1, beta_2, 1 - beta_2))


@_many("alpha")
def adamax_update(
    calls: Calls, *, alpha: float, beta_1: float, beta_2: float, epsilon: float
) -> Results:
    """Adam with the largest gradient so far."""
    return adamax(calls, _numbers(alpha), (1 - beta_1, beta_2, epsilon))


@_many("factors")
def nadam_update(
    calls: Calls,
    *,
    factors: tuple[float, float, float],
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> Results:
    """Adam with Nesterov's momentum."""
    return nadam(calls, factors, (1 - beta_1, 1 - beta_2, epsilon))


@_many("learning_rate")
def ftrl_update(
    calls: Calls,
    *,
    learning_rate: float,
    power: float,
    l1: float,
    l2: float,
    shrinkage: float,
    beta: float,
) -> Results:
    """Follow the regularized leader."""
    settings = power, l1, 2 * l2, shrinkage, beta
    return ftrl(calls, _numbers(learning_rate), settings)


@_many("factors")
def lamb_update(
    calls: Calls,
    *,
    factors: tuple[float, float],
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> Results:
    """The direction of Lamb's step."""
    return lamb(calls, factors, (1 - beta_1, 1 - beta_2, epsilon))


@OWN.register
def sgd_row_update(w: Array, grad_y: Array, indices: Array, *, learning_rate: Any) -> Array:
    """Gradient descent by gradients of rows that were taken."""
    grad = take_grad(grad_y, indices, shape=w.shape, axis=0)
    static = {"learning_rate": cell(learning_rate), "momentum": 0.0, "nesterov": False}
    return OWN["sgd_update"](w, grad, None, **static)[0]


@OWN.register
def adagrad_row_update(
    w: Array, grad_y: Array, indices: Array, a: Array, *, learning_rate: Any, epsilon: float
) -> tuple[Array, Array]:
    """Adagrad by gradients of rows that were taken."""
    grad = take_grad(grad_y, indices, shape=w.shape, axis=0)
    return OWN["adagrad_update"](w, grad, a, learning_rate=cell(learning_rate), epsilon=epsilon)
