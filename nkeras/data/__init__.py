"""Readers of files and folders; `nkeras.utils` and `nkeras.preprocessing` offer their names."""
