"""Array kernels of the user's: a thread takes chunks of work items."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from nkeras.backend.body import Body
from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import device_function
from nkeras_numba_cuda.launch import ShapedKernel
from nkeras_numpy.custom import kernel_of


@cache
def array_kernel(body: Body) -> Callable[..., Any]:
    """A kernel `f(*arrays, specs=..., **static)` that runs the body for each work item."""

    def run_for(dtype: str) -> Callable[..., None]:
        compiled = kernel_for(body, dtype)
        return lambda chunks, *arguments: compiled.launch(chunks, chunks, *arguments)

    return kernel_of(body, run_for)


@cache
def kernel_for(body: Body, dtype: str) -> ShapedKernel:
    """The kernel of a body, for constants of a dtype."""
    names = ", ".join(
        (*(f"{name}_size" for name in body.indices), *body.inputs, *body.outputs, *body.static)
    )
    source = (
        f"def {body.name}(chunks, {names}):\n"
        "    for chunk in range(cuda.grid(1), chunks, cuda.gridsize(1)):\n"
        f"        _chunk(chunk, chunks, {names})\n"
    )
    seen = {"cuda": cuda, "_chunk": device_function(body.chunk(device_function, dtype))}
    exec(compile(source, f"<kernel of {body.name}>", "exec"), seen)
    return ShapedKernel(seen[body.name])
