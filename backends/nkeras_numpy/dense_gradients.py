"""Gradients of a dense layer."""

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def dense_grad(
    grad_y: Array, x: Array, kernel: Array, *, by: tuple[str, ...]
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients by x, kernel and bias of a linear `dense`."""
    xp = namespace(x)
    rows, grad_rows = x.reshape(-1, x.shape[-1]), grad_y.reshape(-1, grad_y.shape[-1])
    return (
        xp.matmul(grad_y, kernel.T) if "x" in by else None,
        xp.matmul(rows.T, grad_rows) if "kernel" in by else None,
        grad_rows.sum(0, dtype=grad_rows.dtype) if "bias" in by else None,
    )
