"""Array kernels of the user's: their bodies in plain loops, where a breakpoint works."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from nkeras.backend.body import Body, values_of
from nkeras.core.dtypes import to_numpy
from nkeras.core.spec import Spec
from nkeras_numpy.namespace import HALF_TYPES, Array, namespace

Run = Callable[..., None]
"""`run(chunks, *sizes, *inputs, *results, *static values)` calls the body for all work items."""


@cache
def array_kernel(body: Body) -> Callable[..., Any]:
    """A kernel `f(*arrays, specs=..., **static)` that calls the body for each work item."""
    return kernel_of(body, lambda dtype: _plain_loop(body, dtype))


def kernel_of(body: Body, run_for: Callable[[str], Run]) -> Callable[..., Any]:
    """The kernel of a body around what runs it, made by `run_for` for the dtype of constants."""

    def kernel(*arrays: Array, specs: tuple[Spec, ...], **static: Any) -> Any:
        xp = namespace(arrays[0])
        inputs = [x.astype(np.float32) if x.dtype.name in HALF_TYPES else x for x in arrays]
        sizes = body.sizes(inputs, specs)
        items = prod(sizes)
        chunks = body.chunks(items, items)
        results = [
            xp.zeros((chunks, *spec.shape) if name in body.sums else spec.shape, _computed(spec))
            for name, spec in zip(body.outputs, specs, strict=True)
        ]
        floats = (array.dtype.name for array in (*inputs, *results) if array.dtype.kind == "f")
        dtype = next(floats, "float32")
        if items:
            values = values_of(body, static, dtype)
            run_for(dtype)(chunks, *sizes, *inputs, *results, *values)
        made = tuple(
            (result.sum(0) if name in body.sums else result).astype(to_numpy(spec.dtype))
            for name, result, spec in zip(body.outputs, results, specs, strict=True)
        )
        return made[0] if len(made) == 1 else made

    return kernel


def _plain_loop(body: Body, dtype: str) -> Run:
    run = body.chunk(lambda function: function, dtype)

    def loop(chunks: int, *arguments: Any) -> None:
        with np.errstate(all="ignore"):
            for chunk in range(chunks):
                run(chunk, chunks, *arguments)

    return loop


def _computed(spec: Spec) -> np.dtype:
    """Half types are only stored."""
    return np.dtype(np.float32) if spec.dtype in HALF_TYPES else to_numpy(spec.dtype)
