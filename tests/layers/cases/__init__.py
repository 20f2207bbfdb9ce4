"""The cases of layers, a file for each family: `cases(long)` gives them."""
