"""Names for types in signatures, as the field calls them. Importing it costs nothing.

An operation gives a `Tensor`. Given a symbolic `KerasTensor` it gives a symbolic one; signatures
say `Tensor` all the same, since both are used alike: shape, dtype, operators, operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

from nkeras.core.spec import Pairs as Pairs
from nkeras.core.spec import Shape as Shape

if TYPE_CHECKING:
    from nkeras.core.graph import KerasTensor
    from nkeras.core.policies import DTypePolicy
    from nkeras.core.random import SeedGenerator
    from nkeras.core.tensor import Tensor
    from nkeras.core.variable import Variable

T = TypeVar("T")

AnyTensor: TypeAlias = "Tensor | KerasTensor | Variable"
"""What has a shape, a dtype and operators."""

TensorLike: TypeAlias = "AnyTensor | np.ndarray | np.generic | float | Sequence[TensorLike]"
"""What operations take for a tensor: also arrays, numbers, lists."""

Nested: TypeAlias = "T | Sequence[Nested[T]] | Mapping[str, Nested[T]]"
"""A structure of lists, tuples and dicts with leaves of one type, or a leaf."""

Tensors: TypeAlias = "Nested[Tensor]"
"""A tensor, or lists, tuples and dicts of tensors."""

TensorsLike: TypeAlias = "TensorLike | Nested[TensorLike]"
"""What can become tensors, in lists, tuples and dicts."""

ShapeLike: TypeAlias = "Sequence[int]"
"""Sizes that are known."""

PartialShape: TypeAlias = "tuple[int | None, ...]"
"""Sizes of a symbolic tensor, None where unknown."""

Gradients: TypeAlias = "Sequence[Tensor | None]"
"""Gradients by several arguments, None for those that were not asked for or have none."""

Sections: TypeAlias = "int | Sequence[int] | Tensor | np.ndarray"
"""How many equal parts, or the positions to cut at."""

Axis: TypeAlias = "int | Sequence[int] | None"
"""An axis, several, or all."""

DType: TypeAlias = "str | np.dtype | type"
"""A dtype by its name (`"float32"`), as NumPy's or as Python's type."""

DTypeLike: TypeAlias = "DType | None"
"""A dtype, or None for the default."""

PolicyLike: TypeAlias = "DType | DTypePolicy | None"
"""What layers take for a dtype: also a policy, with a compute dtype and a variable dtype."""

Seed: TypeAlias = "int | np.integer | SeedGenerator | None"
"""A number, a generator of seeds, or None for one of its own."""

Window: TypeAlias = "int | Sequence[int]"
"""A size for each spatial dimension, or one for all."""

Padding: TypeAlias = "int | Sequence[int] | Sequence[Sequence[int]]"
"""How much to add at the two ends of an axis: for all axes, or a pair for each."""

Activation: TypeAlias = "str | Callable[[Tensor], Tensor] | None"
"""A name, a function, or None for the identity."""
