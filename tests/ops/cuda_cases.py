"""Run in a process with NUMBA_ENABLE_CUDASIM=1: every case on numba_cuda against numpy.

Prints one line for each difference, and at the end how many calls were compared.
"""

from __future__ import annotations

import warnings

from nkeras.core.primitive import PRIMITIVES
from tests.harness.check_op import assert_same, evaluate
from tests.ops.cases_elementwise import case_of, elementwise_operations
from tests.ops.tables import CASES


def main() -> None:
    warnings.simplefilter("error")
    calls = [(PRIMITIVES[name], case) for name, cases in CASES.items() for case in cases]
    calls += [(operation, case_of(operation)) for operation in elementwise_operations()]
    for function, case in calls:
        try:
            got = evaluate("numba_cuda", function, case.arrays, case.static)
            assert_same(got, evaluate("numpy", function, case.arrays, case.static))
        except Exception as error:
            print(f"{function.name}: {type(error).__name__}: {error}")
    print(f"compared {len(calls)}")


if __name__ == "__main__":
    main()
