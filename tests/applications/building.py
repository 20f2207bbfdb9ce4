"""Models of nkeras without the numbers of their weights, and what they would be given."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import pytest

import nkeras
from nkeras.applications import architecture
from nkeras.applications.pretrained import WeightFile
from nkeras.core.variable import postponed_values


class Enough(Exception):
    """What was wanted is there."""


def outline(name: str, arguments: dict[str, Any]) -> tuple[Any, list[Any]]:
    """A model whose weights have shapes alone, and the files that it would have read."""
    files: list[Any] = []

    def put_down(file: WeightFile) -> str:
        files.append([file.name, file.url, file.file_hash])
        return ""

    model: Any = None
    nkeras.utils.clear_session()
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Enough):
        patch.setattr(WeightFile, "fetch", put_down)
        patch.setattr(nkeras.models.Functional, "load_weights", lambda model, path: None)
        patch.setattr(architecture, "postponed_values", contextlib.nullcontext)
        with warnings.catch_warnings(), postponed_values():
            warnings.simplefilter("ignore")  # of sizes that the weights are not made for
            model = getattr(nkeras.applications, name)(**arguments)
            raise Enough  # so that no values are made at the end
    return model, files
