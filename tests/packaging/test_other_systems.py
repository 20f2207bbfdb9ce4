"""Nothing needs what only Linux has: imported and trained with it taken away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# What we stand on is loaded as it is; then the process looks to nkeras like one of another system.
PRETEND = """
import os, pkgutil, signal, sys
import multiprocessing.pool, subprocess, urllib.request
import h5py, ml_dtypes, numba, numba.np.linalg, numpy.random, sklearn.utils.validation

def refuse(event, arguments):
    if event == "os.fork" or event == "open" and str(arguments[0]).startswith("/proc"):
        raise PermissionError(f"{event} {arguments}")

sys.addaudithook(refuse)
sys.platform = sys.argv[1]
MISSING = {
    os: "fork forkpty memfd_create sched_getaffinity sched_setaffinity register_at_fork getuid "
    "geteuid getgid getpgid killpg posix_spawn sysconf uname waitid mkfifo O_CLOEXEC O_NONBLOCK",
    signal: "alarm setitimer pthread_kill pthread_sigmask SIGKILL SIGALRM SIGHUP SIGUSR1",
}
for module, names in MISSING.items():
    for name in names.split():
        delattr(module, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline"):
    sys.modules[name] = None
"""

USE = """
import numpy as np
import nkeras

for package in ("nkeras", "nkeras_numpy", "nkeras_numba_cpu"):
    package = __import__(package)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        __import__(module.name)

x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
model = nkeras.Sequential([nkeras.layers.Dense(8, activation="relu"), nkeras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, x[:, :1], batch_size=8, verbose=0)
model.evaluate(x, x[:, :1], verbose=0)
model.predict(x, verbose=0)
model.summary()
print(nkeras.get_backend())
"""


@pytest.mark.parametrize("system", ["win32", pytest.param("darwin", marks=pytest.mark.long)])
def test_training_needs_nothing_that_only_linux_has(system: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRETEND + USE, system],
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},  # empty: kernels are compiled
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "numba_cpu"
