"""Costs of layers: operations counted by hand, sizes of outputs, times that are there."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.inspect.costs import cost_of, costs
from tests.inspect.models import Looking, Subclassed, nested


def flops(*stack: layers.Layer, shape: tuple[int, ...]) -> dict[str, int]:
    model = nkeras.Sequential([nkeras.Input(shape), *stack])
    return {name: cost.flops for name, cost in costs(model).items()}


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.Dense(5, name="a"), (7,), 5 * (2 * 7 + 1)),
        (layers.Dense(5, use_bias=False, name="a"), (7,), 5 * 2 * 7),
        (layers.Conv2D(4, 3, padding="same", name="a"), (6, 6, 2), 36 * 4 * (2 * 18 + 1)),
        (layers.Conv2D(4, 3, groups=2, use_bias=False, name="a"), (6, 6, 2), 16 * 4 * 2 * 9),
        (layers.DepthwiseConv2D(3, use_bias=False, name="a"), (6, 6, 2), 16 * 2 * 2 * 9),
        (layers.Conv1DTranspose(4, 3, use_bias=False, name="a"), (6, 2), 6 * 2 * 3 * 4 * 2),
        (layers.LSTM(4, name="a"), (5, 3), 2 * 5 * 16 * (3 + 4)),
        (layers.GRU(4, name="a"), (5, 3), 2 * 5 * 12 * (3 + 4)),
        (layers.SimpleRNN(4, name="a"), (5, 3), 2 * 5 * 4 * (3 + 4)),
        (layers.LocallyConnected1D(4, 2, use_bias=False, name="a"), (5, 3), 4 * 4 * 2 * 6),
        (layers.Reshape((3, 2), name="a"), (6,), 0),
        (layers.ReLU(name="a"), (6,), 6),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, layers.Layer) else "",
)
def test_operations(layer: layers.Layer, shape: tuple[int, ...], expected: int) -> None:
    assert flops(layer, shape=shape)["a"] == expected


def test_attention() -> None:
    query = nkeras.Input((6, 8))
    model = nkeras.Model(query, layers.MultiHeadAttention(2, 4, name="m")(query, query))
    found = costs(model)
    assert cost_of("m", found).flops == 4 * 6 * 8 * (2 * 8 + 1) + 2 * 2 * 6 * 6 * (4 + 4)


def test_nested_and_shared_layers() -> None:
    found = costs(nested())
    once = 4 * (2 * 3 + 1) + 4 + 2 * (2 * 4 + 1)  # relu is an operation of its own
    assert cost_of("inner", found).flops == 2 * once
    assert cost_of("inner/b", found).flops == 2 * 2 * (2 * 4 + 1)
    assert cost_of("inner", found).bytes == 2 * 2 * 4
    assert all(cost.microseconds >= 0 for cost in found.values())
    assert cost_of("inner", found).microseconds > 0


def test_subclassed() -> None:
    model = Subclassed()
    model(np.ones((2, 5), "float32"))
    assert costs(model)["out"].flops == 3 * (2 * 4 + 1)
    looking = Looking()
    looking(np.ones((2, 5), "float32"))
    with pytest.raises(ValueError, match="the shapes of its inputs are not known"):
        costs(looking)


def test_text() -> None:
    words = layers.TextVectorization(output_sequence_length=5, vocabulary=["a", "b"])
    x = nkeras.Input((1,), dtype="string")
    model = nkeras.Model(x, layers.Embedding(9, 3, name="vectors")(words(x)))
    assert costs(model)["vectors"].bytes == 5 * 3 * 4


def test_summary() -> None:
    lines: list[str] = []
    nested().summary(costs=True, expand_nested=True, print_fn=lines.append, line_length=100)
    text = "\n".join(lines)
    assert "FLOPs" in text
    (row,) = [line for line in text.splitlines() if "└ a (Dense)" in line]
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells[3:5] == ["64", "32B"]
    assert cells[5].endswith("s")
