"""Every layer of the catalogue in ONNX Runtime: outputs, batches of other sizes, masks."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import nkeras
from nkeras import layers
from tests.export.one_layer import layer_model, signature
from tests.export.runtime import TOLERANCE, largest_error, run, session
from tests.layers import tables
from tests.layers.test_enumeration import BY_HAND

SHORT = tables._first(tables.SHORT, 2)
LONG = [one for one in [*tables.SHORT, *tables.LONG] if one not in SHORT]

# Layers that ONNX has no operators for, and why; their export is an error that says so.
NOT_EXPORTED: dict[str, str] = {}


def compare(case: Any, path: Path, **options: Any) -> None:
    with nkeras.use_backend("numpy"):
        model, arrays = layer_model(case)
        if case.layer in NOT_EXPORTED:
            with pytest.raises(ValueError, match="no operators"):
                model.export(path, verbose=False, input_signature=signature(arrays))
            return
        model.export(path, verbose=False, input_signature=signature(arrays), **options)
        loaded = session(path)
        for given in (arrays, [one[:1] for one in arrays]):
            wanted = model(*given, training=False)
            assert largest_error(run(loaded, given), wanted) <= TOLERANCE


@pytest.mark.parametrize("case", SHORT, ids=str)
def test_layer(case: Any, tmp_path: Path) -> None:
    compare(case, tmp_path / "layer.onnx")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:LayerNormalization. argument `rms_scaling`")
@pytest.mark.parametrize("case", LONG, ids=str)
def test_layer_with_other_arguments(case: Any, tmp_path: Path) -> None:
    compare(case, tmp_path / "layer.onnx")


@pytest.mark.long
@pytest.mark.parametrize("case", SHORT, ids=str)
def test_layer_in_the_oldest_operators(case: Any, tmp_path: Path) -> None:
    compare(case, tmp_path / "layer.onnx", opset_version=21)


def test_every_layer_is_exported_or_has_a_reason() -> None:
    tested = {one.layer for one in SHORT}
    for name in layers.__all__:
        thing = getattr(layers, name)
        if inspect.isclass(thing) and name not in BY_HAND:
            assert thing.__name__ in tested | set(NOT_EXPORTED), name
