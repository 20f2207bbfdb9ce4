"""What CUDA kernels take, as benchmarks/results/cuda_resources.json says."""

from __future__ import annotations

import pytest

import nkeras_numba_cuda.kernels
from benchmarks import cuda_resources
from nkeras_numba_cuda.launch import KERNELS

ROWS = cuda_resources.read()["rows"]
TILES = sorted(name for name, kernel in KERNELS.items() if kernel.warps)
MOST_SHARED = 163 * 1024
"""Bytes that a block may have on sm_80; GPUs with less take small tiles."""

assert nkeras_numba_cuda.kernels.OWN


@pytest.mark.parametrize("architecture", cuda_resources.ARCHITECTURES)
@pytest.mark.parametrize("name", TILES)
def test_tiles(name, architecture):
    """A kernel without a row: run `python benchmarks/cuda_resources.py --only NAME`."""
    row = ROWS[name]
    own = row[architecture]
    assert own["spilled"] == 0
    assert own["blocks"] >= 1
    assert row["shared"] + own["static"] <= MOST_SHARED
    assert own["loop"]["HMMA"] == own["HMMA"]
    assert own["loop"]["LDGSTS"] > 0


@pytest.mark.parametrize("architecture", cuda_resources.ARCHITECTURES)
def test_all_but_tiles_share_multiprocessors(architecture):
    alone = {name for name, row in ROWS.items() if row[architecture]["blocks"] < 2}
    tiles = ("product_", "conv_", "plain_product_", "attend_", "attention_grad_")
    assert {name for name in alone if not name.startswith(tiles)} == set()


def test_every_kernel_has_a_row_and_none_spills():
    """A kernel without a row: run `python benchmarks/cuda_resources.py --only NAME`."""
    assert {name for name, _, _ in cuda_resources.names()} <= set(ROWS)
    spilling = {
        name
        for name, row in ROWS.items()
        if any(row[architecture]["spilled"] for architecture in cuda_resources.ARCHITECTURES)
    }
    assert spilling == set()


def test_rows_are_of_kernels_that_there_are():
    assert set(ROWS) <= {name for name, _, _ in cuda_resources.names()}


@pytest.mark.parametrize("name", ["product_float32_tn_128x128", "product_bfloat16_nn_64x64"])
def test_rows_are_what_is_measured(name):
    """Equal with the same versions; with others, no less good."""
    try:
        cuda_resources.tool("nvdisasm")
        cuda_resources.tool("ptxas")
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    kernel = KERNELS[name]
    row = cuda_resources.measured(kernel, kernel.signatures[0])
    if cuda_resources.read()["versions"] == cuda_resources.versions():
        assert row == ROWS[name]
    for architecture in cuda_resources.ARCHITECTURES:
        assert row[architecture]["spilled"] == 0
        assert row[architecture]["HMMA"] == ROWS[name][architecture]["HMMA"]
