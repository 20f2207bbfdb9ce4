"""The product of a state with the recurrent kernel, with and without dropout of the state.

With dropout each gate sees the state through a mask of its own. So there is a product for each
gate, all of them one batch: masks are applied before it, and gates are put beside each other behind
it; backwards likewise.
"""

from __future__ import annotations

from typing import Protocol

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv
from nkeras_numba_cuda.kernels.linalg import dense, matmul
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty


@kernel("{T}[::1], {T}[::1], {T}[::1], int64, int64, int64", T=FLOATING)
def masked_states(y, h, masks, batch, time, units):
    """`y (gates, batch, time, units)`: the states `(batch, time, units)` as each gate sees them."""
    for k in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        line = udiv(k, units)
        pair = udiv(line, time)  # of a gate and a sequence
        gate = udiv(pair, batch)
        y[k] = h[k - gate * batch * time * units] * masks[k - (line - pair) * units]


@kernel("{T}[::1], {T}[::1], {T}[::1], int64, int64, boolean", T=FLOATING)
def turned_lines(y, x, bias, first, units, has_bias):
    """`y (first, second, units)` of `x (second, first, units)`, plus a bias `(second, units)`."""
    for k in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        line = udiv(k, units)
        u = k - line * units
        second = udiv(y.size, first * units)
        row = udiv(line, second)
        other = line - row * second
        value = x[(other * first + row) * units + u]
        if has_bias:
            value += bias[other * units + u]
        y[k] = value


@kernel("{T}[::1], {T}[::1], {T}[::1], int64", T=FLOATING)
def sum_of_gates(y, x, masks, gates):
    """The sum over gates of `x * masks`, both `(gates, batch, units)`."""
    for k in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        total = y.dtype.type(0)
        for gate in range(gates):
            at = gate * y.size + k
            total += x[at] * masks[at]
        y[k] = total


class StateProduct(Protocol):
    """The products of a call, one for each step."""

    def of(self, h: Array, bias: Array | None = None) -> Array:
        """`(batch, gates * units)` of the state `(batch, units)`."""
        ...

    def back(self, rows: Array) -> Array:
        """The gradient by the state, from that by the product."""
        ...

    def kernel_grad(self, grad_z: Array, states: Array) -> Array:
        """The gradient by the kernel, from all steps: `(batch, time, ...)`."""
        ...


class _Whole:
    """One product for all gates."""

    def __init__(self, recurrent_kernel: Array) -> None:
        self._kernel = contiguous(recurrent_kernel)

    def of(self, h: Array, bias: Array | None = None) -> Array:
        return dense(h, self._kernel, bias, activation="linear")

    def back(self, rows: Array) -> Array:
        return matmul(rows, self._kernel.T)

    def kernel_grad(self, grad_z: Array, states: Array) -> Array:
        rows = states.reshape(-1, states.shape[-1])
        return matmul(rows.T, grad_z.reshape(-1, grad_z.shape[-1]))


class _ByGate:
    """A product for each gate, whose state is masked."""

    def __init__(self, recurrent_kernel: Array, masks: Array) -> None:
        self._masks = contiguous(masks)
        self._gates, _, self._units = masks.shape
        self._kernels = self._turned(recurrent_kernel, self._gates)

    def of(self, h: Array, bias: Array | None = None) -> Array:
        products = matmul(self._masked(h, 1), self._kernels)
        return self._turned(products, len(h), bias).reshape(len(h), -1)

    def back(self, rows: Array) -> Array:
        through = matmul(self._turned(rows, self._gates), self._kernels.swapaxes(1, 2))
        y = empty(through.shape[1:], rows.dtype)
        sum_of_gates.launch(y.size, y, through, self._masks, self._gates)
        return y

    def kernel_grad(self, grad_z: Array, states: Array) -> Array:
        masked = self._masked(states, states.shape[1])
        grads = matmul(masked.swapaxes(1, 2), self._turned(grad_z, self._gates))
        return self._turned(grads, self._units).reshape(self._units, -1)

    def _masked(self, states: Array, time: int) -> Array:
        batch, units = len(states), self._units
        y = empty((self._gates, batch * time, units), states.dtype)
        masked_states.launch(y.size, y, contiguous(states), self._masks, batch, time, units)
        return y

    def _turned(self, x: Array, first: int, bias: Array | None = None) -> Array:
        """`(first, second, units)` of an array with the axes the other way round."""
        x = contiguous(x)
        y = empty((first, x.size // (first * self._units), self._units), x.dtype)
        given = x if bias is None else contiguous(bias)
        turned_lines.launch(y.size, y, x, given, first, self._units, bias is not None)
        return y


def state_product(recurrent_kernel: Array, masks: Array | None) -> StateProduct:
    """How states are multiplied.

    Args:
        recurrent_kernel: `(units, gates * units)`.
        masks: `(gates, batch, units)`, or None where nothing is dropped.
    """
    return _Whole(recurrent_kernel) if masks is None else _ByGate(recurrent_kernel, masks)
