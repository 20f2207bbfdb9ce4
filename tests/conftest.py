"""What every test gets: a kernel cache, a clean session, and Keras as oracle."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.harness")  # its asserts tell values, as those of tests do


def pytest_configure(config: pytest.Config) -> None:
    """Before numba is imported: one kernel cache for all workers, kept for the next run."""
    cache = getattr(config, "cache", None)
    kept = str(cache.mkdir("numba")) if cache else str(Path(config.rootpath) / ".pytest_cache")
    os.environ.setdefault("NUMBA_CACHE_DIR", kept)
    # Without bytecode on disk each of some hundred children would compile all of nkeras anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


LARGE_TABLE = 20


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--sample 8`: of tests with many cases every eighth; .ci/run has time for some."""
    told = f"of a test with over {LARGE_TABLE} cases, run one in so many (NKERAS_TEST_SAMPLE)"
    default = int(os.environ.get("NKERAS_TEST_SAMPLE", "1"))
    parser.addoption("--sample", type=int, default=default, metavar="N", help=told)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--sample` does not ask for."""
    every: int = config.getoption("sample")
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    tables = [table for table in cases.values() if len(table) > LARGE_TABLE and every > 1]
    left_out = {item for table in tables for i, item in enumerate(table) if i % every}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def oracle() -> Any:
    """The module `tests.harness.oracle`; tests skip where Keras 3.15 cannot be had."""
    from tests.harness import oracle

    if not oracle.keras_available():
        pytest.skip(oracle.missing() or "")
    return oracle


@pytest.fixture(autouse=True)
def _clean_session() -> Iterator[None]:
    """After each test, names, seeds, settings, what is registered and the backend are as before."""
    from dataclasses import asdict

    from nkeras.backend import registry
    from nkeras.core import config, naming, policies, serialization
    from nkeras.core.random import reset_global_seed

    default, settings = registry._default, asdict(config._settings)
    policy = policies._default
    known = serialization.get_custom_objects()
    registered, names = dict(known), dict(serialization._names)
    yield
    registry._default = default
    policies._default = policy
    for table, before in ((known, registered), (serialization._names, names)):
        table.clear()
        table.update(before)
    for name, value in settings.items():
        setattr(config._settings, name, value)
    naming.reset()
    reset_global_seed()
