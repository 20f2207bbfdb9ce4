"""Seeds and Philox numbers: reproducible, the same on each backend, of the right distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nkeras.backend.registry import use_backend
from nkeras.core.random import SeedGenerator, draw_seed, global_seed_generator, reset_global_seed
from nkeras.ops.random import dropout, normal, random_bits, uniform


def test_a_seed_generator_moves_on() -> None:
    seeds = SeedGenerator(5)
    assert [seeds.next(), seeds.next()] == [(5, 0), (5, 1)]
    assert SeedGenerator.from_config(seeds.get_config()).next() == (5, 0)


@pytest.mark.parametrize("seed", ["no", 1.5, True, -1])
def test_bad_seeds_are_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed"):
        SeedGenerator(seed)


def test_draw_seed() -> None:
    assert draw_seed(7) == (7, 0)
    assert draw_seed((7, 3)) == (7, 3)
    reset_global_seed(11)
    assert draw_seed(None) == (11, 0)
    assert global_seed_generator().next() == (11, 1)
    with pytest.raises(ValueError, match="seed"):
        draw_seed("no")


def test_known_bits() -> None:
    """The test vectors of Random123 for Philox4x32-10 with key and counter 0."""
    with use_backend("numpy"):
        bits = random_bits(key=(0, 0), size=4).numpy()
    assert [hex(int(bit)) for bit in bits] == [
        "0x6627e8d5",
        "0xe169c58d",
        "0xbc57ac4c",
        "0x9b00dbd8",
    ]


def test_same_numbers_on_each_backend() -> None:
    found = []
    for backend in ("numpy", "numba_cpu"):
        with use_backend(backend):
            found.append([uniform((3, 5), seed=2).numpy(), normal((3, 5), seed=2).numpy()])
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-6)


def test_distributions() -> None:
    with use_backend("numpy"):
        flat = uniform((20000,), -1.0, 3.0, seed=1).numpy()
        bell = normal((20000,), 2.0, 0.5, seed=1).numpy()
    assert flat.min() >= -1.0
    assert flat.max() < 3.0
    assert abs(flat.mean() - 1.0) < 0.03
    assert abs(bell.mean() - 2.0) < 0.015
    assert abs(bell.std() - 0.5) < 0.01


def test_dropout_keeps_the_mean() -> None:
    with use_backend("numpy"):
        y = dropout(np.ones((20000,), "float32"), 0.25, seed=1).numpy()
    assert set(np.unique(y)) == {0.0, np.float32(1.0 / 0.75)}
    assert abs(y.mean() - 1.0) < 0.02


def test_only_floating_numbers_are_drawn() -> None:
    with pytest.raises(ValueError, match="dtype"):
        normal((2,), dtype="int32")
