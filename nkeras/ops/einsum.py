"""Einstein sums: each pair of operands becomes one batched matmul."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nkeras.core.errors import refuse, short
from nkeras.core.primitive import op, promoted
from nkeras.core.spec import Shape
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.creation import diagonal
from nkeras.ops.matrix_product import matmul
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import broadcast_to, cast, reshape, transpose

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@op
def einsum(subscripts: str, *operands: TensorLike, **kwargs: object) -> Tensor:
    """Sum of products over named axes.

    Args:
        subscripts: names of the axes of each operand and of the result, as `"ij,jk->ik"`; `...`
            stands for the other axes. Without `->` the result has the names that occur once.
        operands: tensors.
        kwargs: must be empty: the order of products is chosen by `numpy.einsum_path`.

    Returns:
        Tensor; int32 for tensors of int8.

    Raises:
        ValueError: the names do not fit the shapes.

    Example:
        >>> import nkeras
        >>> nkeras.ops.einsum("bij,kj->bik", nkeras.ops.ones((2, 3, 4)), [[1.0] * 4] * 5).shape
        (2, 3, 5)
    """
    if kwargs:
        raise ValueError(f"einsum: unknown arguments {short(sorted(kwargs))}.")
    tensors = promoted(*operands)
    if tensors[0].dtype == "int8" and len(tensors) != 2:  # two become one product, as int32
        tensors = [cast(tensor, "int32") for tensor in tensors]
    inputs, output = names_of_axes(subscripts, tuple(len(tensor.shape) for tensor in tensors))
    sizes = _sizes(subscripts, inputs, [tensor.shape for tensor in tensors])
    terms = [_without_repeats(tensor, names) for tensor, names in zip(tensors, inputs, strict=True)]
    for i, j in _path(inputs, output, sizes):
        second, first = terms.pop(max(i, j)), terms.pop(min(i, j))
        if i > j:
            first, second = second, first
        needed = set(output).union(*(names for _, names in terms))
        terms.append(_pair(first, second, needed, sizes))
    tensor, names = _reduced(*terms[0], set(output))
    return transpose(tensor, [names.index(name) for name in output])


def names_of_axes(subscripts: object, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The names of each operand's axes and of the result's, `...` replaced by fresh letters."""
    if not isinstance(subscripts, str):
        refuse("subscripts", subscripts, 'a string such as "ij,jk->ik"', "einsum")
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ranks):
        raise ValueError(
            f"einsum: {short(subscripts)} names {len(inputs)} operands. Received: {len(ranks)}"
        )
    letters = [letter for letter in _LETTERS if letter not in text]
    widest = 0
    for names, rank in zip(inputs, ranks, strict=True):
        named = len(names.replace("...", ""))
        if named > rank or (named < rank and "..." not in names):
            raise ValueError(
                f"einsum: {short(names)} in {short(subscripts)} does not fit a rank of {rank}."
            )
        widest = max(widest, rank - named)
    hidden = "".join(letters[:widest])
    filled = [
        names.replace("...", hidden[widest - (rank - len(names.replace("...", ""))) :])
        for names, rank in zip(inputs, ranks, strict=True)
    ]
    if arrow:
        output = right.replace("...", hidden)
    else:
        named = "".join(inputs).replace("...", "")
        output = hidden + "".join(sorted(name for name in set(named) if named.count(name) == 1))
    unknown = set(output) - set("".join(filled))
    if unknown or len(set(output)) != len(output):
        raise ValueError(
            f"einsum: the result of {short(subscripts)} has unknown or repeated names."
        )
    return filled, output


def _sizes(subscripts: str, inputs: list[str], shapes: Sequence[Shape]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for names, shape in zip(inputs, shapes, strict=True):
        for name, size in zip(names, shape, strict=True):
            known = sizes.setdefault(name, size)
            if known == 1:
                sizes[name] = size
            elif size not in (known, 1):
                raise ValueError(
                    f"einsum: the axis {short(name)} of {short(subscripts)} has the sizes "
                    f"{short(known)} and {size}."
                )
    return sizes


def _path(inputs: list[str], output: str, sizes: dict[str, int]) -> list[tuple[int, int]]:
    """Pairs of positions; each product goes to the end of the list."""
    if len(inputs) <= 2:
        return [(0, 1)] if len(inputs) == 2 else []
    stand_ins = [
        np.broadcast_to(np.float32(0), [int(sizes[name]) for name in names]) for names in inputs
    ]
    steps = np.einsum_path(f"{','.join(inputs)}->{output}", *stand_ins, optimize="greedy")[0][1:]
    pairs: list[tuple[int, int]] = []
    count = len(inputs)
    for step in steps:
        places = sorted(step)
        while len(places) > 1:  # a step of several operands, as pairs
            first, second = places[0], places[1]
            pairs.append((first, second))
            count -= 1
            places = [p - (p > first) - (p > second) for p in places[2:]] + [count - 1]
    return pairs


def _without_repeats(tensor: Tensor, names: str) -> tuple[Tensor, str]:
    """Names that occur twice in one operand stand for its diagonal."""
    for name in names:
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            tensor = diagonal(tensor, 0, first, second)
            names = names[:first] + names[first + 1 : second] + names[second + 1 :] + name
    return tensor, names


def _reduced(tensor: Tensor, names: str, needed: set[str]) -> tuple[Tensor, str]:
    """Sum over the names that nobody needs."""
    gone = tuple(i for i, name in enumerate(names) if name not in needed)
    if gone:
        if tensor.dtype == "int8":
            tensor = cast(tensor, "int32")
        tensor = reduce_sum(tensor, axis=gone, keepdims=False)
    return tensor, "".join(name for name in names if name in needed)


def _pair(
    first: tuple[Tensor, str], second: tuple[Tensor, str], needed: set[str], sizes: dict[str, int]
) -> tuple[Tensor, str]:
    """Product of two terms, summed over the names that only they have."""
    x, names1 = _reduced(*_squeezed(*first, sizes), needed | set(second[1]))
    y, names2 = _reduced(*_squeezed(*second, sizes), needed | set(names1))
    shared = [name for name in names1 if name in names2]
    batch = [name for name in shared if name in needed]
    inner = [name for name in shared if name not in needed]
    free1 = [name for name in names1 if name not in names2]
    free2 = [name for name in names2 if name not in names1]

    def length(names: list[str]) -> int:
        return math.prod(sizes[name] for name in names)

    left = transpose(x, [names1.index(name) for name in (*batch, *free1, *inner)])
    right = transpose(y, [names2.index(name) for name in (*batch, *inner, *free2)])
    together = [sizes[name] for name in batch]
    left = reshape(left, (*together, length(free1), length(inner)))
    right = reshape(right, (*together, length(inner), length(free2)))
    product = matmul(left, right)
    shape = [sizes[name] for name in (*batch, *free1, *free2)]
    return reshape(product, shape), "".join((*batch, *free1, *free2))


def _squeezed(tensor: Tensor, names: str, sizes: dict[str, int]) -> tuple[Tensor, str]:
    """Axes of size 1 that meet longer ones are broadcast."""
    shape = [sizes[name] for name in names]
    return (tensor if list(tensor.shape) == shape else broadcast_to(tensor, shape)), names
