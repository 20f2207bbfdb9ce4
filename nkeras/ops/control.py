"""Control flow as plain Python: eager loops, so that the tape sees every step.

In a recorded step the rounds of `map` and `scan` become one loop: see `nkeras.ops.turns`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from nkeras.core import graph, tree
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.primitive import has_symbolic, to_tensor
from nkeras.core.slices import NotVectorizedError
from nkeras.core.tensor import Tensor
from nkeras.core.typing import T, TensorLike, TensorsLike
from nkeras.ops.core import where
from nkeras.ops.shape import concatenate, flip, section, shaped, stack
from nkeras.ops.subscripts import getitem
from nkeras.ops.turns import take_turns
from nkeras.ops.vectorizing import for_all

R = TypeVar("R")


def cond(pred: TensorLike, true_fn: Callable[[], T], false_fn: Callable[[], T]) -> T:
    """The result of `true_fn()` or of `false_fn()`; only that one is called.

    Args:
        pred: bool tensor of rank 0; if it is symbolic, both functions are traced and chosen from.
        true_fn: function without arguments.
        false_fn: function without arguments, with a result of the same structure.

    Returns:
        What the function returned.

    Example:
        >>> import nkeras
        >>> nkeras.ops.cond(3 > 2, lambda: "yes", lambda: "no")
        'yes'
    """
    if isinstance(pred, graph.KerasTensor):
        return tree.map_structure(lambda a, b: where(pred, a, b), true_fn(), false_fn())
    return true_fn() if bool(pred) else false_fn()


def switch(index: int | Tensor, branches: Sequence[Callable[..., T]], *operands: object) -> T:
    """The result of one of several functions.

    Args:
        index: int; out of range it is clamped.
        branches: functions of the operands.
        operands: what the chosen function is called with.

    Returns:
        What the function returned.
    """
    if isinstance(index, graph.KerasTensor):
        return branches[0](*operands)
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def while_loop(
    cond: Callable[..., Tensor | bool],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """Call `body` as long as `cond` holds.

    Args:
        cond: function of the variables that returns a bool.
        body: function of the variables that returns their new values.
        loop_vars: one value, or a tuple or list of values.
        maximum_iterations: stop after this many.

    Returns:
        The last values, one or a tuple.
    """
    many = isinstance(loop_vars, (tuple, list))
    values = _tensors(tuple(loop_vars) if many else (loop_vars,))
    if has_symbolic(values):
        results = body(*values)
        return tuple(results) if many else results
    count = 0
    while (maximum_iterations is None or count < maximum_iterations) and bool(cond(*values)):
        results = body(*values)
        values = tuple(results) if many else (results,)
        count += 1
    return values if many else values[0]


def fori_loop(
    lower: int | Tensor, upper: int | Tensor, body_fun: Callable[[int, T], T], init_val: T
) -> T:
    """`value = body_fun(i, value)` for each i from `lower` to `upper - 1`.

    Args:
        lower: int.
        upper: int.
        body_fun: function of the number and the value.
        init_val: first value.

    Returns:
        The last value.
    """
    value = _tensors(init_val)
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def _tensors(structure: T) -> T:
    """Numbers become tensors, as the results of the loop's body will be."""
    return tree.map_structure(to_tensor, structure)


def _length(structure: object, owner: str) -> int:
    leaves = [leaf for leaf in tree.flatten(structure) if leaf is not None]
    sizes = {to_tensor(leaf).shape[0] for leaf in leaves}
    if len(sizes) != 1:
        raise ValueError(
            f"{owner}: all tensors must have the same size along axis 0. Received: "
            f"{short(sorted(sizes))}"
        )
    return sizes.pop()


def _row(structure: T, i: int) -> T:
    return tree.map_structure(
        lambda leaf: None if leaf is None else getitem(to_tensor(leaf), i), structure
    )


def _rows(structure: Any, count: int) -> Sequence[Any]:
    """All slices along axis 0."""
    return [_row(structure, i) for i in range(count)]


def map(f: Callable[[T], R], xs: T) -> R:
    """`f` of each slice along axis 0, stacked.

    Args:
        f: function of one slice (of the structure of `xs`).
        xs: tensor, or a structure of tensors, with equal first sizes.

    Returns:
        What `f` returns, with an additional first axis.

    Raises:
        ValueError: the first sizes differ, or are 0.
    """
    xs = _tensors(xs)
    count = _length(xs, "map")
    if count == 0:
        refuse("xs", "size 0 along axis 0", "at least one slice", "map")
    _, _, found = take_turns(
        lambda carry, x: (carry, f(x)), [], xs, _rows, count, f, backwards=False
    )
    return found


