"""What the arguments that all optimizers share may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nkeras.core.errors import is_a, short

if TYPE_CHECKING:
    from nkeras.optimizers.optimizer import Optimizer


def check_arguments(optimizer: Optimizer, owner: str) -> None:
    """Refuse what clips, averages and accumulates otherwise than it can."""
    steps, frequency = optimizer.gradient_accumulation_steps, optimizer.ema_overwrite_frequency
    if steps and not steps >= 2:
        raise ValueError(
            f"{owner}: argument `gradient_accumulation_steps` must be an integer >= 2. "
            f"Received: gradient_accumulation_steps={short(steps)}"
        )
    if optimizer.use_ema and not 0 <= optimizer.ema_momentum <= 1:
        raise ValueError(
            f"{owner}: argument `ema_momentum` must be in the range [0, 1]. "
            f"Received: ema_momentum={short(optimizer.ema_momentum)}"
        )
    if optimizer.use_ema and frequency and (not is_a(frequency, int) or frequency < 1):
        raise ValueError(
            f"{owner}: argument `ema_overwrite_frequency` must be an integer >= 1 or None. "
            f"Received: ema_overwrite_frequency={short(frequency)}"
        )
    clips = {
        name: getattr(optimizer, name) for name in ("clipnorm", "clipvalue", "global_clipnorm")
    }
    if sum(value is not None for value in clips.values()) > 1:
        raise ValueError(
            f"{owner}: only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
            f"Received: {short(clips, 150)}"
        )
    for name, value in clips.items():
        if value is not None and not value >= 0:
            raise ValueError(
                f"{owner}: argument `{name}` must not be negative. Received: {name}={short(value)}"
            )
