"""Symbolic tensors, the nodes that connect them, and shape inference by tracing.

Unknown sizes are traced twice with two different numbers: a size that differs between the two
traces is unknown in the result. So shape rules and layers only ever meet numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nkeras.core import dtypes, in_tensorflow, naming, slices, tree
from nkeras.core.errors import short
from nkeras.core.scope import Scope
from nkeras.core.spec import Unknown
from nkeras.core.tensor import Operators, Tensor
from nkeras.core.typing import DTypeLike, PartialShape, Structure

Operation: TypeAlias = "Any"  # a layer, or a function of ops

LARGE = 1 << 22
"""Elements that a constant may have which a trace computes; of larger ones it takes the shape."""

_tracing: ContextVar[bool] = ContextVar("nkeras_tracing", default=False)
tracing: Callable[[], bool] = _tracing.get


# Divisible by what models reshape by; small, for a trace may make real arrays of these sizes.
_FILLS = (Unknown(840), Unknown(1680))
_LARGE_FILLS = tuple(Unknown(8 * fill) for fill in _FILLS)  # for windows longer than those


class KerasTensor(Operators):
    """A tensor without values: what a model's inputs and outputs are while it is built.

    Args:
        shape: tuple of int or None (unknown).
        dtype: name.
        sparse: must be False; nkeras has no sparse tensors.
        ragged: must be False; nkeras has no ragged tensors.
        record_history: accepted for Keras' sake.
        name: shown in `summary()`.
    """

    _keras_mask: Any  # a mask, set where there is one

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: DTypeLike = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ) -> None:
        for argument, value in (("sparse", sparse), ("ragged", ragged)):
            if value:
                raise ValueError(f"KerasTensor: argument `{argument}` must be False in nkeras.")
        self.shape: tuple[Any, ...] = tuple(shape)
        self.dtype = dtypes.standardize_dtype(dtype)
        self.name = name or naming.auto_name("keras_tensor")
        self.sparse = False
        self.ragged = False
        self.node: Node | None = None
        self.index = 0

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def _keras_history(self) -> tuple[Operation, int, int] | None:
        if self.node is None:
            return None
        nodes = getattr(self.node.operation, "_inbound_nodes", [self.node])
        return self.node.operation, nodes.index(self.node), self.index

    def reshape(self, newshape: Sequence[int]) -> Tensor:
        """The same elements in another shape, as `ops.reshape` gives them.

        Args:
            newshape: sizes, the batch's included; one of them may be -1.
        """
        return self.operators["reshape"](self, newshape)

    def squeeze(self, axis: int | Sequence[int] | None = None) -> Tensor:
        """Without axes of size 1, as `ops.squeeze` gives it.

        Args:
            axis: which ones; all for None.
        """
        return self.operators["squeeze"](self, axis)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape} dtype={self.dtype} name={self.name}>"

    def __array__(self, *arguments: object, **named: object) -> np.ndarray:
        raise ValueError(
            "A symbolic KerasTensor has no values, so functions of NumPy or another library cannot "
            f"be applied to it. Use the function of the same name in `nkeras.ops`.{_user_line()}"
        )

    def __iter__(self) -> Iterator[Tensor]:
        raise TypeError("A symbolic KerasTensor cannot be iterated over; use `nkeras.ops.unstack`.")

    def __bool__(self) -> bool:
        raise TypeError(
            "A symbolic KerasTensor has no truth value; use `nkeras.ops.where` or `ops.cond`."
            + _user_line()
        )

    def __float__(self) -> float:
        raise _no_number("float")

    def __int__(self) -> int:
        raise _no_number("int")

    def __complex__(self) -> complex:
        raise _no_number("complex")

    def __index__(self) -> int:
        raise _no_number("index")

    def __len__(self) -> int:
        raise TypeError("A symbolic KerasTensor has no len(); use its `.shape`.")


def is_keras_tensor(x: object) -> bool:
    """Whether an object is a symbolic tensor, as `Input` makes it.

    Example:
        >>> import nkeras
        >>> is_keras_tensor(nkeras.Input((3,))), is_keras_tensor(nkeras.ops.ones(3))
        (True, False)

    Source: https://keras.io/api/utils/backend_utils/
    """
    return isinstance(x, KerasTensor)


def _no_number(kind: str) -> TypeError:
    return TypeError(
        f"A symbolic KerasTensor has no values, so it cannot be converted to {kind}. Use the "
        f"functions in `nkeras.ops`, such as `ops.cast`.{_user_line()}"
    )


def _user_line() -> str:
    """The innermost line of the traceback that is not in nkeras nor in an installed package."""
    import inspect

    package = str(Path(__file__).parent.parent)
    frame = inspect.currentframe()
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(package) and "site-packages" not in name:
            return f" The call stands in {name}, line {frame.f_lineno}."
        frame = frame.f_back
    return ""


class Node:
    """One call of an operation (a layer or an op) on symbolic tensors."""

    def __init__(
        self,
        operation: Operation,
        arguments: tuple[object, ...],
        named: dict[str, Any],
        outputs: Structure,
    ) -> None:
        self.operation = operation
        self.arguments = arguments
        self.named = named
        self.outputs = outputs
        self.input_tensors = symbolic_in((arguments, named))
        self.output_tensors = symbolic_in(outputs)
        for index, tensor in enumerate(self.output_tensors):
            tensor.node, tensor.index = self, index
        if hasattr(operation, "_inbound_nodes"):
            operation._inbound_nodes.append(self)

    @property
    def is_input(self) -> bool:
        """Whether it has no inputs."""
        return not self.input_tensors

    @property
    def parents(self) -> list[Node]:
        """The nodes that made the inputs."""
        return [tensor.node for tensor in self.input_tensors if tensor.node is not None]

    def __repr__(self) -> str:
        return f"<Node of {getattr(self.operation, 'name', self.operation)}>"


def get_mask(tensor: object) -> Tensor | None:
    """The mask that a layer or a loss lets travel with a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor: Tensor | KerasTensor, mask: Structure) -> None:
    """Let a mask travel with a tensor."""
    tensor._keras_mask = mask  # pyright: ignore[reportPrivateUsage]  Keras' name, users know it


