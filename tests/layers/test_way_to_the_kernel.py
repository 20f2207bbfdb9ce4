"""How many functions a call passes on its way to the kernel; docs/design.md says eight."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

import nkeras
from nkeras import layers
from nkeras.backend import registry

MOST = 8
PACKAGE = str(Path(nkeras.__file__).parent)


@pytest.mark.parametrize(
    ("layer", "shape", "kernel"),
    [
        (lambda: layers.Conv2D(2, 3), (1, 5, 5, 1), "conv_bias"),
        (lambda: layers.Conv1D(2, 3), (1, 5, 1), "conv_bias"),
        (lambda: layers.Dense(3), (2, 4), "dense"),
        (lambda: layers.MaxPooling2D(), (1, 4, 4, 1), "max_pool"),
    ],
)
def test_frames(layer: Any, shape: Any, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with nkeras.use_backend("numpy"):
        made, x = layer(), nkeras.ops.ones(shape)
        made(x)
        backend, frames = registry.active(), []
        own = backend.kernels[kernel]

        def counted(*arguments: Any, **static: Any) -> Any:
            stack = traceback.extract_stack()
            frames.extend(frame for frame in stack if frame.filename.startswith(PACKAGE))
            return own(*arguments, **static)

        monkeypatch.setattr(backend, "kernels", {**backend.kernels, kernel: counted})
        made(x)
    assert 0 < len(frames) <= MOST
