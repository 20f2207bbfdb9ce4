"""Run in a process with NUMBA_ENABLE_CUDASIM=1: every case on numba_cuda against numpy.

Prints one line for each difference, and at the end how many calls were compared.
"""

from __future__ import annotations

import warnings
from typing import Any

from nkeras.core.primitive import PRIMITIVES, Primitive
from tests.harness.check_op import assert_same, evaluate
from tests.ops.cases import Case
from tests.ops.cases_elementwise import case_of, elementwise_operations
from tests.ops.complex_cases import CASES as COMPLEX
from tests.ops.complex_cases import elementwise as complex_elementwise
from tests.ops.tables import CASES


def all_calls() -> list[tuple[Primitive[Any], Case]]:
    """Every primitive with its cases, those of complex numbers too."""
    calls: list[tuple[Primitive[Any], Case]] = [
        (PRIMITIVES[name], case) for name, cases in CASES.items() for case in cases
    ]
    calls += [(operation, case_of(operation)) for operation in elementwise_operations()]
    calls += [(PRIMITIVES[name], case) for name, cases in COMPLEX.items() for case in cases]
    calls += complex_elementwise()
    return calls


def main() -> None:
    warnings.simplefilter("error")
    calls = all_calls()
    for function, case in calls:
        try:
            got = evaluate("numba_cuda", function, case.arrays, case.static)
            assert_same(got, evaluate("numpy", function, case.arrays, case.static))
        except Exception as error:
            print(f"{function.name}: {type(error).__name__}: {error}")
    print(f"compared {len(calls)}")


if __name__ == "__main__":
    main()
