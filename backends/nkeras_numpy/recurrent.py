"""What the recurrent kernels share: the order of steps, products with a state that has holes.

`dropout` has a mask `(gates, batch, units)` of the state for the columns of each gate.
"""

from __future__ import annotations

from nkeras_numpy.namespace import Array, joined, namespace


def sigmoid(x: Array) -> Array:
    """Between 0 and 1."""
    return 1 / (1 + namespace(x).exp(-x))


def order(time: int, reverse: bool) -> list[int]:
    """The steps as they are computed."""
    return list(range(time))[:: -1 if reverse else 1]


def kept(mask: Array | None, step: int, new: Array, old: Array) -> Array:
    """The new values of the sequences that have this step, the old ones of the others."""
    return new if mask is None else namespace(new).where(mask[:, step, None], new, old)


def inputs(x: Array, kernel: Array | None, bias: Array | None) -> Array:
    """The products of all steps; x are products already where there is no kernel."""
    products = x if kernel is None else namespace(x).matmul(x, kernel)
    return products if bias is None else products + bias


def inputs_grad(
    grad: Array, x: Array, kernel: Array | None, by_x: bool
) -> tuple[Array | None, Array | None]:
    """Gradients of `inputs` by x and kernel."""
    if kernel is None:
        return grad if by_x else None, None
    xp = namespace(x)
    grad_kernel = xp.matmul(x.reshape(-1, x.shape[-1]).T, grad.reshape(-1, grad.shape[-1]))
    return xp.matmul(grad, kernel.T) if by_x else None, grad_kernel


def recurrent(h: Array, kernel: Array, dropout: Array | None) -> Array:
    """The product of a state with the recurrent kernel."""
    xp = namespace(h)
    if dropout is None:
        return xp.matmul(h, kernel)
    blocks = xp.split(kernel, len(dropout), axis=1)
    return joined(
        [xp.matmul(h * drop, block) for drop, block in zip(dropout, blocks, strict=True)], axis=1
    )


def recurrent_grad(grad: Array, kernel: Array, dropout: Array | None) -> Array:
    """The gradient of `recurrent` by the state."""
    xp = namespace(grad)
    if dropout is None:
        return xp.matmul(grad, kernel.T)
    count = len(dropout)
    pairs = zip(xp.split(grad, count, axis=1), xp.split(kernel, count, axis=1), strict=True)
    return sum(
        drop * xp.matmul(part, block.T) for drop, (part, block) in zip(dropout, pairs, strict=True)
    )


def recurrent_kernel_grad(grad: Array, states: Array, dropout: Array | None) -> Array:
    """The gradient of `recurrent` by the kernel, from the states before all steps."""
    xp = namespace(grad)
    units = states.shape[-1]
    if dropout is None:
        return xp.matmul(states.reshape(-1, units).T, grad.reshape(-1, grad.shape[-1]))
    blocks = []
    for drop, part in zip(dropout, xp.split(grad, len(dropout), axis=2), strict=True):
        rows = (states * drop[:, None]).reshape(-1, units)
        blocks.append(xp.matmul(rows.T, part.reshape(-1, part.shape[-1])))
    return joined(blocks, axis=1)


def before(first: Array, later: Array, reverse: bool) -> Array:
    """What was there before each step: `first`, then what each step but the last made."""
    if reverse:
        return joined([later[:, 1:], first[:, None]], axis=1)
    return joined([first[:, None], later[:, :-1]], axis=1)


def bias_grad(grad: Array, bias: Array | None) -> Array | None:
    """The gradient by the bias, where there is one."""
    return None if bias is None else grad.sum(axis=(0, 1))
