"""Graph: a recorded step as a list of kernel calls, with what the host does between them.

A loop is one item of the list; its body is a graph too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from nkeras.backend.protocol import Kernel
from nkeras.core.calls_together import CallsTogether
from nkeras.core.host import Live
from nkeras.core.primitive import Primitive

if TYPE_CHECKING:
    from nkeras.core.variable import Variable


class Value(NamedTuple):
    """One array of a recorded step.

    Attributes:
        kind: where the array comes from: `"input"` (the caller gives it), `"variable"` (what the
            variable held when the step began), `"constant"`, `"live"` (made of a live number) or
            `"computed"` (a kernel made it).
        source: position among the inputs, Variable, array, Live, or None.
    """

    kind: str
    source: Any
    shape: tuple[int, ...]
    dtype: str


class Call(NamedTuple):
    """One kernel call.

    Attributes:
        primitive: whose kernel it is, or calls of one that a kernel does together.
        inputs: indices into `Graph.values`; None for an argument that is None.
        outputs: the same for what the kernel returns.
    """

    primitive: Primitive[Any] | CallsTogether
    kernel: Kernel
    inputs: tuple[int | None, ...]
    static: dict[str, Any]
    outputs: tuple[int | None, ...]

    @property
    def name(self) -> str:
        """The name of the primitive."""
        return self.primitive.name


class Loop(NamedTuple):
    """Calls that are repeated: rounds of which each begins with what the one before made.

    Attributes:
        body: one round. Its inputs are the carries, a row of each stack, and what is the same in
            all rounds; its outputs are the new carries, and rows of the stacks that the loop makes.
        carries: how many carries there are.
        rows: how many stacks it reads, arrays of `length` rows.
        backwards: whether it begins with the last rows; results stand where the rows stood.
        inputs: indices into `Graph.values`: first carries, stacks, and what is always the same.
        outputs: the same for the last carries and the new stacks.
    """

    body: Graph
    carries: int
    rows: int
    length: int
    backwards: bool
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()


class Part(NamedTuple):
    """A part of a step that is left out where a boolean tensor is False.

    Attributes:
        assigned: the variables that are assigned in this part and nowhere else.
    """

    assigned: list[Variable]


class Host(NamedTuple):
    """A function of the host that each replay calls.

    Attributes:
        inputs: the arrays that it is called with, as indices into `Graph.values`.
        live: the live number that it computes, if it does.
        numbers: the plain numbers that the step combined the live number with.
        part: the part of the step that begins or ends here. Where it begins, the input says whether
            it is done; the function is called where it is left out.
    """

    function: Callable[..., object]
    inputs: tuple[int, ...]
    live: Live | None = None
    numbers: tuple[float, ...] = ()
    part: Part | None = None


class Graph(NamedTuple):
    """A recorded step: what a plan is made of."""

    values: list[Value]
    steps: list[Call | Host | Loop]
    assigned: dict[Variable, int]  # by variable, the index of the value that it has at the end
    outputs: list[int]  # indices of the values that the step returns
