"""One stage in a process of its own: `python -m benchmarks.cuda_stages.worker STAGE PART PARTS`.

A stage is a module here with a function `rows(part, parts)`. Each row goes to standard output when
it is there, so that a stage that hangs or dies keeps what it had; all else goes to standard error.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from benchmarks.cuda_stages.rows import failed


def main() -> int:
    """Run the stage; the exit status says whether it came to its end."""
    stage, part, parts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        for row in import_module(f"benchmarks.cuda_stages.{stage}").rows(part, parts):
            print(row.as_json(), file=answers, flush=True)
    except Exception as error:  # it is a row of the table, whatever it is
        print(failed(stage, error).as_json(), file=answers, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
