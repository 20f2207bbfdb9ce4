"""An interpreter of PTX in NumPy: it executes what Numba really compiled, without a GPU."""

from tests.ptx.arrays import empty, note_empty, note_written
from tests.ptx.faults import Fault, Unknown
from tests.ptx.kernels import launch, launch_elements

__all__ = ["Fault", "Unknown", "empty", "launch", "launch_elements", "note_empty", "note_written"]
