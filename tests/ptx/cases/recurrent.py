"""Steps of recurrent layers: with and without mask, bias and gradients; backwards in time."""

import numpy as np

from nkeras_numpy.kernels import KERNELS
from tests.ptx.case import FLOATS, Case, normal

BATCH, TIME, FEATURES, UNITS = 3, 3, 4, 5
MASK = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]], bool)


def settings(cell, reverse):
    return {"reverse": reverse} | ({"reset_after": True} if cell == "gru" else {})


def given(gates, states, masked, dropped=False):
    """The arrays of a call; a GRU has a bias for the products of the state, too."""

    def make(dtype):
        shapes = [(BATCH, TIME, FEATURES), *[(BATCH, UNITS)] * states]
        shapes += [
            (FEATURES, gates * UNITS),
            (UNITS, gates * UNITS),
            (2, gates * UNITS) if gates == 3 else (gates * UNITS,),
        ]
        arrays = [normal(*shape, seed=k).astype(dtype) for k, shape in enumerate(shapes)]
        kept = normal(gates, BATCH, UNITS, seed=11).astype(dtype) if dropped else None
        return (*arrays, MASK if masked else None, kept)

    return make


def backward(cell, gates, states, masked, reverse, dropped=False):
    """The arrays of a gradient's call."""
    forward = given(gates, states, masked, dropped)

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
    return [*found, *dropping(cell, gates, states)]


def dropping(cell, gates, states):
    """With dropout of the state."""
    static = settings(cell, True)
    inputs = given(gates, states, True, True)
    grads = backward(cell, gates, states, True, True, True)
    forward, back = ("masked_states", "turned_lines"), ("sum_of_gates", "turned_lines")
    return [
        Case(cell, forward, inputs, static, FLOATS, "dropped", 1e-5),
        Case(f"{cell}_grad", back, grads, {**static, "by_x": True}, FLOATS, "dropped", 1e-5),
    ]


def reset_before():
    """A GRU with two products in a step, without anything more, and with all of it."""
    found = []
    for name, more in (("before", False), ("before-all", True)):
        static = {"reverse": more, "reset_after": False}

        def inputs(dtype, more=more):
            arrays = list(given(3, 1, more, more)(dtype))
            arrays[4] = arrays[4][0]  # one bias
            return tuple(arrays)

        def grads(dtype, inputs=inputs, static=static):
            arrays = inputs(dtype)
            y, last, gates, inner = KERNELS["gru"](*arrays, **static)
            upstream = [normal(*one.shape, seed=9).astype(dtype) for one in (y, last)]
            return (*upstream, *arrays[:-2], y, gates, inner, *arrays[-2:])

        both, back = {**static, "by_x": True}, ("gru_candidate_grad", "gru_reset_grad")
        found += [
            Case("gru", ("gru_gates", "gru_state"), inputs, static, FLOATS, name, 1e-5),
            Case("gru_grad", back, grads, both, FLOATS, name, 1e-5),
        ]
    return found


CASES = [*reset_before(), *cases("lstm", 4, 2), *cases("gru", 3, 1), *cases("simple_rnn", 1, 1)]
