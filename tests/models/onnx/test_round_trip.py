"""Every layer of the catalogue, written by `Model.export` and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from tests.export.one_layer import layer_model, signature
from tests.layers import tables

RECURRENT = ("SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional")


def unknown_operator(case: Any) -> str | None:
    """The operator in the layer's file that is not read."""
    if case.layer == "MelSpectrogram":
        return "DFT"
    return "Scan|Loop" if case.mask and case.layer in RECURRENT else None


@pytest.mark.long
@pytest.mark.parametrize("case", tables._first(tables.SHORT, 2), ids=str)
def test_layer(case: Any, tmp_path: Path) -> None:
    path = tmp_path / "layer.onnx"
    with nkeras.use_backend("numpy"):
        model, arrays = layer_model(case)
        model.export(path, verbose=False, input_signature=signature(arrays))
        if (operator := unknown_operator(case)) is not None:
            with pytest.raises(ValueError, match=f"does not know .*({operator})"):
                nkeras.models.from_onnx(path)
            return
        made = nkeras.models.from_onnx(path)
        one_sample = [one[:1] for one in arrays]
        batches = [arrays] if arrays[0].ndim == 1 else [arrays, one_sample]
        for given in batches:
            got = made(given if len(given) > 1 else given[0])
            got = got if isinstance(got, (list, tuple)) else [got]
            for mine, wanted in zip(got, model(*given, training=False), strict=True):
                wanted = nkeras.ops.convert_to_numpy(wanted)
                scale = max(1.0, float(np.abs(wanted, dtype=float).max(initial=0.0)))
                got_array = nkeras.ops.convert_to_numpy(mine)
                np.testing.assert_allclose(got_array, wanted, 0, 1e-5 * scale)
