"""Steps of recurrent layers: with and without mask, bias and gradients; backwards in time."""

import numpy as np

from nkeras_numpy.kernels import KERNELS
from tests.ptx.case import FLOATS, Case, normal

BATCH, TIME, FEATURES, UNITS = 3, 3, 4, 5
MASK = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]], bool)


def settings(cell, reverse):
    return {"reverse": reverse} | ({"reset_after": True} if cell == "gru" else {})


def given(gates, states, masked):
    """The arrays of a call; a GRU has a bias for the products of the state, too."""

    def make(dtype):
        shapes = [(BATCH, TIME, FEATURES), *[(BATCH, UNITS)] * states]
        shapes += [
            (FEATURES, gates * UNITS),
            (UNITS, gates * UNITS),
            (2, gates * UNITS) if gates == 3 else (gates * UNITS,),
        ]
        arrays = [normal(*shape, seed=k).astype(dtype) for k, shape in enumerate(shapes)]
        return (*arrays, MASK if masked else None, None)

    return make


def backward(cell, gates, states, masked, reverse):
    """The arrays of a gradient's call."""
    forward = given(gates, states, masked)

    def make(dtype):
        arrays = forward(dtype)
        results = KERNELS[cell](*arrays, **settings(cell, reverse))
        saved = (results[0], *results[1 + states :])
        upstream = [normal(BATCH, TIME, UNITS, seed=9).astype(dtype)]
        upstream += [normal(BATCH, UNITS, seed=10).astype(dtype)] * states
        if masked:
            upstream[1] = None
        return (*upstream, *arrays[:-2], *saved, *arrays[-2:])

    return make


def cases(cell, gates, states):
    found = []
    for masked, reverse in ((False, False), (True, True)):
        name = "masked" if masked else "plain"
        static = settings(cell, reverse)
        inputs = given(gates, states, masked)
        grads = backward(cell, gates, states, masked, reverse)
        both = {**static, "by_x": True}
        found += [
            Case(cell, (f"{cell}_step",), inputs, static, FLOATS, name, 1e-5),
            Case(f"{cell}_grad", (f"{cell}_step_grad",), grads, both, FLOATS, name, 1e-5),
        ]
    return found


CASES = [*cases("lstm", 4, 2), *cases("gru", 3, 1), *cases("simple_rnn", 1, 1)]
