"""Warnings point at the user's line, however deep in nkeras they come up."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import callbacks, layers, losses, metrics, ops, optimizers
from nkeras.core.graph import set_mask

X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


def _model() -> Any:
    model = nkeras.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def _without_a_gradient() -> None:
    weights = [nkeras.Variable([1.0]), nkeras.Variable([1.0])]
    optimizers.SGD().apply([None, ops.ones(1)], weights)


def _mask() -> None:
    x = ops.ones((2, 3, 1))
    set_mask(x, ops.ones((2, 3), "bool"))
    layers.Flatten()(x)


CASES: list[Callable[[], Any]] = [
    lambda: optimizers.Adam(decay=0.1),
    lambda: layers.LeakyReLU(alpha=0.1),
    lambda: callbacks.EarlyStopping(mode="best"),
    lambda: _model().fit(X, Y, callbacks=[callbacks.EarlyStopping()], verbose=0),
    lambda: _model().fit(X, Y, callbacks=[callbacks.ReduceLROnPlateau()], verbose=0),
    lambda: _model().fit(iter([(X, Y)]), steps_per_epoch=3, verbose=0),
    lambda: losses.CategoricalCrossentropy()(Y, Y),
    lambda: metrics.MeanIoU(2).update_state([0, 1], [0, 1], sample_weight=[0.5, 1.0]),
    _without_a_gradient,
    _mask,
]


@pytest.mark.parametrize("case", CASES)
def test_a_warning_names_the_line_of_the_user(case: Callable[[], Any]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case()
    lines, first = inspect.getsourcelines(case)
    assert caught
    for one in caught:
        assert one.filename == __file__
        assert first <= one.lineno < first + len(lines)


def test_the_warning_at_the_first_operation_too() -> None:
    code = "import sys; sys.modules['numba'] = None\nimport nkeras\nnkeras.ops.ones(1)\n"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.startswith("<string>:3: UserWarning: nkeras uses the slow numpy backend")


def test_all_warnings_come_from_one_place() -> None:
    root = Path(nkeras.__file__).parent
    places = {
        file.relative_to(root).as_posix()
        for file in root.rglob("*.py")
        if re.search(r"warnings\.warn\(|from warnings import", file.read_text(encoding="utf-8"))
    }
    assert places == {"core/errors.py"}
