"""What is timed of `fit` in each framework on the GPU; run by `nkeras/cli/peer_worker.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))


def make(framework: str, case: dict[str, Any]) -> Callable[[], object] | None:
    """One epoch: of `peer_cases`, but that torch computes on the GPU."""
    if framework != "torch":
        return import_module("peer_cases").make(framework, case)
    ways, numbers = import_module("peer_torch"), (case["model"], case["samples"], case["batch"])
    formats = ways.FORMATS if case["model"] == "convnet" else ways.FORMATS[:1]
    return ways.faster([ways.training(*numbers, format, "cuda") for format in formats], calls=1)
