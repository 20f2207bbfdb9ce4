"""Arguments of the recurrent kernels, and calls of them with and without each optional one."""

import numpy as np

from nkeras_numpy.kernels import KERNELS as REFERENCE

GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
STATES = {"lstm": 2, "gru": 1, "simple_rnn": 1}


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def arguments(
    cell,
    sizes,
    *,
    kernel=True,
    bias=True,
    mask=False,
    dropout=False,
    reset_after=True,
    dtype=np.float32,
):
    """The arrays of a call; sizes are batch, time, features and units."""
    batch, time, features, units = sizes
    columns = GATES[cell] * units
    random = np.random.default_rng(8)
    two = cell == "gru" and reset_after
    return [
        normal(batch, time, features if kernel else columns, dtype=dtype),
        *(normal(batch, units, seed=1 + i, dtype=dtype) for i in range(STATES[cell])),
        normal(features, columns, seed=3, dtype=dtype) if kernel else None,
        normal(units, columns, seed=4, dtype=dtype) / dtype(np.sqrt(units)),
        normal(*((2, columns) if two else (columns,)), seed=5, dtype=dtype) if bias else None,
        random.random((batch, time)) < 0.6 if mask else None,
        (random.random((GATES[cell], batch, units)) < 0.7).astype(dtype) / dtype(0.7)
        if dropout
        else None,
    ]


def static(cell, reverse=False, reset_after=True):
    """The static values of a call."""
    return {"reverse": reverse} | ({"reset_after": reset_after} if cell == "gru" else {})


def saved(cell, results):
    """Of a call's results, what the gradient takes: all but the last states."""
    return [results[0], *results[1 + STATES[cell] :]]


def grad_arguments(cell, given, results, upstream):
    """The arrays of a gradient's call, from those of the call, its results and their gradients."""
    return [*upstream, *given[:-2], *saved(cell, results), *given[-2:]]


def cases():
    """Calls of all recurrent kernels."""
    settings = {
        "": {},
        "-no-bias": {"bias": False},
        "-mask": {"mask": True},
        "-dropout": {"dropout": True, "kernel": False},
        "-mask-dropout": {"mask": True, "dropout": True, "bias": False},
    }
    for cell in GATES:
        for reset_after in (True, False) if cell == "gru" else (True,):
            for number, (label, options) in enumerate(settings.items()):
                given = arguments(cell, (5, 4, 3, 17), reset_after=reset_after, **options)
                values = static(cell, number % 2 == 1, reset_after)
                label = f"{cell}{'' if reset_after else '-reset-before'}{label}"
                yield label, cell, tuple(given), values
                results = REFERENCE[cell](*given, **values)
                upstream = [normal(*one.shape, seed=6) for one in results[: 1 + STATES[cell]]]
                if number == 1:
                    upstream[0] = upstream[-1] = None
                arrays = grad_arguments(cell, given, results, upstream)
                values = values | {"by_x": number != 1}
                yield f"{label}-grad", f"{cell}_grad", tuple(arrays), values
