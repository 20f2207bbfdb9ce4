# ruff: noqa: E501
"""Expressions with functions of functions and rearranged axes, evaluated by nkeras and by Keras."""

from __future__ import annotations

from tests.ops.keras_cases import add

add(
    "view",
    "{}(x)",
    "{}(x, 'int32')",
    "{}(i, 'float32')",
    "{}(x, 'int16')",
    "{}(small, 'int32')",
    "{}(x, 'uint8')",
)
add("rearrange", "{}(cube, 'a b c -> c a b')", "{}(cube, 'a b c -> (a c) b')", "{}(cube, 'a b (c d) -> (b d) a c', d=2)",
    "{}(image, 'b (h p) w (c q) -> b h w (p c q)', p=2, q=2)", "{}(row, 'a -> a')", "{}(x, 'a (b c) -> c (b a)', b=2, c=2)")  # fmt: skip
add("vectorize", "{}(lambda a, b: a + b)(x, 2.0)", "{}(lambda a, b: a * b)(x, row)",
    "{}(lambda a: (ops.sin(a), a + 1.0))(x)",
    "{}(lambda a, b: ops.matmul(a, b), signature='(m,n),(n)->(m)')(cube, row)",
    "{}(lambda a, b: ops.sum(a * b), signature='(n),(n)->()')(cube, row)",
    "{}(lambda a, b: a * b, excluded={1})(x, 3.0)",
    "{}(lambda a: ops.cumsum(a), signature='(n)->(n)')(cube)")  # fmt: skip
add("jvp", "{}(ops.sin, (x,), (y,))", "{}(lambda a, b: a * ops.exp(b), (x, y), (y, x))",
    "{}(lambda a: (ops.sum(a * a), a[0]), (x,), (y,))", "{}(lambda a: (a * a, 3.0), (x,), (y,), has_aux=True)",
    "{}(lambda d: {'u': d['a'] * d['b']}, ({'a': x, 'b': y},), ({'a': y, 'b': x},))[1]['u']",
    "{}(lambda a: ops.inv(a), (matrices,), (matrices + 1.0,))", "{}(lambda a: ops.abs(a) * a, (z,), (w,))",
    "{}(lambda a: ops.softmax(ops.matmul(a, row)), (x,), (y,))")  # fmt: skip
