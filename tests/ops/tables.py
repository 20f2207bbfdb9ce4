"""The cases of all files: of primitives (`cases*.py`) and of ops in Keras (`keras_cases*.py`)."""

from __future__ import annotations

from tests.harness import collect
from tests.ops.cases import CASES as CASES
from tests.ops.keras_cases import CASES as KERAS_CASES
from tests.ops.keras_cases import INPUTS as INPUTS

for _topic in collect.modules("ops", "cases_*.py"):
    CASES.update(getattr(_topic, "CASES", {}))
for _topic in collect.modules("ops", "keras_cases_*.py"):
    pass

__all__ = ["CASES", "INPUTS", "KERAS_CASES"]
