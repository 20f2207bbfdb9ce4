"""The worker's side of every_op.py: evaluates a case's expression with a framework's functions."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from every_op_cases import inputs


def make(framework: str, case: dict[str, Any]) -> Callable[[], Any] | None:
    """The function to time, or None where NumPy has no such thing."""
    arrays = inputs(case["expression"], case["count"])
    code = compile(case["expression"], case["expression"], "eval")
    names = {"count": case["count"], "slice": slice}
    return MAKERS[framework](code, names, arrays)


def _nkeras(code: Any, names: dict[str, Any], arrays: dict[str, np.ndarray]) -> Callable[[], Any]:
    from nkeras import ops, random

    tensors = {name: ops.convert_to_tensor(array) for name, array in arrays.items()}
    scope = {**names, **tensors, "ops": ops, "random": random}
    return lambda: eval(code, scope)


def _numpy(
    code: Any, names: dict[str, Any], arrays: dict[str, np.ndarray]
) -> Callable[[], Any] | None:
    scope = {**names, **arrays, "ops": np}
    try:
        eval(code, scope)
    except (AttributeError, TypeError, NameError, ValueError):
        return None
    return lambda: eval(code, scope)


def _keras_jax(
    code: Any, names: dict[str, Any], arrays: dict[str, np.ndarray]
) -> Callable[[], Any]:
    """Jitted, unless there is nothing to jit (a constant) or the shape depends on values."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax
    from keras import ops, random

    scope = {**names, "ops": ops, "random": random}
    held = {name: jax.numpy.array(array) for name, array in arrays.items()}

    def run(held: dict[str, Any]) -> Any:
        return eval(code, {**scope, **held})

    compiled = jax.jit(run)
    try:
        is_jitted = bool(held) and jax.block_until_ready(compiled(held)) is not None
    except Exception:
        is_jitted = False  # if it fails without jit as well, the parent says so
    chosen = compiled if is_jitted else run
    return lambda: jax.block_until_ready(chosen(held))


def _keras_torch(
    code: Any, names: dict[str, Any], arrays: dict[str, np.ndarray]
) -> Callable[[], Any]:
    os.environ["KERAS_BACKEND"] = "torch"
    import torch
    from keras import ops, random

    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    scope = {**names, **tensors, "ops": ops, "random": random}
    return lambda: eval(code, scope)


MAKERS: dict[str, Callable[..., Any]] = {
    "nkeras": _nkeras,
    "numpy": _numpy,
    "keras-jax": _keras_jax,
    "keras-torch": _keras_torch,
}
