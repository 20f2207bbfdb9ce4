"""Tests that compile kernels are skipped where NVVM is not installed and the code was not kept."""

from __future__ import annotations

from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    from tests.ptx.compiling import MissingLibrary

    try:
        return (yield)
    except MissingLibrary as error:
        pytest.skip(str(error))
