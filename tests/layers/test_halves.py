"""Every layer in float16 and mixed bfloat16: predictions beside Keras', whose dtypes they have."""

from __future__ import annotations

from typing import Any

import pytest

import nkeras
from tests.harness import check_halves
from tests.layers import tables

# Where Keras cannot be asked.
_NOT_ASKED = {
    ("Pipeline", "float16"): "a tracer leaks from a Normalization inside",
    ("Pipeline", "mixed_bfloat16"): "a tracer leaks from a Normalization inside",
    ("STFTSpectrogram", "mixed_bfloat16"): "it refuses bfloat16",
    ("CategoryEncoding", "mixed_bfloat16"): "it gives the dtype of variables, not of the policy",
}
_CASES = [case for case in tables.PARITY if not case.random and "dtype" not in case.options]


@pytest.mark.long
@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16"])
@pytest.mark.parametrize("part", range(4))
def test_halves_are_those_of_keras(part: int, policy: str, oracle: Any) -> None:
    cases = [case for case in _CASES[part::4] if (case.layer, policy) not in _NOT_ASKED]
    with nkeras.use_backend("numpy"):
        for case, answer in zip(cases, check_halves.ask(cases, policy), strict=True):
            check_halves.compare(case, policy, answer)
