"""No layer without a case in the tables, no name of Keras' that is there by accident."""

from __future__ import annotations

import inspect
from typing import Any

import nkeras
from nkeras import layers
from tests.layers import tables

# Tested by hand in test_base.py and tests/models.
BY_HAND = {"Input", "InputLayer", "InputSpec", "Lambda", "Layer", "Wrapper"}
# And in tests/layers/preprocessing: real Keras needs TensorFlow for them.
BY_HAND |= {"HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"}


def test_every_exported_layer_has_a_case() -> None:
    tested = {one.layer for one in tables.SHORT}
    for name in layers.__all__:
        thing = getattr(layers, name)
        if inspect.isclass(thing) and name not in BY_HAND:
            assert thing.__name__ in tested, f"{name} has no case in tests/layers/cases"


def test_all_lists_every_public_layer() -> None:
    public = {
        name
        for name, thing in vars(layers).items()
        if inspect.isclass(thing) and issubclass(thing, nkeras.Layer)
    }
    assert public <= set(layers.__all__)


def test_names_and_arguments_are_those_of_keras(oracle: Any) -> None:
    mine = {}
    for name in layers.__all__:
        thing = getattr(layers, name)
        function = thing.__init__ if inspect.isclass(thing) else thing
        mine[name] = [
            parameter for parameter in inspect.signature(function).parameters if parameter != "self"
        ]
    theirs = oracle.run(
        """
        import inspect
        result = {}
        for name in names:
            thing = getattr(keras.layers, name, None)
            if thing is not None:
                function = thing.__init__ if inspect.isclass(thing) else thing
                result[name] = [p for p in inspect.signature(function).parameters if p != "self"]
        """,
        names=list(mine),
    )
    of_keras_2 = {"ThresholdedReLU", *(f"LocallyConnected{rank}D" for rank in (1, 2, 3))}
    later = {"ReconstructPatches2D", "ReconstructPatches3D"}
    assert set(mine) - set(theirs) == of_keras_2 | later
    for name, arguments in theirs.items():
        assert mine[name] == arguments, name


# What the tables cannot say: tests elsewhere, or an argument that has no effect on a call.
ELSEWHERE = {
    "epsilon of Discretization",
    "num_bins",
    "sparse",
    "gptq_unpacked_column_size",
    "lora_alpha",
    "lora_rank",
    "quantization_config",
    "stateful",
    "weights",
}


def test_every_argument_of_a_layer_is_in_a_case() -> None:
    left = {
        name: missing
        for name, (_, arguments) in tables.arguments_left([*tables.SHORT, *tables.LONG]).items()
        if (missing := [one for one in arguments if not {one, f"{one} of {name}"} & ELSEWHERE])
    }
    assert left == {}
