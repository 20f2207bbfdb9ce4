"""Plans are tested on two backends: numba_cpu, and one whose arrays nobody can look into.

In the simulator (NUMBA_ENABLE_CUDASIM) it is numba_cuda, whose graphs are stand-ins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import nkeras
from nkeras.backend import registry
from tests.replay.opaque_backend import OpaqueBackend

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "1"


@pytest.fixture(scope="session", autouse=True)
def _opaque_backend() -> None:
    registry._loaded["opaque"] = OpaqueBackend()


@pytest.fixture(autouse=True, params=["numba_cuda"] if SIMULATED else ["numba_cpu", "opaque"])
def planning_backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The backend of a test; `@pytest.mark.cpu` stands above tests of launches and threads."""
    is_of_cpu = request.node.get_closest_marker("cpu") is not None
    if request.param != "numba_cpu" and is_of_cpu:
        pytest.skip("what numba_cpu does")
    before = nkeras.get_backend()
    nkeras.set_backend(request.param)
    yield request.param
    nkeras.set_backend(before)
