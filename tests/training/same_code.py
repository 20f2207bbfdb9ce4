"""One piece of code, run by Keras and by nkeras; both results must agree."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

import nkeras


def both(oracle: Any, code: str, **inputs: Any) -> tuple[Any, Any]:
    """The variable `result` of the code in (nkeras, Keras)."""
    code = textwrap.dedent(code)
    namespace = {"keras": nkeras, "np": np, "ops": nkeras.ops, **inputs}
    exec(compile(code, "<same code>", "exec"), namespace)
    return namespace["result"], oracle.run(code, **inputs)


def agree(oracle: Any, code: str, rtol: float = 2e-5, atol: float = 1e-6, **inputs: Any) -> Any:
    """Assert that nested dicts and lists of numbers are the same; nkeras' result is returned."""
    ours, theirs = both(oracle, code, **inputs)
    compare(ours, theirs, rtol, atol, "result")
    return ours


def compare(ours: Any, theirs: Any, rtol: float, atol: float, where: str) -> None:
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), f"{where}: {list(ours)} for {list(theirs)}"
        for key in theirs:
            compare(ours[key], theirs[key], rtol, atol, f"{where}[{key!r}]")
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), where
        for index, (our, other) in enumerate(zip(ours, theirs, strict=True)):
            compare(our, other, rtol, atol, f"{where}[{index}]")
    elif isinstance(theirs, str) or theirs is None:
        assert ours == theirs, where
    else:
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol, err_msg=where)
