"""Products of matrices, on tensor cores and the plain way."""

from __future__ import annotations

from tests.ptx.case import Case, arrays

TENSOR_CORES = [
    Case(
        "dense",
        ("product_float32_nn_64x64",),
        arrays((66, 40), (40, 20), (20,), (66, 20)),
        {"activation": "relu"},
        dtypes=("float32",),
        name="tensor-cores",
    ),
    Case(
        "dense",
        ("product_bfloat16_nn_64x64",),
        arrays((66, 40), (40, 20), (20,), (66, 20)),
        {"activation": "relu"},
        dtypes=("bfloat16",),
        name="tensor-cores-16-bits",
    ),
    Case(
        "matmul",
        ("product_float32_nn_64x64", "sum_of_parts_float32"),
        arrays((2, 9, 520), (2, 520, 11)),
        dtypes=("float32",),
        name="in-parts",
        tolerance=5e-6,
    ),
    Case(
        "dense_grad",
        ("product_float32_nt_64x64", "product_float32_tn_64x64"),
        arrays((36, 33), (36, 30), (30, 33)),
        {"by": ("x", "kernel", "bias")},
        dtypes=("float32",),
        name="tensor-cores",
    ),
]


def _plain(dtype: str) -> Case:
    return Case(
        "matmul",
        (f"plain_product_{dtype}",),
        arrays((3, 5, 9), (3, 9, 6)),
        dtypes=(dtype,),
        name=f"{dtype}-plain",
    )


PLAIN = ("float32", "float64", "int32", "int64", "bfloat16", "float16")

CASES = [*map(_plain, PLAIN), *TENSOR_CORES]
