"""Loops that kernels of several topics are made of: maps, folds, copies, casts."""
