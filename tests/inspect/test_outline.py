"""Outlines of models: boxes for calls, edges for tensors."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.inspect.outline import outline, walk
from tests.inspect.models import Looking, Subclassed, nested, residual


def names(model: nkeras.Model) -> list[str]:
    return ["/".join((*path, box.name)) for path, box in walk(outline(model))]


def test_functional() -> None:
    found = outline(residual())
    by_name = {box.name: number for number, box in enumerate(found.boxes)}
    pairs = {(source, target) for (source, _), (target, _) in found.edges}
    assert (by_name["first"], by_name["conv_0"]) in pairs
    assert (by_name["first"], by_name["sum_0"]) in pairs
    assert all(source < target for source, target in pairs)
    first = found.boxes[by_name["first"]]
    assert first.activation == "relu"
    assert first.inputs == (((None, 8, 8, 3), "float32"),)
    assert first.outputs == (((None, 8, 8, 4), "float32"),)
    assert (first.parameters, first.trainable) == (112, True)
    assert found.boxes[by_name["sum_0"]].trainable is None


def test_nested_and_shared() -> None:
    found = outline(nested())
    calls = [box.call for box in found.boxes if box.name == "inner"]
    assert calls == [(1, 2), (2, 2)]
    assert "inner/a" in names(nested())
    assert "inner/a" not in ["/".join(p) for p, _ in walk(outline(nested(), expand_nested=False))]
    (multiply,) = [box for box in found.boxes if box.class_name == "Multiply"]
    assert multiply.name == "multiply"


def test_subclassed_is_traced_and_knows_nothing_of_it() -> None:
    model = Subclassed()
    model(np.ones((2, 5), "float32"))
    assert names(model)[1:] == ["hidden", "multiply", "out"]
    assert not model.hidden._inbound_nodes
    with pytest.raises(AttributeError):
        _ = model.hidden.output


def test_subclassed_that_needs_values_is_one_box() -> None:
    model = Looking()
    model(np.ones((2, 5), "float32"))
    (box,) = outline(model).boxes
    assert (box.class_name, box.parameters) == ("Looking", 5 * 4 + 4 + 4 * 3 + 3)


def test_layers_called_on_their_own_output() -> None:
    dense = layers.Dense(3, name="again")
    x = nkeras.Input((3,))
    found = outline(nkeras.Model(x, dense(dense(dense(x)))))
    assert [box.call for box in found.boxes[1:]] == [(1, 3), (2, 3), (3, 3)]


def test_not_built() -> None:
    with pytest.raises(ValueError, match="not built yet"):
        outline(nkeras.Sequential([layers.Dense(2)], name="late"))


def test_no_model() -> None:
    with pytest.raises(ValueError, match="A model is needed here"):
        outline("model")  # type: ignore[arg-type]
