"""Every layer with many arguments: against Keras, and against what holds for any layer."""

from __future__ import annotations

from typing import Any

import pytest

import nkeras
from tests.harness import check_layer, check_parity
from tests.layers import tables
from tests.layers.case import Case

# Warnings that belong to an argument, as in Keras.
pytestmark = pytest.mark.filterwarnings("ignore:.*argument `rms_scaling` is for old models")


@pytest.mark.parametrize("case", tables.PARITY, ids=str)
def test_layer_does_what_it_does_in_keras(case: Case, oracle: Any) -> None:
    (answer,) = check_parity.ask([case])
    with nkeras.use_backend("numpy"):
        check_parity.compare(case, answer)


@pytest.mark.parametrize("case", tables.SHORT, ids=str)
def test_layer_is_sound(case: Case) -> None:
    check_layer.check(case)


@pytest.mark.long
@pytest.mark.parametrize("layer", sorted({one.layer for one in tables.LONG_PARITY}))
def test_long_tables_against_keras(layer: str, oracle: Any) -> None:
    cases = [one for one in tables.LONG_PARITY if one.layer == layer]
    with nkeras.use_backend("numpy"):
        for case, answer in zip(cases, check_parity.ask(cases), strict=True):
            check_parity.compare(case, answer)


@pytest.mark.long
@pytest.mark.parametrize("case", [one for one in tables.LONG if not one.in_keras], ids=str)
def test_long_tables_that_keras_lacks(case: Case) -> None:
    check_layer.check(case)
