"""Layers that make numbers of data: adapted to them, and used in models or on batches."""
