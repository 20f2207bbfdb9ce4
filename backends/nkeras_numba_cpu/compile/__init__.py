"""From Python functions and LLVM code to machine code, through the cache on disk."""
