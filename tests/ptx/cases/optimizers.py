"""Updates of weights."""

from tests.ptx.case import FLOATS, Case, arrays, normal

RATE = {"learning_rate": 0.1}
BETAS = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7}
ADAM = {"alpha": 0.01, **BETAS}
RMSPROP = {**RATE, "rho": 0.9, "epsilon": 1e-7}
PLAIN = {**RATE, "momentum": 0.0, "nesterov": False}


def state(slots):
    """A function that makes an array for each letter: v is never negative, - is None."""

    def make(dtype):
        values = zip(slots, arrays(*[(5, 7)] * len(slots))(dtype), strict=True)
        return tuple(None if s == "-" else abs(x) + 20 if s == "v" else x for s, x in values)

    return make


def update(primitive, kernel, slots, static, name=""):
    """In each dtype."""
    return [
        Case(primitive, (f"{kernel}_{dtype}",), state(slots), static, (dtype,), f"{name}{dtype}")
        for dtype in FLOATS
    ]


def rows(dtype):
    """Weights, gradients of rows that were taken, and which these are."""
    return normal(5, 2).astype(dtype), normal(6, 2).astype(dtype), ROWS


ROWS = (abs(normal(6)) * 2).astype("int32") % 5

CASES = [
    *update("sgd_update", "sgd_plain", "wg-", PLAIN),
    *update("sgd_update", "sgd_momentum", "wgm", {**RATE, "momentum": 0.9, "nesterov": True}),
    *update("sgd_update", "sgd_momentum", "wgm", {**PLAIN, "momentum": 0.9}, "plain-"),
    *update("adam_update", "adam", "wgmv", ADAM),
    *update("amsgrad_update", "amsgrad", "wgmvv", ADAM),
    *update("rmsprop_update", "rmsprop", "wgv--", {**RMSPROP, "momentum": 0, "centered": False}),
    *update("rmsprop_update", "rmsprop_full", "wgvmm", {**RMSPROP, "momentum": 1, "centered": 1}),
    *update("adagrad_update", "adagrad", "wgv", {**RATE, "epsilon": 1e-7}),
    *update("adadelta_update", "adadelta", "wgvv", RMSPROP),
    *update("lion_update", "lion", "wgm", {**RATE, "beta_1": 0.9, "beta_2": 0.99}),
    *update("adamax_update", "adamax", "wgmv", ADAM),
    *update("nadam_update", "nadam", "wgmv", {"factors": (0.1, 0.2, 0.9), **BETAS}),
    *update("lamb_update", "lamb", "gmv", {"factors": (0.1, 0.9), **BETAS}),
    *update(
        "ftrl_update",
        "ftrl",
        "wgvm",
        {**RATE, "power": 0.5, "l1": 0.1, "l2": 0.2, "shrinkage": 0.3, "beta": 0.5},
    ),
    *update("accumulate_update", "accumulate", "wg", {"by": 0.5}),
    *update("decay_update", "decay", "w", {"keep": 0.9}),
    Case(
        "clip_together",
        ("squares_of_pieces", "scale_pieces"),
        arrays((5, 7), (4100,), (3,)),
        {"clipnorm": 0.5},
    ),
    Case("sgd_row_update", ("store_numbers",), rows, RATE),
]
