"""Tensor cores and what feeds them: warps multiply small matrices, copies run beside.

Compiled only, the simulator has no warps. A warp is 32 threads that call these together. PTX ISA,
sections "mma", "ldmatrix" and "cp.async", says which thread holds which element.
"""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.cuda import SIMULATOR, intrinsic, types


def _unavailable(*arguments: Any) -> Any:
    raise TypeError("The simulator has no tensor cores.")


copy_16: Any = _unavailable
"""`copy_16(shared, to, array, index, count)`: 16 bytes from device to shared memory, beside what
follows; `count` of them (0 to 16) are read, zeros take the place of the others."""
copy_all_16: Any = _unavailable
"""`copy_all_16(shared, to, array, index)`: as `copy_16` where all bytes are read."""
copy_4: Any = _unavailable
"""As `copy_16` for 4 bytes, of which 0 or 4 are read: for rows that start anywhere."""
end_of_copies: Any = _unavailable
"""`end_of_copies()`: the copies since the last call are a group."""
wait_for_copies: Any = _unavailable
"""`wait_for_copies(n)`: until all groups of this thread but the last `n` have arrived."""
load_matrices: Any = _unavailable
"""`load_matrices(shared, index)`: four 8 x 8 matrices of 16 bits, one 32-bit word of each for a
thread. Thread `l` gives the place of row `l % 8` of matrix `l // 8` (16 bytes)."""
load_transposed: Any = _unavailable
"""`load_matrices` with each matrix transposed."""
load_shared: Any = _unavailable
"""`load_shared(shared, index)`: an element of 32 bits."""
multiply_tf32: Any = _unavailable
"""`multiply_tf32(a, b, c)`: a (16 x 8) times b (8 x 8) plus c, float32 of which 19 bits count."""
multiply_bf16: Any = _unavailable
"""`multiply_bf16(a, b, c)`: a (16 x 16) times b (16 x 8) plus c (float32)."""
multiply_f16: Any = _unavailable
"""As `multiply_bf16` for float16."""
round_tf32: Any = _unavailable
"""`round_tf32(x)`: the bits of the nearest number of 19 bits."""
bits_of: Any = _unavailable
"""`bits_of(x)`: a float32 as uint32."""
float_of: Any = _unavailable
"""`float_of(bits)`: a uint32 as float32."""


def _copy(size: int, cache: str) -> Any:
    @intrinsic
    def copy(typing_context: Any, shared: Any, to: Any, array: Any, index: Any, count: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target = element(context, builder, signature, arguments, 0, shared=True)
            source = global_address(builder, element(context, builder, signature, arguments, 2))
            text = f"cp.async.{cache}.shared.global [$0], [$1], {size}, $2;"
            assembly(builder, VOID, text, "r,l,r", [target, source, arguments[4]])
            return context.get_dummy_value()

        return types.void(shared, to, array, index, types.int32), generate

    return copy


def _copy_all() -> Any:
    @intrinsic
    def copy(typing_context: Any, shared: Any, to: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target = element(context, builder, signature, arguments, 0, shared=True)
            source = global_address(builder, element(context, builder, signature, arguments, 2))
            text = "cp.async.cg.shared.global [$0], [$1], 16;"
            assembly(builder, VOID, text, "r,l", [target, source])
            return context.get_dummy_value()

        return types.void(shared, to, array, index), generate

    return copy


def _load(transposed: bool) -> Any:
    option = ".trans" if transposed else ""
    text = f"ldmatrix.sync.aligned.m8n8.x4{option}.shared.b16 {{$0,$1,$2,$3}}, [$4];"

    @intrinsic
    def load(typing_context: Any, shared: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = element(context, builder, signature, arguments, 0, shared=True)
            four = ir.LiteralStructType([INT32] * 4)
            found = assembly(builder, four, text, "=r,=r,=r,=r,r,~{memory}", [place])
            return as_tuple(context, builder, signature, found, 4)

        return types.UniTuple(types.uint32, 4)(shared, index), generate

    return load


def _multiply(shape: str, dtype: str) -> Any:
    a, b, c = "{$4,$5,$6,$7}", "{$8,$9}", "{$10,$11,$12,$13}"
    text = (
        f"mma.sync.aligned.{shape}.row.col.f32.{dtype}.{dtype}.f32 {{$0,$1,$2,$3}}, {a}, {b}, {c};"
    )
    constraints = ",".join(["=f"] * 4 + ["r"] * 6 + ["f"] * 4)

    @intrinsic
    def multiply(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            values = [
                builder.extract_value(given, i)
                for given, count in zip(arguments, (4, 2, 4), strict=True)
                for i in range(count)
            ]
            four = ir.LiteralStructType([FLOAT32] * 4)
            found = assembly(builder, four, text, constraints, values, effects=False)
            return as_tuple(context, builder, signature, found, 4)

        words, floats = types.uint32, types.UniTuple(types.float32, 4)
        return floats(types.UniTuple(words, 4), types.UniTuple(words, 2), floats), generate

    return multiply


if not SIMULATOR:
    from llvmlite import ir

    from nkeras_numba_cuda.device.addresses import (
        FLOAT32,
        INT32,
        VOID,
        as_tuple,
        assembly,
        element,
        global_address,
    )

    copy_16, copy_4 = _copy(16, "cg"), _copy(4, "ca")
    copy_all_16 = _copy_all()
    load_matrices, load_transposed = _load(False), _load(True)
    multiply_tf32 = _multiply("m16n8k8", "tf32")
    multiply_bf16 = _multiply("m16n8k16", "bf16")
    multiply_f16 = _multiply("m16n8k16", "f16")

    @intrinsic
    def end_of_copies(typing_context: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            assembly(builder, VOID, "cp.async.commit_group;", "~{memory}", [])
            return context.get_dummy_value()

        return types.void(), generate

    @intrinsic
    def wait_for_copies(typing_context: Any, count: Any) -> Any:
        if not isinstance(count, types.IntegerLiteral):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            text = f"cp.async.wait_group {signature.args[0].literal_value};"
            assembly(builder, VOID, text, "~{memory}", [])
            return context.get_dummy_value()

        return types.void(count), generate

    @intrinsic
    def load_shared(typing_context: Any, shared: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = element(context, builder, signature, arguments, 0, shared=True)
            kind = context.get_data_type(shared.dtype)
            name, letter = ("f32", "f") if kind == FLOAT32 else ("u32", "r")
            text = f"ld.shared.{name} $0, [$1];"
            return assembly(builder, kind, text, f"={letter},r,~{{memory}}", [place])

        return shared.dtype(shared, index), generate

    @intrinsic
    def round_tf32(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            text = "cvt.rna.tf32.f32 $0, $1;"
            return assembly(builder, INT32, text, "=r,f", list(arguments), effects=False)

        return types.uint32(types.float32), generate

    @intrinsic
    def bits_of(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], INT32)

        return types.uint32(types.float32), generate

    @intrinsic
    def float_of(typing_context: Any, bits: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], FLOAT32)

        return types.float32(types.uint32), generate


__all__ = [
    "bits_of",
    "copy_4",
    "copy_16",
    "copy_all_16",
    "end_of_copies",
    "float_of",
    "load_matrices",
    "load_shared",
    "load_transposed",
    "multiply_bf16",
    "multiply_f16",
    "multiply_tf32",
    "round_tf32",
    "wait_for_copies",
]
