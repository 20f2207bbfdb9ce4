"""How kernel calls become the launches of a plan."""
