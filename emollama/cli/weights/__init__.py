"""Commands that convert a model's weights."""
