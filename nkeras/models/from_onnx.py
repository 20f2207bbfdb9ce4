"""Models of other frameworks, read from ONNX files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from nkeras.core.errors import is_a, refuse, short
from nkeras.models.model import Model


def from_onnx(
    path: str | os.PathLike[str],
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    name: str | None = None,
) -> Model:
    """A functional model that computes what an ONNX file says, and can be trained further.

    Inputs keep the layout of the file, which is channels first for images. Inside, images are
    turned once and stay channels last, as nkeras computes: where Keras has a layer (`Conv2D`,
    `Dense`, `BatchNormalization`, `Embedding`, ...) a node becomes one, named after it, with the
    file's weights; other nodes become calls of `nkeras.ops`. Weights that belong to no layer are
    trained too: `nkeras.models.Parameter`. ONNX does not tell weights from constants: of
    initializers, arrays of more than one float count as weights. Set `trainable` of a layer to
    False to keep it as it is. Dropout and the statistics of batches work in training as in Keras.

    A file is data: nothing in it is run, sizes are compared with bytes before an array is made, and
    weights in other files are read from the folder of the model alone. It needs the package
    `onnx`: `pip install 'nkeras[onnx]'`.

    Args:
        path: the file, of an operator set from 7 to 28; without control flow, sequences and texts.
        input_shapes: shapes by the name of the input, for those of the file, with None for sizes
            that stay open. A file whose batch has a fixed size gets an open one by
            `{"input": (None, 3, 224, 224)}`, if no node depends on it.
        name: name of the model.

    Returns:
        Model, functional; its inputs and outputs are those of the file, in its order.

    Raises:
        ImportError: the package `onnx` is missing.
        ValueError: the file is damaged; it has operators that nkeras does not know, which are
            listed with their nodes; or a node needs what nkeras has not, say a size that is open.

    Example:
        >>> import nkeras
        >>> model = nkeras.models.from_onnx("resnet18.onnx")  # doctest: +SKIP
        >>> model.compile("sgd", "mse")  # doctest: +SKIP

    Source: https://onnx.ai/onnx/operators/
    """
    from nkeras.models.onnx import operators  # the table, without which nothing is known
    from nkeras.models.onnx.building import Builder
    from nkeras.models.onnx.reading import read

    assert operators.OPERATORS
    shapes = {} if input_shapes is None else input_shapes
    if not is_a(shapes, Mapping):
        refuse("input_shapes", input_shapes, "a dict from names to shapes", "from_onnx")
    description = read(path)
    known = [item.name for item in description.inputs]
    unknown = [key for key in shapes if key not in known]
    if unknown:
        raise ValueError(
            f"from_onnx: argument `input_shapes` names {short(unknown)}; the inputs of the file "
            f"are {short(known)}."
        )
    return Builder(description, shapes).build(name)
