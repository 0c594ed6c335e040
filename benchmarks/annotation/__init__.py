"""How good built annotations are."""
