"""Hostile and damaged files are refused; nothing is run, imported, opened or allocated."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.saving import hostile

# Reads each file, with what it did: one line of JSON for each. A crash ends the list.
CHILD = """
import json, os, resource, signal, sys
import nkeras
from nkeras import saving
names = json.loads(sys.argv[1])
os.chdir(sys.argv[2])
assert saving.load_model(names.pop("good"))(nkeras.ops.ones((1, 4))).shape == (1, 2)
for module in ("losses", "metrics", "optimizers.schedules", "initializers", "regularizers",
               "constraints", "activations", "quantizers", "distillation", "random", "utils"):
    __import__("nkeras." + module)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (3 << 29),) * 2)
watched = None
QUIET = ("nkeras", "numpy", "h5py", "encodings", "traceback", "linecache", "difflib", "zipfile")
REFUSED = ("exec", "compile", "import", "open", "marshal.loads", "pickle.find_class", "os.system",
           "subprocess.Popen", "socket.connect", "socket.__new__", "ctypes.dlopen", "code.__new__",
           "shutil.copyfile", "os.mkdir", "os.symlink", "os.rename", "tempfile.mkstemp")

def hook(event, arguments):
    if watched is not None and event in REFUSED:
        what = str(arguments[0]) if arguments else ""
        if event == "import" and what.startswith(QUIET):
            return
        if event == "open" and (what == watched[0] or what.endswith((".py", ".pyc"))):
            return
        if event in ("exec", "compile") and "nkeras" in what:
            return
        watched[1].append(f"{event} {what}"[:200])

sys.addaudithook(hook)

def late(*_):
    raise TimeoutError("too slow")

signal.signal(signal.SIGALRM, late)
def read(name, path):
    global watched
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    watched = (path, [])
    signal.alarm(20)
    try:
        saving.load_model(path)
        outcome = ("loaded", "")
    except BaseException as error:
        outcome = (type(error).__name__, str(error))
    signal.alarm(0)
    did, watched = watched[1], None
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    return [name, *outcome, did, grown]

for name, path in names.items():
    found = read(name, path)
    if found[3]:  # modules may have been imported late, but not twice
        found = read(name, path)
    print(json.dumps(found), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "work").mkdir()
    hostile.model().save(folder / "good.keras")
    names = {"good": str(folder / "good.keras")}
    names |= {name: str(path) for name, path in hostile.files(folder)}
    child = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(names), folder / "work"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    found = {line[0]: line[1:] for line in map(json.loads, child.stdout.splitlines())}
    missing = [name for name in names if name not in found and name != "good"]
    if missing:
        found[missing[0]] = ["crash", child.stderr[-2000:], [], 0]
    assert list((folder / "work").iterdir()) == []
    assert not (folder.parent / "escaped").exists()
    return found


@pytest.mark.parametrize("name", list(hostile._MAKERS))  # pyright: ignore[reportPrivateUsage]
def test_refused(outcomes: dict[str, Any], name: str) -> None:
    kind, message, did, grown = outcomes[name]
    assert did == []
    assert grown < 300, "megabytes"
    assert kind in ("ValueError", "TypeError"), (kind, message)
    assert message.startswith("bad.keras"), message
    assert message.count("\n") <= 2, message
    assert len(message) <= 700, message
