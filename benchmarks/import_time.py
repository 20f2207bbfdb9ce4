"""What `import nkeras` costs beyond the interpreter and NumPy: the best of several processes."""

from __future__ import annotations

import argparse
import subprocess
import sys

from measuring import save

TIMED = """
import time
started = time.perf_counter()
{statement}
print(time.perf_counter() - started)
"""
# With NumPy loaded before, so that only what nkeras adds is counted.
STATEMENTS = {
    "import numpy": ("", "import numpy"),
    "import nkeras": ("import numpy", "import nkeras"),
    "first layer": ("import numpy", "import nkeras; nkeras.layers.Dense"),
}


def seconds(before: str, statement: str) -> float:
    code = before + TIMED.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=10)
    options = parser.parse_args()
    best = {
        f"{name}, s": min(seconds(*code) for _ in range(options.repeat))
        for name, code in STATEMENTS.items()
    }
    save("import_time", {"repeat": options.repeat, **best})


if __name__ == "__main__":
    main()
