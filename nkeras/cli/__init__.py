"""The commands of `python -m nkeras`."""