def class_name_of(operation: Any) -> str:
    """The class of a layer, or for a node what Keras would call the class of an op."""
    if not isinstance(operation, Node):
        return type(operation).__name__
    words = operation.operation.__name__.split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)


def calls_of(operation: Any) -> list[Node]:
    """The calls of a layer on symbolic tensors; an op stands in a graph as its one call."""
    return [operation] if isinstance(operation, Node) else operation._inbound_nodes


def symbolic_in(structure: Structure) -> list[KerasTensor]:
    """The symbolic tensors among the leaves."""
    return [leaf for leaf in tree.flatten(structure) if isinstance(leaf, KerasTensor)]


def history(tensors: Sequence[KerasTensor]) -> list[Node]:
    """The calls that some tensors come from, and those that their masks come from, in order."""
    found: list[Node] = []
    seen: set[int] = set()
    stack = [(tensor.node, False) for tensor in reversed(tensors)]
    while stack:
        node, is_ready = stack.pop()
        if node is None or (id(node) in seen and not is_ready):
            continue
        if is_ready:
            found.append(node)
            continue
        seen.add(id(node))
        stack.append((node, True))
        around = [*node.output_tensors, *node.input_tensors]
        masks = symbolic_in([get_mask(tensor) for tensor in around])
        stack += [(tensor.node, False) for tensor in reversed([*node.input_tensors, *masks])]
    return found


def call_symbolic(
    operation: Operation,
    infer: Callable[..., Structure],
    arguments: tuple[object, ...],
    named: dict[str, Any],
) -> Any:
    """Infer the outputs of a call on symbolic tensors; outside a trace, add its node."""
    if in_tensorflow.meets(arguments, named):
        return call_traced(operation, arguments, named)
    interpret = slices.interpreter()
    if interpret is not None:
        return interpret(operation, infer, arguments, named)
    if tracing():
        return infer(*arguments, **named)
    outputs = infer_outputs(infer, arguments, named)
    Node(operation, arguments, named, outputs)
    return outputs


def call_traced(function: Any, arguments: tuple[object, ...], named: dict[str, Any]) -> Any:
    """A call with tensors of TensorFlow's graph among its arguments, as an operation there."""

    def symbol(leaf: object) -> object:
        traced = in_tensorflow.is_traced(leaf)
        return KerasTensor(*in_tensorflow.signature(leaf)) if traced else leaf

    def symbol_or_size(leaf: object) -> object:
        found = symbol(leaf)
        if found is leaf or not isinstance(found, KerasTensor) or found.shape:
            return found
        return _Size() if dtypes.is_integer(found.dtype) else found

    given, given_named = tree.map_structure(symbol, (arguments, named))
    try:
        expected = infer_outputs(function, given, given_named)
    except (TypeError, ValueError):  # an integer may be a size, as in `reshape(x, (batch, 9))`
        sized, sized_named = tree.map_structure(symbol_or_size, (arguments, named))
        if not any(isinstance(leaf, _Size) for leaf in tree.flatten((sized, sized_named))):
            raise
        expected = infer_outputs(function, sized, sized_named)
    return in_tensorflow.call(function, arguments, named, expected)


class _Size(KerasTensor):
    """A size that is not known yet: the number that stands for one where shapes are inferred."""

    def __init__(self) -> None:
        super().__init__((None,), "int32")


