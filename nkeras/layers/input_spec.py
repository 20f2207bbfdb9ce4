"""What a layer accepts: ranks, shapes and dtypes of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

from nkeras.core import dtypes, tree
from nkeras.core.configurable import Configurable
from nkeras.core.errors import cut_text, short
from nkeras.core.typing import DTypeLike, PartialShape


class InputSpec(Configurable):
    """Rank, shape, dtype and axes that an input must have.

    Args:
        dtype: expected dtype.
        shape: expected shape; None matches any size.
        ndim: expected rank.
        max_ndim: largest rank.
        min_ndim: smallest rank.
        axes: dict of axis to expected size.
        allow_last_axis_squeeze: accept one more or less axis of size 1 at the end.
        name: expected key where inputs are a dict.
        optional: None is accepted.

    Source: https://keras.io/api/layers/base_layer/
    """

    def __init__(
        self,
        dtype: DTypeLike = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else dtypes.standardize_dtype(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        limit = self.ndim if self.ndim is not None else max_ndim
        if self.axes and limit is not None and max(self.axes) >= limit:
            raise ValueError(f"InputSpec: axis {max(self.axes)} is greater than the rank {limit}.")

    def refuse(self, shape: PartialShape, dtype: str) -> str | None:
        """Why an input does not fit, or None where it does."""
        full_shape, expected = shape, self.shape
        if expected is not None and self.allow_last_axis_squeeze:
            if len(shape) == len(expected) + 1 and shape[-1] == 1:
                shape = shape[:-1]
            elif len(shape) == len(expected) - 1 and expected[-1] == 1:
                expected = expected[:-1]
        rank = len(shape)
        if self.ndim is not None and not self.allow_last_axis_squeeze and rank != self.ndim:
            return f"expected ndim={self.ndim}, found ndim={rank}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={rank}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={rank}"
        if self.dtype is not None and dtype != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={dtype}"
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                return (
                    f"expected axis {axis} of input shape to have value {size}, but received input"
                )
        if expected is not None:
            if len(expected) != rank:
                return f"expected shape={short(self.shape)}, found shape={short(full_shape)}"
            for want, found in zip(expected, shape, strict=True):
                if want is not None and found is not None and want != found:
                    return f"expected shape={short(self.shape)}, found shape={short(full_shape)}"
        return None


def _is_flat(inputs: object) -> TypeGuard[dict[str, Any]]:
    """Whether inputs are a dict of tensors, which may leave out optional ones."""
    return isinstance(inputs, dict) and not any(map(tree.is_nested, inputs.values()))


def assert_input_compatibility(
    input_spec: InputSpec | Sequence[InputSpec], inputs: object, layer_name: str
) -> None:
    """Check inputs against one InputSpec or a structure of them.

    Raises:
        ValueError: wrong number of inputs, or one that does not fit.
    """
    specs = tree.flatten(input_spec)
    layer_name = cut_text(layer_name)
    if _is_flat(inputs) and len(specs) > 1 and all(spec.name for spec in specs):
        missing = [spec.name for spec in specs if spec.name not in inputs and not spec.optional]
        if missing:
            raise ValueError(
                f'Layer "{layer_name}" misses the inputs {short(missing)} in the dict with the '
                f"keys {short(list(inputs))}."
            )
        given = [inputs.get(spec.name) for spec in specs]
    else:
        given = tree.flatten(inputs)
    if len(given) != len(specs):
        shapes = short([getattr(item, "shape", item) for item in given])
        raise ValueError(
            f'Layer "{layer_name}" expects {len(specs)} input(s), but it received {len(given)} '
            f"input tensors. Shapes received: {shapes}"
        )
    for index, item in enumerate(given):
        spec = specs[index]
        if spec is None or (item is None and spec.optional):
            continue
        if item is None or not hasattr(item, "shape"):
            raise ValueError(f'Input {index} of layer "{layer_name}" is no tensor: {short(item)}')
        problem = spec.refuse(tuple(item.shape), item.dtype)
        if problem:
            raise ValueError(
                f'Input {index} of layer "{layer_name}" is incompatible with the layer: {problem}. '
                f"Full shape received: {short(tuple(item.shape))}"
            )
