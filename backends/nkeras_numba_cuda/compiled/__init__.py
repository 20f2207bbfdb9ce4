"""Compiled kernels: PTX that Numba makes, kept on disk, loaded and launched by CUDA's driver."""
