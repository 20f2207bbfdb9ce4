"""All cases of layers, from the files of tests/layers/cases: short tables, and long ones."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nkeras import layers
from tests.harness import collect
from tests.layers.case import Case

# Values for arguments that no case of a layer gives, by the ends of their names.
VALUES: dict[str, Any] = {
    "_initializer": "ones",
    "_regularizer": "l2",
    "_constraint": "non_neg",
    "use_bias": False,
    "seed": 3,
}


def cases(long: bool) -> list[Case]:
    """The cases of all families."""
    return [one for family in collect.modules("layers/cases", "*.py") for one in family.cases(long)]


def arguments_left(given: list[Case]) -> dict[str, tuple[Case, list[str]]]:
    """For each layer its first case, and the arguments of its own that no case gives."""
    found: dict[str, tuple[Case, list[str]]] = {}
    for name in dict.fromkeys(case.layer for case in given):
        own = [case for case in given if case.layer == name]
        used = {argument for case in own for argument in case.options}
        signature = inspect.signature(getattr(layers, name).__init__)
        shared = {"self", "kwargs", *inspect.signature(layers.Layer.__init__).parameters}
        found[name] = own[0], [p for p in signature.parameters if p not in used | shared]
    return found


def _rest(given: list[Case]) -> Iterator[Case]:
    """A case for each layer with the arguments that no other case gives, where `VALUES` knows."""
    for first, left in arguments_left(given).values():
        options = {
            name: value for name in left for end, value in VALUES.items() if name.endswith(end)
        }
        if options:
            yield replace(first, options=first.options | options)


def _first(given: list[Case], count: int) -> list[Case]:
    """So many cases of each layer."""
    seen: Counter[str] = Counter()
    found = []
    for case in given:
        seen[case.layer] += 1
        if seen[case.layer] <= count:
            found.append(case)
    return found


SHORT = cases(long=False)
PARITY = _first([one for one in SHORT if one.in_keras], 1)  # JAX compiles each for a second
LONG = [one for one in cases(long=True) if one not in SHORT]
LONG += _rest([*SHORT, *LONG])
LONG_PARITY = [one for one in [*SHORT, *LONG] if one.in_keras and one not in PARITY]
