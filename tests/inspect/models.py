"""Models that drawings and inspections are tested with."""

from __future__ import annotations

import nkeras
from nkeras import layers


def residual() -> nkeras.Model:
    x = inputs = nkeras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(x)
    for number in range(2):
        y = layers.Conv2D(4, 3, padding="same", name=f"conv_{number}")(x)
        y = layers.BatchNormalization(name=f"norm_{number}")(y)
        x = layers.Add(name=f"sum_{number}")([x, y])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return nkeras.Model(inputs, layers.Dense(2, name="scores")(x), name="residual")


def nested() -> nkeras.Model:
    inner = nkeras.Sequential(
        [
            nkeras.Input((3,)),
            layers.Dense(4, activation="relu", name="a"),
            layers.Dense(2, name="b"),
        ],
        name="inner",
    )
    one, two = nkeras.Input((3,), name="one"), nkeras.Input((3,), name="two")
    both = layers.Concatenate(name="both")([inner(one), inner(two * 2.0)])
    return nkeras.Model([one, two], layers.Dense(1, name="end")(both), name="twins")


class Subclassed(nkeras.Model):
    """One whose `call` can be traced."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(4, activation="relu", name="hidden")
        self.out = layers.Dense(3, name="out")

    def call(self, x: nkeras.Tensor) -> nkeras.Tensor:
        return self.out(self.hidden(x) * 2.0)


class Looking(Subclassed):
    """One whose `call` needs values."""

    def call(self, x: nkeras.Tensor) -> nkeras.Tensor:
        return self.out(self.hidden(x)) if float(nkeras.ops.sum(x)) > 0 else self.hidden(x)
