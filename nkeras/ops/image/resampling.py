"""Resampling along one axis: each new cell is a weighted sum of some old ones.

The gradient is the transposed table, which is a table of the same kind.
"""

from __future__ import annotations

from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.image.layout import as_before, as_float

METHODS = {
    "nearest": "nearest",
    "linear": "linear",
    "bilinear": "linear",
    "trilinear": "linear",
    "triangle": "linear",
    "cubic": "cubic",
    "bicubic": "cubic",
    "tricubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}
"""Names of interpolations, and what they are along an axis."""


@primitive()
def resample(
    x: Typed,
    *,
    axis: int,
    size: int,
    method: str,
    antialias: bool,
    scale: float,
    translation: float,
    transposed: bool,
) -> Spec:
    """An axis with `size` cells, as `nkeras.backend.resampling.rows` makes them of the old ones."""
    return Spec((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype)


@resample.vjp("x")
def _(
    grad_y: Tensor,
    x_spec: Spec,
    axis: int,
    method: str,
    antialias: bool,
    scale: float,
    translation: float,
    transposed: bool,
) -> Tensor:
    return resample(
        grad_y,
        axis=axis,
        size=x_spec.shape[axis],
        method=method,
        antialias=antialias,
        scale=scale,
        translation=translation,
        transposed=not transposed,
    )


@primitive()
def resize_images(x: Typed, *, height: int, width: int, method: str, antialias: bool) -> Spec:
    """Images `(batch, height, width, channels)` of another size; floating, or of bytes, rounded."""
    return Spec((x.shape[0], height, width, x.shape[3]), x.dtype)


@resize_images.decomposition
def _(x: Tensor, height: int, width: int, method: str, antialias: bool) -> Tensor:
    y = resized(as_float(x), {1: height, 2: width}, method, antialias)
    return as_before(y, x.dtype)


@resize_images.vjp("x")
def _(
    grad_y: Tensor, x_spec: Spec, height: int, width: int, method: str, antialias: bool
) -> Tensor:
    _, old_height, old_width, _ = x_spec.shape
    for axis, before, size in ((1, old_height, height), (2, old_width, width)):
        if before != size:
            grad_y = resample(
                grad_y,
                axis=axis,
                size=before,
                method=method,
                antialias=antialias,
                scale=size / before,
                translation=0.0,
                transposed=True,
            )
    return grad_y


def resized(x: Tensor, axes: dict[int, int], method: str, antialias: bool = False) -> Tensor:
    """Floating images with new sizes of some axes, by axis.

    Axes that shrink come first, those that grow last: so less is in between.
    """
    order = sorted(axes, key=lambda axis: (axes[axis] / max(1, x.shape[axis]), axis))
    for axis in order:
        before, size = x.shape[axis], axes[axis]
        if before == size:
            continue
        if not before:
            raise ValueError(f"resize: images of shape {x.shape} have nothing to resize.")
        x = resample(
            x,
            axis=axis,
            size=size,
            method=method,
            antialias=antialias,
            scale=size / before,
            translation=0.0,
            transposed=False,
        )
    return x
