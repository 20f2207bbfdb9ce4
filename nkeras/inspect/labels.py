"""What stands in the box of a layer's call, and which kind of layer it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nkeras.core.typing import PartialShape
from nkeras.inspect.outline import Box

# Words in names of classes, and the kind that they say; the first that fits.
_KINDS = (
    ("input", ("Input",)),
    ("recurrent", ("RNN", "LSTM", "GRU", "Bidirectional", "TimeDistributed")),
    ("attention", ("Attention", "Embedding", "DotProductAttention")),
    ("normalization", ("Norm",)),
    ("pooling", ("Pool", "UpSampling", "Resizing")),
    ("convolution", ("Conv", "LocallyConnected")),
    ("dense", ("Dense", "Matmul", "Einsum")),
    ("random", ("Dropout", "Noise", "Random")),
    ("merging", ("Add", "Subtract", "Multiply", "Concatenate", "Average", "Maximum", "Dot")),
    ("shape", ("Flatten", "Reshape", "Permute", "Padding", "Cropping", "Repeat", "Getitem")),
    ("activation", ("Activation", "Relu", "ReLU", "LU", "Softmax", "Sigmoid", "Tanh", "Silu")),
)


@dataclass(frozen=True)
class Label:
    """The text of a box.

    Attributes:
        kind: of layer, a word of `kind_of`.
        title: the first line.
        lines: those below.
        trained: whether its weights are trained; None where there are none or nobody asked.
        shared: such as `"call 1 of 2"`, or empty.
    """

    kind: str
    title: str
    lines: tuple[str, ...]
    trained: bool | None
    shared: str


def label(
    box: Box, shapes: bool, dtype: bool, names: bool, activations: bool, trainable: bool
) -> Label:
    """The text of a box; each argument says whether that is shown."""
    title = f"{box.name} ({box.class_name})" if names else box.class_name
    lines: list[str] = []
    if activations and box.activation is not None:
        lines.append(f"Activation: {box.activation}")
    if shapes:
        if box.inputs:
            lines.append(f"Input shape: {_several([_shape(shape) for shape, _ in box.inputs])}")
        lines.append(f"Output shape: {_several([_shape(shape) for shape, _ in box.outputs])}")
    if dtype:
        lines.append(f"Output dtype: {_several([name for _, name in box.outputs])}")
    number, count = box.call
    shared = f"call {number} of {count}" if count > 1 else ""
    return Label(
        kind_of(box.class_name),
        title,
        tuple(lines),
        box.trainable if trainable else None,
        shared,
    )


def kind_of(class_name: str) -> str:
    """Which kind of layer a class is, by words in its name; `"other"` if none is known.

    Example:
        >>> kind_of("SeparableConv2D"), kind_of("MultiHeadAttention"), kind_of("Mine")
        ('convolution', 'attention', 'other')
    """
    for kind, words in _KINDS:
        if any(word in class_name for word in words):
            return kind
    return "other"


def _shape(shape: PartialShape) -> str:
    return f"({', '.join(str(size) for size in shape)}{',' if len(shape) == 1 else ''})"


def _several(values: Sequence[str]) -> str:
    return ", ".join(values) if values else "?"
