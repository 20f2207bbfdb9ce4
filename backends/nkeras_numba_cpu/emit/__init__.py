"""LLVM code: vectors as values, scalar functions and their mathematics, views of arrays."""