def infer_outputs(
    infer: Callable[..., Structure], arguments: Structure, named: dict[str, Any]
) -> Structure:
    """Fresh KerasTensors with the shapes and dtypes that `infer(*arguments, **named)` gives."""
    if not any(None in leaf.shape for leaf in symbolic_in((arguments, named))):
        return _inferred(infer, arguments, named, _FILLS[:1])
    try:
        return _inferred(infer, arguments, named, _FILLS)
    except ValueError:
        try:
            return _inferred(infer, arguments, named, _LARGE_FILLS)
        except ValueError:
            pass
        raise


def _inferred(
    infer: Callable[..., Structure],
    arguments: Structure,
    named: dict[str, Any],
    fills: Sequence[int],
) -> Structure:
    traces = []
    for fill in fills:
        filled, filled_named = tree.map_structure(
            lambda leaf, f=fill: _fill(leaf, f), (arguments, named)
        )
        with trace():
            traces.append(infer(*filled, **filled_named))
    return tree.map_structure(_merge, *traces)


def get_source_inputs(tensor: KerasTensor) -> list[KerasTensor]:
    """The inputs that a symbolic tensor is computed from, each once.

    Args:
        tensor: symbolic tensor.

    Returns:
        List of symbolic tensors; the tensor itself where nothing computes it.

    Example:
        >>> import nkeras
        >>> a, b = nkeras.Input((3,), name="a"), nkeras.Input((3,), name="b")
        >>> [source.name for source in get_source_inputs(a * 2.0 + b)]
        ['a', 'b']

    Source: https://keras.io/api/utils/python_utils/
    """
    found: dict[int, KerasTensor] = {}
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        one = stack.pop()
        if one.node is None or one.node.is_input:
            outputs = [one] if one.node is None else one.node.output_tensors
            found.update({id(output): output for output in outputs})
        elif id(one.node) not in seen:
            seen.add(id(one.node))
            stack.extend(reversed(one.node.input_tensors))
    return list(found.values())


def trace() -> Scope[bool]:
    """Inside, operations on symbolic tensors only infer shapes and add no nodes."""
    return Scope(_tracing, True)


def building() -> Scope[bool]:
    """Nodes are added again, also in a trace around: `build` may make a graph of its own."""
    return Scope(_tracing, False)


def symbolic(shape: Sequence[int], dtype: str) -> Any:
    """The result of an operation that does not trace; see `nkeras.core.typing` for its type."""
    return KerasTensor(shape, dtype)


def _fill(leaf: Structure, fill: int) -> Structure:
    if not isinstance(leaf, KerasTensor):
        return leaf
    if isinstance(leaf, _Size):
        return fill
    filled = KerasTensor(
        tuple(fill if size is None else size for size in leaf.shape), leaf.dtype, name=leaf.name
    )
    mask = get_mask(leaf)
    if mask is not None:
        set_mask(filled, _fill(mask, fill))
    return filled


def _merge(*leaves: Structure) -> Structure:
    first = leaves[0]
    if not isinstance(first, (KerasTensor, Tensor)):  # a Tensor depends on shapes alone
        return first
    shape = tuple(
        int(sizes[0])
        if all(size == sizes[0] for size in sizes) and not _is_unknown(sizes)
        else None
        for sizes in zip(*(leaf.shape for leaf in leaves), strict=True)
    )
    merged = KerasTensor(shape, first.dtype)
    masks = [get_mask(leaf) for leaf in leaves]
    if masks[0] is not None:
        set_mask(merged, _merge(*masks))
    return merged


def _is_unknown(sizes: Sequence[int | None]) -> bool:
    return any(size is None for size in sizes)


def known_shape(tensor: Any) -> PartialShape:
    """The shape with None for sizes that are unknown in the trace around."""
    return tuple(None if isinstance(size, Unknown) else size for size in tensor.shape)


def sort_nodes(outputs: Sequence[KerasTensor], inputs: Sequence[KerasTensor]) -> list[Node]:
    """The nodes between inputs and outputs, each behind its parents.

    Raises:
        ValueError: an output depends on a tensor that is not computed from `inputs`.
    """
    given = {id(tensor) for tensor in inputs}
    done: dict[int, Node] = {}

    def visit(tensor: KerasTensor) -> None:
        stack: list[tuple[KerasTensor, bool]] = [(tensor, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in given or (node.node is not None and id(node.node) in done):
                continue
            if node.node is None or node.node.is_input:
                raise ValueError(
                    f"The output depends on the tensor {short(node)}, which is no input of the "
                    "model."
                )
            if ready:
                done[id(node.node)] = node.node
                continue
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.node.input_tensors))

    for output in outputs:
        visit(output)
    return list(done.values())
