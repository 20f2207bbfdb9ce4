"""Several calls of a primitive as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nkeras.backend.protocol import Kernel
    from nkeras.core.primitive import Primitive


class CallsTogether:
    """Several calls of a primitive by a kernel of many, as one call to a recorder.

    It has arrays and results of all of them, one after the other.

    Args:
        one: the primitive.
        kernel: the kernel of many.
        count: how many calls there are.
    """

    epilogues: tuple[str, ...] = ()

    def __init__(self, one: Primitive[Any], kernel: Kernel, count: int) -> None:
        self.name = f"{one.name} of {count}"
        self.live = one.live
        self.arguments = one.arguments * count
        self._one = one
        self._kernel = kernel
        self._count = count

    def results(self, *arrays: Any, **static: Any) -> Any:
        """The kernel on all arrays; all results."""
        width = len(self._one.arguments)
        calls = [arrays[i * width : (i + 1) * width] for i in range(self._count)]
        return tuple([array for made in self._kernel(calls, **static) for array in made])

    def donated_inputs(self, output: int) -> tuple[int, ...]:
        """As that of the primitive."""
        call, place = divmod(output, len(self._one.outputs))
        width = len(self._one.arguments)
        return tuple([call * width + i for i in self._one.donated_inputs(place)])
