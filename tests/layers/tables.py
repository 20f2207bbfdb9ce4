"""All cases of layers, from the files of tests/layers/cases: short tables, and long ones."""

from __future__ import annotations

from tests.harness import collect
from tests.layers.case import Case


def cases(long: bool) -> list[Case]:
    """The cases of all families."""
    return [one for family in collect.modules("layers/cases", "*.py") for one in family.cases(long)]


SHORT = cases(long=False)
LONG = [one for one in cases(long=True) if one not in SHORT]
