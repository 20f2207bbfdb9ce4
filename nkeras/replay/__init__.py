"""Replay: steps that are recorded once and repeated without Python between the kernels.

    record      the kernel calls behind a piece of Python            record.py, graph.py, compare.py
    rewrite     fewer calls that give the same                       rewrite.py
    lower       calls become steps of the backend, at fixed places   lower.py
    memory plan where everything lies                                memory_plan.py
    replay      do the steps again                                   replay.py
    cache       when all that is done, and which plan serves         cache.py

See docs/replay.md.
"""
