"""The CUDA backend: kernels written with numba-cuda, on a GPU or in numba-cuda's simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nkeras.core.errors import BackendError

if TYPE_CHECKING:
    from nkeras.backend.protocol import Backend

__all__ = ["backend"]


def backend() -> Backend:
    """The backend; the entry point of the plugin.

    Raises:
        BackendError: there is neither the simulator nor a usable GPU; the message lists what was
            looked for.
    """
    from nkeras_numba_cuda import requirements

    complaint = requirements.complaint()
    if complaint:
        raise BackendError(complaint)
    from nkeras_numba_cuda.plugin import NumbaCuda

    return NumbaCuda()
