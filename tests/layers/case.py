"""A layer with arguments and inputs, to be tested."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A layer, its arguments, and what it is called on.

    Attributes:
        layer: class name.
        options: constructor's arguments; a dict with `class_name` and `config` is a layer in it.
        shapes: input shapes; several are given as a list.
        mask: an input mask `(batch, size of axis 1)` is attached.
        random: training gives other numbers than Keras'.
        in_keras: Keras has such a layer.
        call: further arguments of the call.
        arguments: names of the call's arguments that the inputs are, instead of one list; those
            with a star at the end are put into a list.
        below: inputs are integers from zero below this number, instead of floats.
    """

    layer: str
    options: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = ((2, 3),)
    mask: bool = False
    random: bool = False
    in_keras: bool = True
    call: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    below: int | None = None

    def __str__(self) -> str:
        options = ",".join(f"{key}={value}" for key, value in (self.options | self.call).items())
        return f"{self.layer}({options}){'+mask' if self.mask else ''}{self.shapes}"

    @property
    def dtype(self) -> str:
        """Of the inputs."""
        return "float32" if self.below is None else "int32"

    def arrays(self) -> list[np.ndarray]:
        """Floats of both signs and distinct, so that no maximum is ambiguous, or integers."""
        random = np.random.default_rng(7)
        if self.below is not None:
            return [random.integers(0, self.below, shape).astype("int32") for shape in self.shapes]
        return [
            (random.permutation(np.prod(shape)) / np.prod(shape) * 3.0 - 1.4 + number * 0.01)
            .reshape(shape)
            .astype("float32")
            for number, shape in enumerate(self.shapes)
        ]

    def masks(self) -> list[np.ndarray] | None:
        """Masks of the inputs, different ones; each row keeps something."""
        if not self.mask:
            return None
        masks = []
        for number, shape in enumerate(self.shapes):
            mask = np.ones(shape[:2], "bool")
            mask[0, -1 - number :] = False
            mask[-1, :1] = False
            masks.append(mask)
        return masks

    def passed(self, inputs: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments of the call on these inputs."""
        if self.arguments:
            named: dict[str, Any] = {}
            for name, value in zip(self.arguments, inputs, strict=True):
                if name.endswith("*"):
                    named.setdefault(name[:-1], []).append(value)
                else:
                    named[name] = value
            return (), named | self.call
        return (inputs[0] if len(inputs) == 1 else inputs,), self.call


def case(layer: str, *shapes: tuple[int, ...], **options: Any) -> Case:
    """A case without mask."""
    return Case(layer, options, shapes or ((2, 3),))


def sizes(rank: int) -> tuple[int, ...]:
    """Different sizes of spatial axes."""
    return {1: (9,), 2: (7, 6), 3: (5, 4, 6)}[rank]


def image(rank: int, channels: int, data_format: str) -> tuple[int, ...]:
    """The shape of two images of `sizes`."""
    if data_format == "channels_last":
        return (2, *sizes(rank), channels)
    return (2, channels, *sizes(rank))
