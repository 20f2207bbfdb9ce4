"""Every layer with many arguments: values and gradients on numba_cuda are those on numpy."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import nkeras
from nkeras.core import tree
from tests.harness.check_parity import call, inputs_of, make, weights_for
from tests.layers import tables
from tests.layers.case import Case
from tests.strict.comparing import compare

pytestmark = pytest.mark.filterwarnings("ignore:.*argument `rms_scaling` is for old models")
FIRST = list({case.layer: case for case in reversed(tables.SHORT)}.values())


@pytest.mark.parametrize("case", tables.SHORT, ids=str)
def test_layer(case: Case) -> None:
    compare(lambda: results(case))


@pytest.mark.long
@pytest.mark.parametrize("layer", sorted({one.layer for one in tables.LONG}))
def test_long_tables(layer: str) -> None:
    for case in tables.LONG:
        if case.layer == layer:
            compare(lambda case=case: results(case))


@pytest.mark.parametrize("case", FIRST, ids=str)
@pytest.mark.parametrize(
    "policy", ["mixed_bfloat16", pytest.param("float16", marks=pytest.mark.long)]
)
def test_layer_in_half_types(case: Case, policy: str) -> None:
    if case.below is None and "dtype" not in case.options and takes_dtype(case.layer):
        compare(lambda: results(case, dtype=policy), rounding=0.05)


def takes_dtype(layer: str) -> bool:
    """Whether a layer has a dtype of its own; a pipeline has those of its layers."""
    kinds = inspect.signature(getattr(nkeras.layers, layer)).parameters.values()
    return any(one.name == "dtype" or one.kind is one.VAR_KEYWORD for one in kinds)


def results(case: Case, **options: Any) -> list[Any]:
    """Outputs in training, and the gradients of the sum of their squares."""
    layer = make(case, **options)
    inputs = inputs_of(case)
    call(case, layer, inputs)
    layer.set_weights(weights_for(layer))
    sources = inputs if case.below is None else []
    with nkeras.GradientTape() as tape:
        for source in sources:
            tape.watch(source)
        outputs = tree.flatten(call(case, layer, inputs, training=True))
        loss = sum(nkeras.ops.sum(nkeras.ops.square(one)) for one in outputs)
    grads = tape.gradient(loss, [*sources, *layer.trainable_variables])
    return [*outputs, *grads, *layer.non_trainable_variables]
