"""Scalar functions of nkeras that are one operator of ONNX, or a shorter formula of some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np

from nkeras.export.onnx.formulas import Formula
from nkeras.export.onnx.graph import Value


class _Constant(Value):
    data: np.ndarray


Direct = Callable[..., Value | None]


def _operator(name: str, **attributes: Any) -> Direct:
    return lambda formula, *operands: formula.run(name, *operands, **attributes)


def _truth(name: str) -> Direct:
    return lambda formula, *operands: formula.truth(name, *operands)


def _with_slope(name: str) -> Direct:
    """An operator that takes its second argument as a number."""

    def write(formula: Formula, x: Value, alpha: Value) -> Value | None:
        if not _is_number(alpha):
            return None
        return formula.run(name, x, alpha=float(alpha.data.item()))

    return write


def _silu(formula: Formula, x: Value) -> Value:
    return formula.run("Mul", x, formula.run("Sigmoid", x))


def _log_sigmoid(formula: Formula, x: Value) -> Value:
    return formula.run("Neg", formula.run("Softplus", formula.run("Neg", x)))


def _relu(formula: Formula, x: Value) -> Value:
    return (
        formula.run("Relu", x) if formula.is_floating else formula.run("Max", x, formula.number(0))
    )


def _relu6(formula: Formula, x: Value) -> Value:
    return formula.run("Clip", x, formula.number(0.0), formula.number(6.0))


def _threshold_relu(
    formula: Formula, x: Value, slope: Value, highest: Value, threshold: Value
) -> Value | None:
    """Nothing below 0, perhaps limited: as most models use it."""
    numbers = [one.data.item() for one in (slope, threshold) if _is_number(one)]
    if numbers != [0.0, 0.0] or not _is_number(highest):
        return None
    if highest.data == np.inf:
        return _relu(formula, x)
    return formula.run("Clip", x, formula.number(0.0), highest)


def _is_number(value: Value) -> TypeGuard[_Constant]:
    """Whether it is one number that is known now."""
    return value.data is not None and value.shape == () and value.path is None


def _clip(formula: Formula, x: Value, low: Value, high: Value) -> Value | None:
    if low.shape != () or high.shape != ():
        return None
    return formula.run("Clip", x, low, high)


ONLY_FLOAT32 = frozenset(  # in runtimes, or because of numbers of theirs
    "softplus log_sigmoid softsign mish selu gelu gelu_tanh hard_sigmoid hard_silu".split()
)
DIRECT: dict[str, Direct] = {
    "relu": _relu,
    "relu6": _relu6,
    "threshold_relu": _threshold_relu,
    "sigmoid": _operator("Sigmoid"),
    "softplus": _operator("Softplus"),
    "softsign": _operator("Softsign"),
    "log_sigmoid": _log_sigmoid,
    "silu": _silu,
    "mish": _operator("Mish"),
    "selu": _operator("Selu"),
    "elu": _with_slope("Elu"),
    "celu": _with_slope("Celu"),
    "leaky_relu": _with_slope("LeakyRelu"),
    "gelu": _operator("Gelu"),
    "gelu_tanh": _operator("Gelu", approximate="tanh"),
    "hard_sigmoid": _operator("HardSigmoid", alpha=1.0 / 6.0, beta=0.5),
    "hard_silu": _operator("HardSwish"),
    "clip": _clip,
    "sign": _operator("Sign"),
    "maximum": _operator("Max"),
    "minimum": _operator("Min"),
    "reciprocal": _operator("Reciprocal"),
    "logical_not": _truth("Not"),
    "logical_xor": _truth("Xor"),
}
