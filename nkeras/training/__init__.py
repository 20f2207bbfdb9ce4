"""Training: what `Model` has from `compile` to `predict`."""
