"""How kernel calls become the work of a plan, and that a CUDA graph."""
