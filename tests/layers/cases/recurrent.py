"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.layers.case import Case, case

SEQUENCES = (2, 5, 3)
REGULARIZED = {
    "kernel_regularizer": "l2",
    "recurrent_regularizer": "l1",
    "bias_regularizer": "l2",
    "kernel_constraint": "max_norm",
    "recurrent_constraint": "non_neg",
    "bias_constraint": "non_neg",
    "kernel_initializer": "he_normal",
    "recurrent_initializer": "glorot_normal",
    "bias_initializer": "ones",
}


def _cell(kind: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": kind, "config": config}


def _with_states(layer: str, *units: int, mask: bool = False, **options: Any) -> Case:
    shapes = (SEQUENCES, *((2, size) for size in units))
    names = ("sequences", *("initial_state*" for _ in units))
    return Case(layer, options, shapes, mask=mask, arguments=names)


def _layers(long: bool) -> Iterator[Case]:
    for layer, more in (
        ("SimpleRNN", {}),
        ("LSTM", {}),
        ("GRU", {}),
        ("GRU", {"reset_after": False}),
    ):
        yield case(layer, SEQUENCES, units=4, **more)
        for options in (
            {"return_sequences": True},
            {"return_state": True, "go_backwards": True},
            {"return_sequences": True, "return_state": True, "use_bias": False},
        ):
            yield Case(layer, {"units": 4, **options, **more}, (SEQUENCES,), mask=True)
        yield case(layer, SEQUENCES, units=4, activation="relu", return_sequences=True, **more)
        if not long:
            continue
        for options in (
            {"return_sequences": True, "go_backwards": True, "zero_output_for_mask": True},
            {"return_sequences": True, "unroll": True, "activation": "softsign"},
            {"return_state": True, "activation": "linear"},
        ):
            yield Case(layer, {"units": 3, **options, **more}, (SEQUENCES,), mask=True)
    for layer in ("SimpleRNN", "LSTM", "GRU"):
        yield case(layer, SEQUENCES, units=4, trainable=True, name="named", **REGULARIZED)
        for options in ({"dropout": 0.4}, {"dropout": 0.4, "recurrent_dropout": 0.3, "seed": 3}):
            yield Case(layer, {"units": 4, **options}, (SEQUENCES,), mask=True, random=True)
        options = {"units": 4, "dropout": 0.4, "recurrent_dropout": 0.3, "activation": "relu"}
        yield Case(layer, options, (SEQUENCES,), random=True)
    for layer in ("LSTM", "GRU"):
        yield case(layer, SEQUENCES, units=4, activity_regularizer="l2", use_cudnn=False)
        yield case(layer, SEQUENCES, units=4, recurrent_activation="hard_sigmoid")
        options = {"units": 4, "dropout": 0.4, "implementation": 1}
        yield Case(layer, options, (SEQUENCES,), random=True)
    yield case("LSTM", SEQUENCES, units=4, unit_forget_bias=False)


def cases(long: bool) -> Iterator[Case]:
    yield Case("Masking", shapes=(SEQUENCES,))
    yield Case("Masking", {"mask_value": 2.0}, (SEQUENCES,), mask=True)
    yield from _layers(long)
    for cell, states in (("SimpleRNNCell", 1), ("LSTMCell", 2), ("GRUCell", 1)):
        names = "sequence" if cell == "SimpleRNNCell" else "inputs", *("states*",) * states
        shapes = (2, 3), *((2, 4),) * states
        yield Case(cell, {"units": 4, **REGULARIZED}, shapes, arguments=names)
        options = {"units": 4, "use_bias": False, "activation": "relu", "seed": 2}
        yield Case(cell, options, shapes, arguments=names)
        holes = {"units": 4, "dropout": 0.3, "recurrent_dropout": 0.5}
        yield Case(cell, holes, shapes, random=True, arguments=names)
    yield Case(
        "GRUCell", {"units": 4, "reset_after": False, "recurrent_activation": "hard_sigmoid"},
        ((2, 3), (2, 4)),
        arguments=("inputs", "states*"),
    )  # fmt: skip
    options = {"units": 4, "recurrent_activation": "hard_sigmoid", "unit_forget_bias": False}
    names = "inputs", *("states*",) * 2
    yield Case("LSTMCell", options, ((2, 3), *((2, 4),) * 2), arguments=names)
    yield _with_states("SimpleRNN", 4, units=4, return_state=True)
    yield _with_states("GRU", 4, mask=True, units=4, return_sequences=True)
    yield _with_states("LSTM", 4, 4, mask=True, units=4, return_sequences=True, return_state=True)
    yield _with_states("LSTM", 4, 4, units=4, go_backwards=True, activation="relu")
    lstm, gru = _cell("LSTMCell", units=4), _cell("GRUCell", units=2, activation="relu")
    yield _with_states("RNN", cell=lstm, return_sequences=True)
    yield _with_states("RNN", 4, 4, mask=True, cell=lstm, return_state=True, go_backwards=True)
    yield _with_states("RNN", mask=True, cell=gru, return_sequences=True, return_state=True)
    yield _with_states("RNN", cell=gru, unroll=True)
    simple = _cell("SimpleRNNCell", units=3, activation="relu")
    for options in ({}, {"return_sequences": True, "zero_output_for_mask": True}):
        yield _with_states("RNN", mask=True, cell=simple, **options)
    yield _with_states("RNN", mask=True, cell=[lstm, simple], return_sequences=True)
    yield _with_states("RNN", mask=True, cell=[lstm, _cell("GRUCell", units=3)], return_state=True)
    shapes = (2, 3), (2, 3), (2, 2)
    names = "inputs", "states*", "states*"
    yield Case("StackedRNNCells", {"cells": [simple, gru]}, shapes, arguments=names)
    yield from _wrappers()
    yield from _conv_lstms(long)


def _wrappers() -> Iterator[Case]:
    def bidirectional(layer: dict[str, Any], mask: bool = False, **options: Any) -> Case:
        options = {"layer": layer, **options}
        return Case("Bidirectional", options, (SEQUENCES,), mask=mask, arguments=("sequences",))

    for mode in ("concat", "sum", "mul", "ave", None):
        sequences = _cell("GRU", units=4, return_sequences=mode != "sum", name="gru")
        yield bidirectional(sequences, mask=mode in ("concat", None), merge_mode=mode)
    both = _cell("LSTM", units=4, return_state=True, return_sequences=True, name="lstm")
    yield bidirectional(both, mask=True)
    yield bidirectional(_cell("SimpleRNN", units=2, return_state=True, name="a"), merge_mode=None)
    backward = _cell("GRU", units=3, go_backwards=True, name="back")
    yield bidirectional(_cell("LSTM", units=4, name="front"), backward_layer=backward)
    names = "sequences", *("initial_state*",) * 4
    layer = _cell("LSTM", units=3, return_sequences=True, name="lstm")
    shapes = SEQUENCES, *((2, 3),) * 4
    yield Case("Bidirectional", {"layer": layer}, shapes, arguments=names)

    def distributed(layer: dict[str, Any], *shape: int, **options: Any) -> Case:
        return Case("TimeDistributed", {"layer": layer}, (shape,), arguments=("inputs",), **options)

    yield distributed(_cell("Dense", units=4, activation="relu", name="dense"), 2, 5, 3)
    yield distributed(_cell("Conv2D", filters=2, kernel_size=2, name="conv"), 2, 3, 5, 4, 2)
    yield distributed(_cell("Flatten", name="flat"), 2, 3, 4, 2)
    yield distributed(_cell("BatchNormalization", name="norm"), 3, 4, 5)
    yield distributed(_cell("LSTM", units=3, name="lstm"), 2, 3, 4, 2)
    yield distributed(_cell("Dropout", rate=0.5, name="drop"), 2, 3, 4, random=True)
    dense = _cell("Dense", units=4, name="dense")
    yield Case("TimeDistributed", {"layer": dense}, (SEQUENCES,), mask=True)


def _conv_lstms(long: bool) -> Iterator[Case]:
    small = {"filters": 2, "kernel_size": 2}
    films = (2, 3, 5, 4, 2)
    yield case("ConvLSTM1D", (2, 3, 6, 2), **small, return_sequences=True)
    options = {"return_sequences": True, "strides": 2, "padding": "same"}
    yield Case("ConvLSTM2D", {**small, **options}, (films,))
    # On JAX Keras joins a mask of sequences with the last axes of images.
    yield Case("ConvLSTM2D", {**small, **options}, (films,), mask=True, in_keras=False)
    first = {"data_format": "channels_first", "return_state": True, "go_backwards": True}
    yield Case("ConvLSTM2D", {**small, **first}, ((2, 3, 2, 5, 4),))
    yield case(
        "ConvLSTM1D", (2, 3, 6, 2), **small, **REGULARIZED, activity_regularizer="l2",
        dilation_rate=2, unit_forget_bias=False, use_bias=True, activation="relu",
        recurrent_activation="hard_sigmoid",
    )  # fmt: skip
    yield case("ConvLSTM3D", (1, 2, 3, 4, 3, 2), **small, use_bias=False)
    holes = {**small, "dropout": 0.3, "recurrent_dropout": 0.4, "seed": 1}
    yield Case("ConvLSTM2D", holes, (films,), random=True)
    if not long:
        return
    for rank, shape in ((1, (2, 3, 6, 2)), (2, films), (3, (1, 2, 3, 4, 3, 2))):
        sequences = {"return_sequences": True, "return_state": True, "dilation_rate": 2}
        usual = {"padding": "same", "activation": "relu", **sequences, **REGULARIZED}
        yield Case(f"ConvLSTM{rank}D", {**small, **usual}, (shape,))
        functions = {"recurrent_activation": "hard_sigmoid", "unit_forget_bias": False}
        other = {"strides": 2, "go_backwards": True, "activity_regularizer": "l2"}
        yield Case(f"ConvLSTM{rank}D", {**small, **functions, **other, "use_bias": True}, (shape,))
        yield Case(f"ConvLSTM{rank}D", holes, (shape,), random=True)
        channels = (*shape[:2], shape[-1], *shape[2:-1])
        first = {"data_format": "channels_first", "padding": "same"}
        yield Case(f"ConvLSTM{rank}D", {**small, **first}, (channels,))
