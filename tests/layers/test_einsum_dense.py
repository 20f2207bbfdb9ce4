"""EinsumDense: shapes that follow from the inputs, initializers, errors, and what it runs as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers

X = np.random.default_rng(1).standard_normal((2, 5, 8)).astype("float32")


@pytest.mark.parametrize("equation", ["abc,cd->abd", "abc,bcd->abd"])
def test_sizes_that_are_left_open_follow_from_the_inputs(equation: str) -> None:
    layer = layers.EinsumDense(equation, (None, 4))
    assert layer(X).shape == (2, 5, 4)
    assert layer.compute_output_shape((None, 5, 8)) == (None, 5, 4)


def test_sequences_of_any_length() -> None:
    layer = layers.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")
    assert layer(nkeras.Input((None, 8))).shape == (None, None, 4)
    assert layer(X[:, :3]).shape == (2, 3, 4)


@pytest.mark.parametrize("equation", ["abc,cde->abde", "abd,edc->abec"])
def test_initializers_know_inputs_and_outputs(equation: str, oracle: Any) -> None:
    largest = oracle.run(
        """
        layer = keras.layers.EinsumDense(equation, (None, 40, 60))
        with own_weights():
            layer.build((None, 5, 80))
        result = abs(np.asarray(layer.kernel)).max()
        """,
        equation=equation,
    )
    layer = layers.EinsumDense(equation, (None, 40, 60))
    layer.build((None, 5, 80))
    assert abs(layer.kernel.numpy()).max() == pytest.approx(largest, rel=1e-3)
    config = layer.get_config()["kernel_initializer"]["config"]
    assert (config["input_axes"], config["output_axes"]) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        (("abc->ab", 4), (2, 5, 8), "equation"),
        (("a...c,cd->a...d", 4), (2, 5, 8), "equation"),
        (("abc,cd->abd", 4), (2, 5, 8), "output_shape"),
        (("abc,cd->abd", (6, 4)), (2, 5, 8), "axis 'b'"),
        (("abc,cd->abe", (5, 4)), (2, 5, 8), "axis 'e'"),
        (("abc,cdx->abd", (5, 4)), (2, 5, 8), "axis 'x'"),
        (("abc,cd->abd", (5, 4)), (2, 8), "does not fit"),
        (("abc,cd->abd", (5, 4), None, "x"), (2, 5, 8), "bias_axes"),
        (("abc,cd->abd", (5, 4), None, ""), (2, 5, 8), "bias_axes"),
    ],
)
def test_errors_name_what_is_wrong(arguments: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layers.EinsumDense(*arguments)(np.ones(shape, "float32"))


@pytest.mark.parametrize("argument", ["gptq_unpacked_column_size", "quantization_config"])
def test_arguments_without_meaning_are_refused(argument: str) -> None:
    with pytest.raises(ValueError, match=argument):
        layers.EinsumDense("ab,bc->ac", 4, **{argument: 3})
