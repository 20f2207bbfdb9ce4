"""The targets of `fuzz_targets.py`, led by atheris to lines of the readers that are new.

python -m tests.saving.fuzz_atheris configurations FOLDER -max_total_time=600
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

from tests.saving import fuzz_targets

READERS = ("nkeras.saving.", "nkeras.models.", "nkeras.core.serialization")


def instrument() -> None:
    """Let atheris see the readers alone: kernels are made of functions as they are written."""
    for name, module in list(sys.modules.items()):
        if name.startswith(READERS):
            for thing in vars(module).values():
                for function in [thing, *(vars(thing).values() if isinstance(thing, type) else ())]:
                    if getattr(function, "__module__", "") == name and hasattr(
                        function, "__code__"
                    ):
                        atheris.instrument_func(function)


class Choices(random.Random):
    """Random choices that bytes decide; zeros where they end."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._provider = atheris.FuzzedDataProvider(data)

    def getrandbits(self, k: int) -> int:
        content = self._provider.ConsumeBytes((k + 7) // 8)
        return int.from_bytes(content, "little") & ((1 << k) - 1)

    def random(self) -> float:
        return self.getrandbits(16) / (1 << 16)


def main() -> None:
    """Try one target until a form is found that it does not read as it must."""
    name, folder = sys.argv.pop(1), Path(sys.argv.pop(1))
    fuzz_targets.archives()
    instrument()
    watch = fuzz_targets.Watch()
    fuzz_targets.be_punctual()
    atheris.Setup(
        sys.argv, lambda data: fuzz_targets.attempt(name, Choices(data), folder, watch) and None
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