def vectorized_map(function: Callable[[T], R], elements: T) -> R:
    """`function` of each slice along axis 0, stacked; it is called once, for all slices.

    Where it needs values (`float(x)`, `if x > 0`), draws random numbers, assigns variables, or uses
    an operation that has no rule for many slices, it is called slice by slice instead, as by `map`.

    Args:
        function: of one slice (of the structure of `elements`), without effects to the outside.
        elements: tensor, or a structure of tensors, with equal first sizes.

    Returns:
        What `function` returns, with an additional first axis.

    Raises:
        ValueError: the first sizes differ, or are 0.

    Example:
        >>> import nkeras
        >>> nkeras.ops.vectorized_map(nkeras.ops.sum, nkeras.ops.ones((2, 3))).numpy()
        array([3., 3.], dtype=float32)
    """
    count = _length(elements, "vectorized_map")
    if count and not has_symbolic(tree.flatten(elements)):
        try:
            return for_all(function, elements, count)
        except (NotVectorizedError, NotImplementedError, TypeError, ValueError):
            pass  # if it is a mistake of the function's, it comes again below
    return map(function, elements)


def scan(
    f: Callable[[T, Any], tuple[T, R]],
    init: T,
    xs: TensorsLike | None = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[T, R | None]:
    """`carry, y = f(carry, x)` for each slice of `xs` along axis 0.

    Args:
        f: function of carry and slice that returns a new carry and an output (or None).
        init: first carry.
        xs: tensor or structure of tensors; None for `length` steps without input.
        length: number of steps; needed where `xs` is None.
        reverse: begin with the last slice; outputs still stand where their inputs do.
        unroll: accepted for Keras' sake: results are the same.

    Returns:
        The last carry, and the outputs stacked along a new first axis.

    Raises:
        ValueError: the number of steps is not known, or an argument is wrong.
    """
    if not isinstance(unroll, bool) and (not is_a(unroll, int) or unroll < 1):
        refuse("unroll", unroll, "a positive int or a bool", "scan")
    if xs is None:
        if length is None:
            refuse("length", None, "an int where `xs` is None", "scan")
        count = int(length)
    else:
        xs = _tensors(xs)
        count = _length(xs, "scan")
        if length is not None and int(length) != count:
            refuse("length", length, f"the first size of `xs`, {count}", "scan")
    if count == 0:
        return init, None
    carry, _, found = take_turns(f, init, xs, _rows, count, f, backwards=reverse)
    return carry, found


def _running(f: Callable[[T, T], T], elems: T, axis: int) -> T:
    """Pairs are joined, their running results found, and from them those in between."""

    def part(structure: T, start: int, stop: int | None, step: int) -> T:
        return tree.map_structure(lambda leaf: section(leaf, axis, start, stop, step), structure)

    count = tree.flatten(elems)[0].shape[axis]
    if count < 2:
        return elems
    pairs = f(part(elems, 0, count - 1, 2), part(elems, 1, None, 2))
    odd = _running(f, pairs, axis)
    first = part(elems, 0, 1, 1)
    if count > 2:
        even = f(part(odd, 0, (count - 1) // 2, 1), part(elems, 2, None, 2))
        first = tree.map_structure(lambda a, b: concatenate([a, b], axis), first, even)
    return tree.map_structure(lambda a, b: _interleaved(a, b, axis), first, odd)


def _interleaved(even: Tensor, odd: Tensor, axis: int) -> Tensor:
    """An element of each in turn; the first may have one more."""
    axis %= even.ndim
    count = odd.shape[axis]
    both = stack([section(even, axis, 0, count), odd], axis + 1)
    shape = list(odd.shape)
    shape[axis] = 2 * count
    joined = shaped(both, tuple(shape))
    if even.shape[axis] == count:
        return joined
    return concatenate([joined, section(even, axis, count, None)], axis)


def associative_scan(f: Callable[[T, T], T], elems: T, reverse: bool = False, axis: int = 0) -> T:
    """Running results of an associative function: the n-th is `f(... f(f(e0, e1), e2) ..., en)`.

    Args:
        f: associative function of two slices of `elems` (of any length along `axis`).
        elems: tensor or structure of tensors with equal sizes along `axis`.
        reverse: begin at the end.
        axis: int.

    Returns:
        The structure of `elems`, of the same shapes.
    """
    tensors = tree.map_structure(to_tensor, elems)
    if reverse:
        tensors = tree.map_structure(lambda leaf: flip(leaf, axis), tensors)
    joined = _running(f, tensors, axis)
    return tree.map_structure(lambda leaf: flip(leaf, axis), joined) if reverse else joined
