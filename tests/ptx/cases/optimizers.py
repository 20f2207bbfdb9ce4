"""Updates of weights."""

from tests.ptx.case import FLOATS, Case, arrays

RATE = {"learning_rate": 0.1}
ADAM = {"alpha": 0.01, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7}
RMSPROP = {**RATE, "rho": 0.9, "epsilon": 1e-7}


def state(weights, positive):
    """A function that makes weights, a gradient and other state, then what is never negative."""

    def make(dtype):
        values = arrays(*[(5, 7)] * (weights + positive))(dtype)
        return (*values[:weights], *(abs(value) for value in values[weights:]))

    return make


def sgd(name, momentum, nesterov):
    static = {**RATE, "momentum": momentum, "nesterov": nesterov}
    inputs = state(3, 0) if momentum else arrays((5, 7), (5, 7), None)
    names = ("sgd_momentum" if momentum else "sgd_plain", "store_numbers")
    return Case("sgd_update", names[: 1 if momentum else 2], inputs, static, FLOATS, name)


def rmsprop(name, momentum, centered):
    def make(dtype):
        w, grad, v, buffer, average = arrays(*[(5, 7)] * 5)(dtype)
        v = abs(v) + 20
        return w, grad, v, buffer if momentum else None, average if centered else None

    static = {**RMSPROP, "momentum": momentum, "centered": centered}
    return Case("rmsprop_update", ("rmsprop",), make, static, FLOATS, name)


CASES = [
    sgd("plain", 0.0, False),
    sgd("momentum", 0.9, False),
    sgd("nesterov", 0.9, True),
    Case("adam_update", ("adam",), state(3, 1), ADAM),
    Case("amsgrad_update", ("amsgrad",), state(3, 2), ADAM),
    rmsprop("plain", 0.0, False),
    rmsprop("momentum", 0.9, False),
    rmsprop("centered", 0.9, True),
]
