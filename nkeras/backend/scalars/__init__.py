"""The scalar functions that serve every backend; importing this package registers them."""

from nkeras.backend.scalars import activation, arithmetic, losses, special

__all__ = ["activation", "arithmetic", "losses", "special"]
