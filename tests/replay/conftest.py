"""Plans are tested on two backends: numba_cpu, and one whose arrays nobody can look into."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import nkeras
from nkeras.backend import registry
from tests.replay.opaque_backend import OpaqueBackend


@pytest.fixture(scope="session", autouse=True)
def _opaque_backend() -> None:
    registry._loaded["opaque"] = OpaqueBackend()


@pytest.fixture(autouse=True, params=["numba_cpu", "opaque"])
def planning_backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The backend of a test; `@pytest.mark.cpu` stands above tests of launches and threads."""
    is_of_cpu = request.node.get_closest_marker("cpu") is not None
    if request.param == "opaque" and is_of_cpu:
        pytest.skip("what numba_cpu does")
    before = nkeras.get_backend()
    nkeras.set_backend(request.param)
    yield request.param
    nkeras.set_backend(before)
