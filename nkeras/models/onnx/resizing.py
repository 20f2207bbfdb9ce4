"""Resize and Upsample: nearest, linear and cubic, with all of ONNX' ways to map coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras import layers, ops
from nkeras.core import dtypes
from nkeras.core.errors import short
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import AnySize, Size, Traced, Value, placed
from nkeras.models.onnx.windows import layout

_MOST = 2**16
_WAYS = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
)


@operator("Resize", "Upsample")
def _resize(call: Call) -> Value:
    x = call.traced()
    mode, way, rounding = _modes(call)
    sizes, scales = _target(call, x)
    if call.flag("antialias", False) or call.flag("exclude_outside", False):
        call.fail("`antialias` and `exclude_outside` are not read.")
    whole = [_whole(scale) for scale in scales]
    is_image = 3 <= x.rank <= 5 and whole[:2] == [1, 1]
    repeats = mode == "nearest" and all(whole) and _is_repetition(way, rounding)
    if repeats and is_image and dtypes.is_floating(x.dtype):
        make = (layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D)[x.rank - 3]
        factor: Any = whole[2] if x.rank == 3 else tuple(whole[2:])
        layer = make(factor, name=call.layer_name(), dtype=x.dtype, **layout(x.rank - 2))
        return call.made(layer(x.last), sizes, channels_last=True, like=[x])
    tensor: Any = x.tensor
    for axis, (before, after, scale) in enumerate(zip(x.sizes, sizes, scales, strict=True)):
        if after == before and scale == 1.0:
            continue
        if not isinstance(before, int) or not isinstance(after, int) or not 0 < after <= _MOST:
            call.fail(f"axis {axis} must have known sizes of at most {_MOST}.")
        centres = _coordinates(before, after, scale, way)
        place = placed(axis, x.rank, x.is_last)
        if mode == "nearest":
            cells = np.clip(_rounded(centres, rounding), 0, before - 1)
            tensor = ops.take(tensor, cells.astype("int32"), place)
        else:
            cubic = call.number("cubic_coeff_a", -0.75) if mode == "cubic" else None
            tensor = _interpolated(tensor, place, centres, before, cubic)
    return call.made(tensor, sizes, x.is_last)


def _modes(call: Call) -> tuple[str, str, str]:
    mode = call.text("mode", "nearest")
    if mode not in ("nearest", "linear", "cubic"):
        call.fail(f"the mode {short(mode, 40)} is not read.")
    if call.operator == "Upsample" or call.opset < 11:
        return mode, "asymmetric", "floor"
    way = call.text("coordinate_transformation_mode", "half_pixel")
    if way not in _WAYS:
        call.fail(f"the coordinates {short(way, 40)} are not read.")
    rounding = call.text("nearest_mode", "round_prefer_floor")
    if rounding not in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        call.fail(f"`nearest_mode` {short(rounding, 40)} is none of ONNX' modes.")
    return mode, way, rounding


def _target(call: Call, x: Traced) -> tuple[list[AnySize], list[float]]:
    """Sizes and scales of all axes."""
    place = 1 if call.opset < 11 else 2
    if call.operator == "Upsample" and call.opset < 9:
        given: Any = call.node.attributes.get("scales")
    else:
        given = None
        if call.has(place) and call.value(place).sizes != (0,):
            given = call.array(place).astype(float).tolist()
    axes = call.axes(call.integers("axes") or list(range(x.rank)), x.rank)
    if (call.integers("axes") or axes) != axes:
        call.fail("`axes` must be ascending and not negative.")
    sizes: list[AnySize] = list(x.sizes)
    scales = [1.0] * x.rank
    if given is not None:
        if not isinstance(given, list) or len(given) != len(axes):
            call.fail(f"it needs {len(axes)} scales, not {short(given)}.")
        for axis, scale in zip(axes, given, strict=True):
            size = x.sizes[axis]
            if not 0.0 < scale <= _MOST:
                call.fail(f"the scale {scale} is no number in (0, {_MOST}].")
            scales[axis] = float(scale)
            if isinstance(size, int):
                sizes[axis] = int(np.floor(size * np.float32(scale)))
            else:
                sizes[axis] = size * int(scale) if scale == int(scale) else Size(1, (f"{size}*",))
        return sizes, scales
    wanted = call.sizes(3)
    if len(wanted) != len(axes) or call.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        call.fail(f"it needs {len(axes)} sizes, and stretches to them.")
    for axis, size in zip(axes, wanted, strict=True):
        before = x.sizes[axis]
        if size == before:
            continue
        if not isinstance(size, int) or not isinstance(before, int) or before < 1:
            call.fail(f"axis {axis} must have known sizes.")
        sizes[axis], scales[axis] = size, size / before
    return sizes, scales


def _whole(scale: float) -> int:
    """A scale that is a whole number, else 0."""
    return int(scale) if scale == int(scale) and scale >= 1 else 0


def _is_repetition(way: str, rounding: str) -> bool:
    """Whether the nearest cells of a whole scale are each cell several times in a row."""
    if way == "asymmetric":
        return rounding == "floor"
    return way.startswith(("half_pixel", "pytorch")) and rounding.startswith("round")


def _coordinates(before: int, after: int, scale: float, way: str) -> np.ndarray:
    """Where each new cell lies among the old ones."""
    cells = np.arange(after, dtype=np.float64)
    if way == "align_corners":
        return cells * ((before - 1) / (after - 1) if after > 1 else 0.0)
    if way == "asymmetric":
        return cells / scale
    if way == "pytorch_half_pixel" and after == 1:
        return np.zeros(1)
    centres = (cells + 0.5) / scale - 0.5
    if way == "half_pixel_symmetric":
        adjustment = after / (scale * before)
        centres = centres + before / 2 * (1 - adjustment)
    return centres


def _rounded(centres: np.ndarray, rounding: str) -> np.ndarray:
    if rounding == "floor":
        return np.floor(centres)
    if rounding == "ceil":
        return np.ceil(centres)
    if rounding == "round_prefer_floor":
        return np.ceil(centres - 0.5)
    return np.floor(centres + 0.5)


def _interpolated(
    tensor: Any, axis: int, centres: np.ndarray, size: int, cubic: float | None
) -> Any:
    """Weighted sums of neighbours along an axis; cells outside are those at the edge."""
    left = np.floor(centres)
    offset = centres - left
    if cubic is None:
        centres = np.clip(centres, 0, size - 1)
        left = np.floor(centres)
        offset = centres - left
        terms = [(0, 1.0 - offset), (1, offset)]
    else:
        terms = [(i, _cubic(np.abs(offset - i), cubic)) for i in range(-1, 3)]
    shape = [1] * len(tensor.shape)
    shape[axis] = len(centres)
    total: Any = None
    for shift, weights in terms:
        cells = np.clip(left + shift, 0, size - 1).astype("int32")
        part = ops.take(tensor, cells, axis)
        part = ops.multiply(part, weights.reshape(shape).astype(dtypes.to_numpy(tensor.dtype)))
        total = part if total is None else ops.add(total, part)
    return total


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """The kernel of Keys: https://doi.org/10.1109/TASSP.1981.1163711."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
