"""Gradients of a dense layer."""

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def dense_grad(
    grad_y: Array, x: Array, kernel: Array, y: Array, *, activation: str, by: tuple[str, ...]
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients by x, kernel and bias of `dense` with activation "linear" or "relu"."""
    xp = namespace(x)
    grad = xp.where(y > 0, grad_y, 0).astype(y.dtype) if activation == "relu" else grad_y
    rows, grad_rows = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
    return (
        xp.matmul(grad, kernel.T) if "x" in by else None,
        xp.matmul(rows.T, grad_rows) if "kernel" in by else None,
        grad_rows.sum(0, dtype=grad_rows.dtype) if "bias" in by else None,
    )
