"""What is wrong with a kernel, or with what the interpreter knows."""

from __future__ import annotations


class Fault(AssertionError):
    """A kernel does what it must not: the message names kernel, block, thread and line.

    Args:
        message: what is wrong.
        where: kernel, block, thread and line.
        kind: one word or two, by which tests tell faults apart.
    """

    def __init__(self, kind: str, message: str, where: str = "") -> None:
        super().__init__(f"{kind}: {message}" + (f"\n{where}" if where else ""))
        self.kind = kind


class Unknown(NotImplementedError):
    """PTX that the interpreter does not know; never ignored."""
