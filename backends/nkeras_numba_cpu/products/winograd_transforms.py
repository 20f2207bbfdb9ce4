"""The transforms of Winograd's convolution F(m x m, 3 x 3), as straight vector code from tables.

With n = m + 2, m x m outputs are A^T [(G g G^T) * (B^T d B)] A for the 3 x 3 kernel g and n x n
inputs d: n n products instead of 9 m m. Each matrix is applied to vectors of channels, first
to the columns, then to the rows. To save additions it is given as two factors, which share sums and
differences of the points +p and -p.

Source: A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2015,
https://arxiv.org/abs/1509.09308
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types

from nkeras_numba_cpu.emit import registers
from nkeras_numba_cpu.emit.registers import INT
from nkeras_numba_cpu.emit.simd import intrinsic

Matrix = tuple[tuple[float, ...], ...]


class Transforms(NamedTuple):
    """What one block size needs: intrinsics that apply a matrix, see `_transform`."""

    outputs: int
    to_input: Any  # B^T
    to_kernel: Any  # G
    to_output: Any  # A^T
    from_output: Any  # A, and G^T: for the gradient for the kernel
    from_kernel: Any


# E + O and E - O, for the points 1 and -1, then for 2 and -2.
_PAIRS_4: Matrix = (
    (1, 0, 0, 0, 0, 0),
    (0, 1, 1, 0, 0, 0),
    (0, 1, -1, 0, 0, 0),
    (0, 0, 0, 1, 1, 0),
    (0, 0, 0, 1, -1, 0),
    (0, 0, 0, 0, 0, 1),
)
_INPUT_4: Matrix = (
    (4, 0, -5, 0, 1, 0),
    (0, 0, -4, 0, 1, 0),
    (0, -4, 0, 1, 0, 0),
    (0, 0, -1, 0, 1, 0),
    (0, -2, 0, 2, 0, 0),
    (0, 4, 0, -5, 0, 1),
)
_KERNEL_4: Matrix = (
    (1 / 4, 0, 0),
    (-1 / 6, 0, -1 / 6),
    (0, -1 / 6, 0),
    (1 / 24, 0, 1 / 6),
    (0, 1 / 12, 0),
    (0, 0, 1),
)
_OUTPUT_4: Matrix = (
    (1, 1, 0, 1, 0, 0),
    (0, 0, 1, 0, 2, 0),
    (0, 1, 0, 4, 0, 0),
    (0, 0, 1, 0, 8, 1),
)
_PAIRS_2: Matrix = ((1, 0, 0, 0), (0, 1, 1, 0), (0, 1, -1, 0), (0, 0, 0, 1))
_INPUT_2: Matrix = ((1, 0, -1, 0), (0, 0, 1, 0), (0, 1, 0, 0), (0, 1, 0, -1))
_KERNEL_2: Matrix = ((1, 0, 0), (1 / 2, 0, 1 / 2), (0, 1 / 2, 0), (0, 0, 1))
_OUTPUT_2: Matrix = ((1, 1, 0, 0), (0, 0, 1, -1))


def _transform(*factors: Matrix) -> Any:
    """An intrinsic that multiplies vectors by the product of the factors, the last one first.

    It reads from x[i], x[i + step], ... and writes to y[o], y[o + y_step], ...
    """

    @intrinsic
    def transform(typingctx, x, i, step, y, o, y_step):
        vector = registers.vector_type(str(x.dtype))
        size = INT(registers.vector_bits() // 8 // vector.count)

        def place(context: Any, builder: Any, kind: Any, value: Any, index: Any) -> Any:
            array = context.make_array(kind)(context, builder, value)
            return builder.add(builder.ptrtoint(array.data, INT), builder.mul(index, size))

        def codegen(context, builder, signature, values):
            source = place(context, builder, x, values[0], values[1])
            target = place(context, builder, y, values[3], values[4])
            steps = builder.mul(values[2], size), builder.mul(values[5], size)
            function = _function(builder.module, vector, factors)
            builder.call(function, [source, steps[0], target, steps[1]])
            return context.get_dummy_value()

        return types.void(x, types.int64, types.int64, y, types.int64, types.int64), codegen

    return transform


def _function(module: Any, vector: Any, factors: tuple[Matrix, ...]) -> ir.Function:
    """`void (address, step, address of the result, its step)`, in bytes.

    It is long: written, and compiled, once for each kernel that uses it.
    """
    name = f"transform_{vector.count}_{abs(hash(factors))}"
    known = module.globals.get(name)
    if known is not None:
        return known
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INT] * 4), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    source, step, target, target_step = function.args
    vectors = []
    for _ in factors[-1][0]:
        vectors.append(registers.emit_load(builder, source, vector))
        source = builder.add(source, step)
    for matrix in reversed(factors):
        vectors = [_combine(builder, vectors, row) for row in matrix]
    for result in vectors:
        registers.emit_store(builder, result, target)
        target = builder.add(target, target_step)
    builder.ret_void()
    return function


def _combine(builder: Any, vectors: list[Any], row: tuple[float, ...]) -> Any:
    """The sum of the vectors times the row's numbers."""
    terms = [(value, vector) for value, vector in zip(row, vectors, strict=True) if value]
    # Begin with a factor of 1, which costs nothing.
    terms.sort(key=lambda term: term[0] != 1)
    total = None
    for value, vector in terms:
        number = registers.constant(vector.type, float(value))
        if total is None:
            total = vector if value == 1 else builder.fmul(vector, number)
        elif value in (1, -1):
            total = (builder.fadd if value == 1 else builder.fsub)(total, vector)
        else:
            total = registers.emit_fma(builder, vector, number, total)
    return total


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _transforms(outputs: int, pairs: Matrix, to: Matrix, kernel: Matrix, out: Matrix) -> Transforms:
    return Transforms(
        outputs,
        _transform(pairs, to),
        _transform(pairs, kernel),
        _transform(out, pairs),
        _transform(pairs, _transposed(out)),  # `pairs` is symmetric
        _transform(_transposed(kernel), pairs),
    )


TRANSFORMS = {
    2: _transforms(2, _PAIRS_2, _INPUT_2, _KERNEL_2, _OUTPUT_2),
    4: _transforms(4, _PAIRS_4, _INPUT_4, _KERNEL_4, _OUTPUT_4),
}
