"""Layers for images against Keras: the same transformation given to both."""

from __future__ import annotations

from typing import Any

import numpy as np

import nkeras
from nkeras import layers
from nkeras.core import tree
from nkeras.core.tensor import Tensor
from tests.harness import oracle

IN_KERAS = """
def answer(case):
    layer = getattr(keras.layers, case["layer"])(**case["options"])
    made = lambda value: ops.convert_to_tensor(value) if isinstance(value, np.ndarray) else value
    transformation = keras.tree.map_structure(made, case["transformation"])
    found = {}
    for kind in ("images", "segmentation_masks", "bounding_boxes"):
        if kind in case["data"]:
            given = keras.tree.map_structure(ops.convert_to_tensor, case["data"][kind])
            found[kind] = getattr(layer, f"transform_{kind}")(given, transformation, training=True)
    return found

result = [answer(case) for case in cases]
"""


def data_for(
    shape: tuple[int, ...], dtype: str = "float32", data_format: str = "channels_last"
) -> dict[str, Any]:
    """Images, masks and boxes `xyxy`, inside of images `(batch, height, width, channels)`."""
    random = np.random.default_rng(3)
    images = random.uniform(0.0, 255.0, shape).astype(dtype)
    masks = random.integers(0, 5, (*shape[:3], 1)).astype("uint8")
    if data_format == "channels_first":
        images, masks = (np.moveaxis(one, 3, 1).copy() for one in (images, masks))
    corners = np.sort(random.uniform(0.0, 1.0, (shape[0], 4, 2, 2)), 2)
    boxes = (corners * [shape[2], shape[1]]).reshape(shape[0], 4, 4).astype("float32")
    labels = random.integers(0, 9, (shape[0], 4)).astype("int32")
    return {
        "images": images,
        "segmentation_masks": masks,
        "bounding_boxes": {"boxes": boxes, "labels": labels},
    }


def transformed(layer: Any, data: dict[str, Any], transformation: Any) -> dict[str, Any]:
    """What a layer makes of each kind of data."""
    return {
        kind: getattr(layer, f"transform_{kind}")(given, transformation, training=True)
        for kind, given in data.items()
    }


def compare(
    name: str,
    options: dict[str, Any],
    data: dict[str, Any],
    atol: float = 1e-5,
    floats_for_keras: bool = False,
) -> dict[str, float]:
    """Assert that Keras makes the same of a transformation that our layer drew.

    Args:
        name: the layer's.
        options: the constructor's arguments.
        data: images, and what belongs to them.
        atol: the largest difference, in units of the largest value; of integers 1 is no difference.
        floats_for_keras: Keras gets images as float32, where it errs with integers.

    Returns:
        The largest difference for each kind of data.
    """
    layer = getattr(layers, name)(**options)
    transformation = layer.get_random_transformation(data, training=True)
    if name == "RandomCrop":
        transformation = transformation[:2]  # Keras does not take the shape
    as_arrays = tree.map_structure(
        lambda one: one.numpy() if isinstance(one, Tensor) else one, transformation
    )
    given = data | ({"images": data["images"].astype("float32")} if floats_for_keras else {})
    asked = {"layer": name, "options": options, "data": given, "transformation": as_arrays}
    (theirs,) = oracle.run(IN_KERAS, cases=[asked])
    errors: dict[str, float] = {}
    for backend in ("numpy", "numba_cpu"):
        with nkeras.use_backend(backend):
            ours = transformed(layer, data, as_arrays)
        assert ours.keys() == theirs.keys()
        for kind, wanted in theirs.items():
            pairs = zip(tree.flatten(ours[kind]), tree.flatten(wanted), strict=True)
            for mine, other in pairs:
                found, other = np.asarray(mine), np.asarray(other)
                assert found.shape == other.shape, kind
                assert found.dtype == other.dtype, kind
                scale = max(1.0, float(np.abs(other.astype("float64")).max(initial=0.0)))
                error = np.abs(found.astype("float64") - other).max(initial=0.0) / scale
                is_whole = found.dtype == np.uint8 and kind == "images"
                assert error <= (1 / scale if is_whole else atol), (backend, kind, error)
                errors[kind] = max(errors.get(kind, 0.0), float(error))
    return errors
