"""Symbolic tensors: shapes by tracing, nodes and their order, errors that help."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.core import graph
from nkeras.core.graph import KerasTensor, sort_nodes


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda x: x + 1.0, (None, 4, 3)),
        (lambda x: ops.reshape(x, (-1, 12)), (None, 12)),
        (lambda x: ops.reshape(x, (600, 3)), (600, 3)),
        (lambda x: ops.transpose(x), (3, 4, None)),
        (lambda x: x[:, 0], (None, 3)),
        (lambda x: x[..., None], (None, 4, 3, 1)),
        (lambda x: ops.concatenate([x, x], 0), (None, 4, 3)),
        (lambda x: ops.sum(x, axis=0), (4, 3)),
        (lambda x: ops.matmul(x, np.ones((3, 5), "float32")), (None, 4, 5)),
        (lambda x: ops.einsum("bij->bj", x), (None, 3)),
        (lambda x: ops.stack([x, x], axis=1), (None, 2, 4, 3)),
        (lambda x: ops.where(x > 0.0, x, 0.0), (None, 4, 3)),
        (lambda x: ops.top_k(x, 2)[1], (None, 4, 2)),
        (lambda x: ops.std(x, axis=(1, 2)), (None,)),
        (lambda x: ops.ones_like(x[..., :1]), (None, 4, 1)),
        (lambda x: ops.zeros_like(x, "int32") + 1, (None, 4, 3)),
    ],
)
def test_unknown_sizes_stay_unknown(call: Any, shape: Any) -> None:
    assert call(KerasTensor((None, 4, 3))).shape == shape


def test_an_unknown_size_may_be_that_of_what_it_meets() -> None:
    class Meets(nkeras.Layer):
        def call(self, inputs: Any) -> Any:
            rows, known = ops.pad(inputs[:, :, 0], [(1, 1), (0, 0)]), np.ones((6, 4), "float32")
            halves = ops.split(ops.add(rows, known) + ops.concatenate([rows, known])[:6], 2, axis=1)
            sums = ops.segment_sum(known, ops.cast(rows[:, 0], "int32"), num_segments=3)
            return [halves[0], ops.concatenate([rows, known], 1), known.T @ rows, sums]

    inputs = nkeras.Input((4, 3))
    model = nkeras.Model(inputs, Meets()(inputs))
    assert model.output_shape == [(6, 2), (6, 8), (4, 4), (3, 4)]
    outputs = model(np.ones((4, 4, 3), "float32"))
    assert [output.shape for output in outputs] == model.output_shape
    with pytest.raises(ValueError, match="broadcast"):
        model(np.ones((5, 4, 3), "float32"))


def test_numbers_up_to_an_unknown_size_are_unknown() -> None:
    class Positions(nkeras.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nkeras.layers.Embedding(20, 3)  # for up to 20 positions

        def call(self, inputs: Any) -> Any:
            return self.embedding(ops.arange(0, ops.shape(inputs)[-1], 1))

    inputs = nkeras.Input((None,), dtype="int64")
    model = nkeras.Model(inputs, Positions()(inputs))
    assert model.output_shape == (None, 3)
    assert model(np.ones((2, 5), "int64")).shape == (5, 3)


def test_values_tell_whether_an_unknown_size_fits() -> None:
    class There(nkeras.Layer):
        def call(self, inputs: Any) -> Any:
            tokens = ops.reshape(inputs, (200, 3))
            return ops.reshape(tokens * 2.0, (inputs.shape[0], 4, 3))

    inputs = nkeras.Input((4, 3))
    model = nkeras.Model(inputs, There()(inputs))
    assert model.output_shape == (None, 4, 3)
    assert model(np.ones((50, 4, 3), "float32")).shape == (50, 4, 3)
    with pytest.raises(ValueError, match="36 elements"):
        model(np.ones((3, 4, 3), "float32"))


def test_symbolic_tensors_have_no_values() -> None:
    x = KerasTensor((None, 2))
    with pytest.raises(TypeError, match=r"unstack"):
        list(x)
    with pytest.raises(TypeError, match=r"where"):
        bool(x > 0.0)
    for convert in (float, int, complex, operator.index):
        with pytest.raises(TypeError, match=r"KerasTensor has no values.*test_graph.py, line \d+"):
            convert(x)
    with pytest.raises(TypeError, match="len"):
        len(x)
    with pytest.raises(ValueError, match=r"test_graph.py, line \d+"):
        np.asarray(x)
    with pytest.raises(ValueError, match="sparse"):
        KerasTensor((2,), sparse=True)


def test_errors_name_the_unknown_size() -> None:
    with pytest.raises(ValueError, match=r"\(None, 3\)"):
        ops.matmul(KerasTensor((None, 3)), np.ones((4, 5), "float32"))


def test_nodes_are_sorted_behind_their_parents() -> None:
    x = KerasTensor((None, 2))
    a = ops.exp(x)
    b = ops.sin(x)
    c = a * b
    d = c + a
    order = sort_nodes([d], [x])
    assert [node.output_tensors[0] for node in order[-2:]] == [c, d]
    assert {id(node.output_tensors[0]) for node in order[:2]} == {id(a), id(b)}
    assert [node.output_tensors[0] for node in sort_nodes([d], [c, a])] == [d]
    with pytest.raises(ValueError, match="depends on the tensor"):
        sort_nodes([d], [a])


def test_inside_a_trace_no_nodes_are_recorded() -> None:
    x = KerasTensor((3, 2))
    with graph.trace():
        y = ops.exp(x)
    assert y.node is None
    assert not graph.tracing()


def test_deep_graphs_do_not_recurse() -> None:
    x = y = KerasTensor((2,))
    for _ in range(3000):
        y = ops.negative(y)
    assert len(sort_nodes([y], [x])) == 3000


def test_methods_that_keras_gives_symbolic_tensors() -> None:
    x = KerasTensor((2, 1, 6))
    assert x.reshape((4, -1)).shape == (4, 3)
    assert x.squeeze().shape == (2, 6)
    assert x.squeeze(1).shape == (2, 6)
