"""Where results lie: fresh, used again, or in the arena of a plan; and what a plan takes down."""
