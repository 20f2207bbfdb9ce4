"""Layers that prepare data: numbers, categories, text and images, in models or before them."""
