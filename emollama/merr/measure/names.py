"""Names of facial signs that are no action units."""

EXPRESSION_PREFIX = "looks "
"""Before a class of a classifier of whole faces: such a classifier measures no unit."""
