"""Seeds. All random numbers come from Philox counters, so they are the same on every backend."""

from __future__ import annotations

import random as python_random
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from nkeras.core import graph, naming, observer, recomputing, slices
from nkeras.core.configurable import Configurable
from nkeras.core.errors import is_a, short
from nkeras.core.guards import all_changed
from nkeras.core.host import Live, live
from nkeras.core.typing import Config, Seed
from nkeras.core.variable import Variable


class SeedGenerator(Configurable):
    """A source of fresh seeds for random functions: a state of (seed, count).

    Args:
        seed: non-negative int, or None for one drawn from Python's `random`.
        name: name.

    Example:
        >>> import nkeras
        >>> seeds = nkeras.random.SeedGenerator(7)
        >>> a = nkeras.random.uniform((2,), seed=seeds)
        >>> b = nkeras.random.uniform((2,), seed=seeds)
        >>> bool((a.numpy() == b.numpy()).any())
        False

    Source: https://keras.io/api/random/seed_generator/
    """

    config_reads: ClassVar[Mapping[str, str]] = {"seed": "_initial_seed"}

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is None:
            seed = make_default_seed()
        if isinstance(seed, bool) or not is_a(seed, (int, np.integer)):
            raise ValueError(
                f"SeedGenerator: argument `seed` must be an integer. Received: seed={short(seed)}"
            )
        if seed < 0:
            raise ValueError(f"SeedGenerator: argument `seed` must be >= 0. Received: seed={seed}")
        self.name = name or naming.auto_name(type(self).__name__)
        self._initial_seed = int(seed)
        self.made_in = observer.active()
        with naming.name_scope(self.name):
            self.state = Variable(
                np.array([int(seed) % 2**32, 0], "uint32"),
                trainable=False,
                name="seed_generator_state",
                host=True,
            )

    def __getstate__(self) -> Config:
        """A copy is made in no step."""
        return {**vars(self), "made_in": None}

    def next(self, ordered: bool = True) -> tuple[int, int]:
        """A fresh seed, a pair of ints; counts on, except while shapes are inferred."""
        slices.refuse("a random number is drawn")
        if self.made_in is not None and self.made_in is observer.active():
            self.made_in.fail("a SeedGenerator is made in each step")
        run = recomputing.active()
        return live(self._advance) if run is None else run.seed(lambda: live(self._advance))

    def _advance(self) -> tuple[int, int]:
        key, count = (int(number) for number in self.state.numpy())
        if not graph.tracing():
            self.state.assign(np.array([key, (count + 1) % 2**32], "uint32"))
        return key, count


_global: SeedGenerator | None = None


def make_default_seed() -> int:
    """A seed from Python's `random`, which `set_random_seed` seeds."""
    return python_random.randint(1, int(1e9))


def global_seed_generator() -> SeedGenerator:
    """The generator used where no seed is given."""
    global _global
    if _global is None:
        _global = SeedGenerator()
        _global.made_in = None
    return _global


def reset_global_seed(seed: int | None = None) -> None:
    """Begin again with `seed`, or with a fresh one at the next use."""
    global _global
    _global = None if seed is None else SeedGenerator(seed)
    all_changed("the global seed")  # steps that draw from it were recorded with the one before


def random_states() -> Config:
    """The states of the global seed, of Python's `random` and of NumPy's, as plain values."""
    numpys = np.random.get_state(legacy=False)  # noqa: NPY002  that of users' own calls
    version, numbers, gauss = python_random.getstate()
    return {
        "nkeras": None if _global is None else _global.state.numpy(),
        "python": [version, np.array(numbers, "uint32"), gauss],
        "numpy": numpys,
    }


def restore_random_states(states: Config) -> None:
    """Put back what `random_states` returned.

    Raises:
        ValueError: it is damaged.
    """
    try:
        version, numbers, gauss = states["python"]
        python_random.setstate((version, tuple(int(number) for number in numbers), gauss))
        np.random.set_state(states["numpy"])  # noqa: NPY002
        if states["nkeras"] is not None:
            global_seed_generator().state.assign(states["nkeras"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"The states of random numbers are damaged: {short(error)}") from None


def draw_seed(seed: Seed | Live | Sequence[int]) -> tuple[int, int]:
    """A pair of ints from a SeedGenerator, an int, a pair, or None (the global generator)."""
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if type(seed) is Live and type(seed.value) is tuple:
        return seed  # type: ignore[return-value]  # what `next` gave while recording
    if seed is None:
        return global_seed_generator().next()
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        return int(seed) % 2**32, 0
    values = np.asarray(seed).reshape(-1)
    if values.shape == (2,) and values.dtype.kind in "iu":
        return int(values[0]) % 2**32, int(values[1]) % 2**32
    raise ValueError(
        "Argument `seed` must be an integer, a pair of integers, a SeedGenerator or None. "
        f"Received: seed={short(seed)} (of type {type(seed).__name__})"
    )
