"""Matrix products and convolutions of all kinds, on one micro-kernel."""
