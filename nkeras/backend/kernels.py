"""The table of a backend's kernels. A kernel registers where it is written."""

from __future__ import annotations

from typing import TypeVar

from nkeras.backend.protocol import Kernel

_Kernel = TypeVar("_Kernel", bound=Kernel)


class Kernels(dict[str, Kernel]):
    """Kernels by the names of their primitives.

    Example:
        >>> from nkeras.backend.kernels import Kernels
        >>> KERNELS = Kernels()
        >>> @KERNELS.register
        ... def negative(x):
        ...     return -x
        >>> list(KERNELS)
        ['negative']
    """

    def register(self, kernel: _Kernel) -> _Kernel:
        """Decorator: the kernel of the primitive of this name.

        Raises:
            ValueError: the backend has a kernel of this name.
        """
        name = kernel.__name__
        if name in self:
            raise ValueError(f"There is a kernel named {name!r} already.")
        self[name] = kernel
        return kernel
