"""What kernels call on the device: the functions of scalar functions, and what Numba lacks."""
