"""The program of a worker process, see `workers`: compiles what it finds in a folder.

Run by its path, so that it looks after its parent before anything large is imported.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pickle
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

IDLE = 20.0  # seconds without work, after which a worker ends
_PAUSE = 0.002  # seconds between two looks into the folder; ten times that after a second


def main(folder: Path, number: str) -> None:
    """Compile until there is nothing to do for long, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # if memory ends, it is the worker that goes
    sys.path += json.loads((folder / "path.json").read_text())
    importlib.import_module("nkeras_numba_cpu.kernels")  # what jobs name; the floors above
    gc.freeze()
    last = time.monotonic()
    while time.monotonic() - last < IDLE:
        job = _take(folder, number)
        if job is None:
            time.sleep(_PAUSE if time.monotonic() - last < 1 else 10 * _PAUSE)
        else:
            _compile(folder, job)
            last = time.monotonic()


def _end_with_parent(folder: Path) -> None:
    """End when nobody holds the other end of standard input any more."""
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _take(folder: Path, number: str) -> Path | None:
    """The oldest job that nobody else was quicker to rename."""
    for name in sorted(os.listdir(folder)):
        if name.endswith(".job"):
            taken = folder / f"{name}.{number}"
            with suppress(OSError):
                os.rename(folder / name, taken)
                return taken
    return None


def _compile(folder: Path, job: Path) -> None:
    """Write the code of a job; none where it fails, which the parent will meet itself."""
    from nkeras_numba_cpu.compile import native

    symbol, emit = pickle.loads(job.read_bytes())
    code = b""
    with suppress(Exception):
        code = native.optimized(symbol, emit).object_code()
    part = folder / f"{symbol}.part"
    part.write_bytes(code)
    os.replace(part, folder / f"{symbol}.o")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
