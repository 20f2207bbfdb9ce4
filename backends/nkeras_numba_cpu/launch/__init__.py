"""How Python runs compiled tasks: one launcher for all kernels, one parallel region."""
