"""The usual cases of variance scaling, by the names of their inventors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from nkeras.core.typing import Seed
from nkeras.initializers.random import VarianceScaling


class _Named(VarianceScaling):
    """Variance scaling whose arguments are fixed by the class."""

    fixed: ClassVar[tuple[float, str, str]]

    def __init__(
        self,
        seed: Seed = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        scale, mode, distribution = self.fixed
        super().__init__(scale, mode, distribution, seed, input_axes, output_axes)


class GlorotUniform(_Named):
    """Uniformly distributed numbers of variance `2 / (inputs + outputs)`.

    Args:
        seed: int, for the same numbers in each call; SeedGenerator, for new ones; None for an int
            drawn now.
        input_axes: axes of the inputs; by default all but the last.
        output_axes: axes of the outputs; by default the last, and those of the window.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.GlorotUniform(seed=1)((2, 3)).shape
        (2, 3)

    Source: Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html
    """

    fixed = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Normally distributed numbers of variance `2 / (inputs + outputs)`, cut at two deviations.

    Args:
        seed: int, SeedGenerator or None: see `GlorotUniform`.
        input_axes: axes of the inputs; by default all but the last.
        output_axes: axes of the outputs; by default the last, and those of the window.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.GlorotNormal(seed=1)((2, 3)).shape
        (2, 3)

    Source: Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html
    """

    fixed = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Named):
    """Uniformly distributed numbers of variance `2 / inputs`.

    Args:
        seed: int, SeedGenerator or None: see `GlorotUniform`.
        input_axes: axes of the inputs; by default all but the last.
        output_axes: axes of the outputs; by default the last, and those of the window.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.HeUniform(seed=1)((2, 3)).shape
        (2, 3)

    Source: He et al. 2015, https://arxiv.org/abs/1502.01852
    """

    fixed = (2.0, "fan_in", "uniform")


class HeNormal(_Named):
    """Normally distributed numbers of variance `2 / inputs`, cut at two deviations.

    Args:
        seed: int, SeedGenerator or None: see `GlorotUniform`.
        input_axes: axes of the inputs; by default all but the last.
        output_axes: axes of the outputs; by default the last, and those of the window.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.HeNormal(seed=1)((2, 3)).shape
        (2, 3)

    Source: He et al. 2015, https://arxiv.org/abs/1502.01852
    """

    fixed = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Named):
    """Uniformly distributed numbers of variance `1 / inputs`.

    Args:
        seed: int, SeedGenerator or None: see `GlorotUniform`.
        input_axes: axes of the inputs; by default all but the last.
        output_axes: axes of the outputs; by default the last, and those of the window.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.LecunUniform(seed=1)((2, 3)).shape
        (2, 3)

    Source: LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf
    """

    fixed = (1.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Normally distributed numbers of variance `1 / inputs`, cut at two deviations.

    Args:
        seed: int, SeedGenerator or None: see `GlorotUniform`.
        input_axes: axes of the inputs; by default all but the last.
        output_axes: axes of the outputs; by default the last, and those of the window.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.LecunNormal(seed=1)((2, 3)).shape
        (2, 3)

    Source: LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf
    """

    fixed = (1.0, "fan_in", "truncated_normal")
