"""A call of every primitive that is not elementwise; `CASES` is enumerated against the registry."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_random = np.random.default_rng(11)


class Case(NamedTuple):
    """Positional arrays, named static values, and which derivatives are checked."""

    arrays: tuple[Any, ...]
    static: dict[str, Any]
    gradient: bool = True
    second_order: bool = True


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return _random.uniform(low, high, shape).astype("float32")


def ints(high: int, *shape: int) -> np.ndarray:
    return _random.integers(0, high, shape).astype("int32")


def positive(*shape: int) -> np.ndarray:
    return floats(*shape, low=0.1, high=1.0)


def log_probabilities(*shape: int) -> np.ndarray:
    x = floats(*shape)
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype("float32")


_CONV = {"strides": (2, 1), "padding": ((1, 0), (0, 1)), "dilation": (1, 2), "groups": 2}
_POOL = {"pool_size": (2, 2), "strides": (2, 1), "padding": ((0, 1), (1, 0))}
_BOOL = np.array([[True, False], [False, False]])
_MOMENTUM = {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}
_ADAM = {"alpha": 0.1, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7}
_BETAS = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-7}
_FTRL = {"l1": 0.1, "l2": 0.2, "shrinkage": 0.3, "beta": 0.5}
_WITH_STATE = floats(2, 3), floats(2, 3), positive(2, 3), positive(2, 3)
_RMSPROP = {"learning_rate": 0.1, "rho": 0.9, "momentum": 0.5, "epsilon": 1e-7, "centered": True}

CASES: dict[str, list[Case]] = {
    "reshape": [Case((floats(2, 6),), {"shape": (3, 4)})],
    "transpose": [Case((floats(2, 3, 2),), {"axes": (2, 0, 1)})],
    "broadcast_to": [Case((floats(3, 1),), {"shape": (2, 3, 4)})],
    "repeat": [
        Case((floats(2, 3, 2),), {"repeats": (1, 2, 3)}),
        Case((floats(2, 3),), {"repeats": (1, 1)}),
        Case((floats(2, 3),), {"repeats": (3, 0)}),
    ],
    "concatenate": [Case((floats(2, 3), floats(2, 1), floats(2, 2)), {"axis": 1})],
    "stack": [Case((floats(2, 3), floats(2, 3)), {"axis": axis}) for axis in (0, 1, 2)],
    "slice": [
        Case((floats(4, 5),), {"index": ((1, 4, 2), (4, None, -2))}),
        Case((floats(4, 5),), {"index": (2, (1, 4, 1))}),
        Case((floats(4, 5),), {"index": ((3, None, -2), 4)}),
    ],
    "slice_grad": [
        Case((floats(2, 3),), {"shape": (4, 5), "index": ((1, 4, 2), (4, None, -2))}),
        Case((floats(3),), {"shape": (4, 5), "index": (2, (1, 4, 1))}),
        Case((floats(2),), {"shape": (4, 5), "index": ((3, None, -2), 4)}),
    ],
    "slice_update": [
        Case((floats(4, 5), floats(2, 3)), {"index": ((1, 3, 1), (0, 3, 1))}),
    ],
    "pad": [
        Case((floats(3, 2),), {"pad_width": ((1, 2), (0, 1)), "mode": mode, "constant": 0.5})
        for mode in ("constant", "reflect", "symmetric")
    ],
    "flip": [Case((floats(2, 3),), {"axis": (0, 1)})],
    "cast": [Case((floats(2, 3),), {"dtype": "int32"}, False)],
    "matmul": [
        Case((floats(2, 3), floats(3, 4)), {}),
        Case((floats(2, 1, 2, 3), floats(3, 3, 2)), {}),
    ],
    "dense": [
        Case((floats(2, 3), floats(3, 4), floats(4)), {"activation": "linear"}),
        Case((floats(2, 2, 3), floats(3, 5), floats(5)), {"activation": "linear"}),
    ],
    "dense_grad": [
        Case(
            (floats(2, 4), floats(2, 3), floats(3, 4)),
            {"by": ("x", "kernel", "bias")},
        ),
        Case(
            (floats(2, 2, 5), floats(2, 2, 3), floats(3, 5)),
            {"by": ("kernel",)},
        ),
    ],
    "cdist_squared": [
        Case((floats(5, 3), floats(2, 3)), {}),
        Case((floats(2, 1, 3, 4), floats(3, 2, 4)), {}),
    ],
    "nextafter": [Case((floats(2, 3), floats(3)), {}, False)],
    "cross": [Case((floats(2, 4, 3), floats(2, 4, 3)), {})],
    "stop_gradient": [Case((floats(2, 3),), {}, False)],
    **{
        name: [
            Case((floats(2, 3, 2),), {"axis": (0, 2), "keepdims": False}),
            Case((floats(2, 3),), {"axis": (1,), "keepdims": True}),
        ]
        for name in ("reduce_sum", "reduce_mean", "reduce_prod", "reduce_max", "reduce_min")
    },
    **{
        name: [
            Case((np.array([[1, np.nan, 3], [-np.inf, 2, np.nan]], "float32"),), static, False)
            for static in ({"axis": (1,), "keepdims": False}, {"axis": (0, 1), "keepdims": True})
        ]
        + [Case((floats(2, 3, 2),), {"axis": (0, 2), "keepdims": False})]
        for name in ("reduce_fmax", "reduce_fmin")
    },
    "means_of_squares": [
        Case((floats(*shape),), {"added": 0.1}, False) for shape in ((3, 4), (2, 3, 5))
    ],
    "sum_of_squares": [Case((floats(2, 3),), {}), Case((floats(4),), {})],
    "reduce_any": [Case((_BOOL,), {"axis": (1,), "keepdims": False})],
    "reduce_all": [Case((_BOOL,), {"axis": (0,), "keepdims": True})],
    "argmax": [Case((floats(2, 3),), {"axis": 1, "keepdims": False})],
    "argmin": [Case((floats(2, 3),), {"axis": 0, "keepdims": True})],
    "cumsum": [Case((floats(2, 4),), {"axis": 1})],
    "cumprod": [
        Case((floats(2, 4),), {"axis": 1}),
        Case((np.array([[2, 0, 3, 4], [1, 0, 0, 2]], "float32"),), {"axis": 1}),
    ],
    "linear_recurrence": [
        Case((floats(2, 4), floats(2, 4)), {"axis": 1}),
        Case((floats(3, 2, 2), floats(3, 2, 2)), {"axis": 0}),
    ],
    "sort": [Case((floats(4, 2),), {"axis": 0})],
    "argsort": [Case((floats(4, 2),), {"axis": 0})],
    "top_k": [Case((floats(3, 7),), {"k": 3}), Case((floats(2, 2, 4),), {"k": 4})],
    "searchsorted": [
        Case((np.sort(floats(6)), floats(2, 3)), {"right": right}, False) for right in (True, False)
    ],
    "take": [Case((floats(2, 4), ints(4, 3)), {"axis": 1})],
    "take_grad": [Case((floats(2, 3), ints(4, 3)), {"shape": (2, 4), "axis": 1})],
    "take_along_axis": [Case((floats(2, 4), ints(4, 2, 3)), {"axis": 1})],
    "take_along_axis_grad": [Case((floats(2, 3), ints(4, 2, 3)), {"shape": (2, 4), "axis": 1})],
    "gather_nd": [Case((floats(2, 3, 2), ints(2, 4, 2)), {})],
    "scatter_nd": [Case((ints(2, 4, 2), floats(4, 2)), {"shape": (2, 3, 2)})],
    "scatter_update": [Case((floats(4, 2), np.array([[1], [3], [1]], "int32"), floats(3, 2)), {})],
    "scatter_reduce": [
        Case(
            (floats(4, 2), np.array([[1], [3], [1]], "int32"), floats(3, 2)),
            {"reduction": reduction},
        )
        for reduction in ("max", "min", "mul")
    ],
    "conv": [Case((floats(2, 5, 4, 4), floats(2, 2, 2, 4)), _CONV)],
    "conv_bias": [
        Case((floats(2, 5, 4, 4), floats(2, 2, 2, 4), None), {"activation": "linear", **_CONV}),
        Case(
            (floats(1, 4, 4, 4), floats(2, 2, 2, 4), floats(4)), {"activation": "linear", **_CONV}
        ),
    ],
    "conv_grad_input": [
        Case((floats(2, 3, 3, 4), floats(2, 2, 2, 4)), {"input_shape": (2, 5, 4, 4), **_CONV})
    ],
    "conv_grad_kernel": [
        Case((floats(2, 5, 4, 4), floats(2, 3, 3, 4)), {"kernel_shape": (2, 2, 2, 4), **_CONV})
    ],
    "batch_norm": [
        Case((floats(2, 3, 4), floats(4), floats(4)), {"epsilon": 1e-3}),
        Case((floats(5, 3), None, None), {"epsilon": 1e-2}),
    ],
    "batch_norm_grad": [
        Case(
            (floats(2, 3, 4), floats(2, 3, 4), floats(4), floats(4), positive(4)),
            {"epsilon": 1e-3},
        ),
        Case((floats(5, 3), floats(5, 3), None, floats(3), positive(3)), {"epsilon": 1e-2}),
    ],
    "fold_batch_norm": [
        Case(
            (floats(3, 2), floats(2), floats(2), positive(2), floats(2), floats(2)),
            {"epsilon": 1e-3},
            False,
        ),
        Case((floats(3, 2), None, floats(2), positive(2), None, None), {"epsilon": 1e-2}, False),
    ],
    "batch_norm_inference": [
        Case(
            (floats(2, 3, 4), floats(4), positive(4), floats(4), floats(4)),
            {"epsilon": 1e-3},
        ),
        Case((floats(5, 3), floats(3), positive(3), None, None), {"epsilon": 1e-2}),
    ],
    "layer_norm": [
        Case((floats(2, 3, 5), floats(5), floats(5)), {"epsilon": 1e-3}),
        Case((floats(4, 3), None, None), {"epsilon": 1e-2}),
    ],
    "layer_norm_grad": [
        Case((floats(2, 3, 5), floats(2, 3, 5), floats(5), floats(2, 3), positive(2, 3)), {}),
        Case((floats(4, 3), floats(4, 3), None, floats(4), positive(4)), {}),
    ],
    "rms_norm": [
        Case((floats(2, 3, 5), floats(5)), {"epsilon": 1e-3}),
        Case((floats(4, 3), None), {"epsilon": 1e-2}),
    ],
    "rms_norm_grad": [
        Case((floats(2, 3, 5), floats(2, 3, 5), floats(5), positive(2, 3)), {}),
        Case((floats(4, 3), floats(4, 3), None, positive(4)), {}),
    ],
    "softmax": [Case((floats(2, 3),), {"axis": 1})],
    "log_softmax": [Case((floats(3, 2),), {"axis": 0})],
    "softmax_grad": [Case((floats(2, 3), positive(2, 3)), {"axis": 1})],
    "log_softmax_grad": [Case((floats(2, 3), log_probabilities(2, 3)), {"axis": 1})],
    "sparse_softmax_cross_entropy": [Case((floats(3, 4), ints(4, 3)), {})],
    "dropout": [Case((floats(3, 7),), {"key": (3, 4), "rate": 0.4})],
    "softmax_cross_entropy": [Case((positive(3, 4), floats(3, 4)), {})],
    "softmax_cross_entropy_grad": [Case((floats(3), positive(3, 4), log_probabilities(3, 4)), {})],
    "sparse_cross_entropy": [Case((positive(3, 4), ints(4, 3)), {"epsilon": 0.05})],
    "sparse_cross_entropy_grad": [Case((floats(3), positive(3, 4), ints(4, 3)), {"epsilon": 0.05})],
    "cross_entropy": [Case((positive(3, 4), positive(3, 4)), {"epsilon": 0.05})],
    "cross_entropy_grad": [Case((floats(3), positive(3, 4), positive(3, 4)), {"epsilon": 0.05})],
    "sparse_softmax_cross_entropy_grad": [
        Case((floats(3), log_probabilities(3, 4), ints(4, 3)), {})
    ],
    "max_pool": [Case((floats(2, 4, 4, 2),), _POOL)],
    "max_pool_grad": [
        Case(
            (floats(2, 2, 4, 2), ints(4, 2, 2, 4, 2).astype("uint8")),
            {"input_shape": (2, 4, 4, 2), **_POOL},
        )
    ],
    "max_pool_take": [Case((floats(2, 4, 4, 2), ints(4, 2, 2, 4, 2).astype("uint8")), _POOL)],
    "average_pool": [Case((floats(2, 4, 4, 2),), _POOL)],
    "average_pool_grad": [Case((floats(2, 2, 4, 2),), {"input_shape": (2, 4, 4, 2), **_POOL})],
    "gamma_normals": [Case((positive(2, 5), positive(2, 5)), {"key": (3, 4)}, False)],
    "random_bits": [Case((), {"key": (7, 1), "size": 6}, False)],
    # Updates are never differentiated: they are what gradients are used for.
    "sgd_update": [
        Case((floats(2, 3), floats(2, 3), floats(2, 3)), _MOMENTUM, False),
        Case((floats(3), floats(3), None), {**_MOMENTUM, "momentum": 0.0}, False),
    ],
    "adam_update": [Case((floats(2, 3), floats(2, 3), floats(2, 3), positive(2, 3)), _ADAM, False)],
    "amsgrad_update": [
        Case((floats(3), floats(3), floats(3), positive(3), positive(3)), _ADAM, False)
    ],
    "adagrad_update": [Case(_WITH_STATE[:3], {"learning_rate": 0.1, "epsilon": 1e-7}, False)],
    "adadelta_update": [
        Case(_WITH_STATE, {"learning_rate": 0.1, "rho": 0.9, "epsilon": 1e-3}, False)
    ],
    "lion_update": [
        Case(_WITH_STATE[:3], {"learning_rate": 0.1, "beta_1": 0.9, "beta_2": 0.8}, False)
    ],
    "adamax_update": [Case(_WITH_STATE, _ADAM, False)],
    "nadam_update": [Case(_WITH_STATE, {"factors": (0.1, 0.2, 1.5), **_BETAS}, False)],
    "ftrl_update": [
        Case(_WITH_STATE, {"power": power, "learning_rate": 0.1, **_FTRL}, False)
        for power in (0.5, 0.7)
    ],
    "lamb_update": [Case(_WITH_STATE[1:], {"factors": (1.5, 2.0), **_BETAS}, False)],
    "rmsprop_update": [
        Case((floats(3), floats(3), 2.0 + positive(3), floats(3), positive(3)), _RMSPROP, False)
    ],
}
